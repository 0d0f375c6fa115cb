#include "exporter/decode/redis/decoder.h"

#include <algorithm>
#include <utility>

namespace wiregauge::decode::redis {

// --- RequestDecoder

void RequestDecoder::OnBytes(Bytes bytes, std::uint64_t time_ns, RequestHandler& handler) {
  std::string_view run = AsText(bytes);
  bool at_segment_start = true;
  while (!run.empty()) {
    const std::size_t used = Step(run, time_ns, at_segment_start, handler);
    run.remove_prefix(used);
    at_segment_start = at_segment_start && used == 0;
  }
}

// Consumes some of `run`, which is not empty; zero bytes only when the state changes to one that consumes more.
std::size_t RequestDecoder::Step(std::string_view run, std::uint64_t time_ns, bool at_segment_start,
                                 RequestHandler& handler) {
  switch (state_) {
    case State::kLine: return StepLine(run, time_ns, handler);
    case State::kString: {
      std::size_t used = 0;
      if (!TakeString(run, !arguments_.indifferent(), used)) {
        Fail(Unparsed::kMalformed, handler);
      } else if (string_left_ == 0) {
        EndArgument(handler);
      }
      return used;
    }
    case State::kResync: {
      const std::size_t start = FindRequestStart(run, at_segment_start);
      const std::size_t skipped = std::min(start, run.size());
      if (skipped > 0) {
        handler.OnUnparsed(loss_, skipped);
        handler.OnLost(nullptr, 0);
      }
      if (start == std::string_view::npos) return run.size();
      searched_ = true;
      state_ = State::kLine;
      return start;
    }
    case State::kStopped: handler.OnUnparsed(loss_, run.size()); return run.size();
  }
  return run.size();
}

std::size_t RequestDecoder::StepLine(std::string_view run, std::uint64_t time_ns, RequestHandler& handler) {
  if (arguments_left_ == 0 && partial_bytes_ == 0) {
    first_byte_ns_ = time_ns;
    Request request;
    if (const std::size_t used = ParseCommand(run, request)) {
      parsed_bytes_ += used;
      searched_ = false;
      handler.OnRequest(request, time_ns);
      return used;
    }
  }
  const char type = partial_.empty() ? run[0] : partial_[0];
  const bool is_inline = arguments_left_ == 0 && type != '*';
  const Line line = TakeLine(run, is_inline ? kInlineBytesMax : kLineBytesKept);
  if (partial_bytes_ > (is_inline ? kInlineBytesMax + 2 : kLineBytesKept)) {
    Fail(is_inline ? Unparsed::kTooLarge : Unparsed::kMalformed, handler);
  } else if (line.whole) {
    OnLine(line.text, handler);
    EndLine();
  }
  return line.used;
}

void RequestDecoder::OnLine(std::string_view line, RequestHandler& handler) {
  if (arguments_left_ > 0) {
    const auto size = line.starts_with('$') ? ParseCount(line.substr(1), kBulkBytesMax) : std::nullopt;
    if (!size) return Fail(Unparsed::kMalformed, handler);
    return BeginString(*size);
  }
  if (line.starts_with('*')) {
    if (line.starts_with("*-")) return;  // Redis reads over it, and over an empty one
    const auto count = ParseCount(line.substr(1), kElementsMax);
    if (!count) return Fail(Unparsed::kMalformed, handler);
    arguments_left_ = *count;
    arguments_.Begin(*count);
    return;
  }
  const bool text =
      std::all_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20 || c == '\t'; });
  if (!text) return Fail(Unparsed::kMalformed, handler);
  const auto request = ParseInline(line);
  AcceptLine();
  if (request) handler.OnRequest(*request, first_byte_ns_);
}

void RequestDecoder::EndArgument(RequestHandler& handler) {
  state_ = State::kLine;
  if (arguments_.indifferent()) {
    arguments_.Skip(1);
  } else {
    arguments_.Add(short_string());
  }
  if (--arguments_left_ > 0) return;
  searched_ = false;
  handler.OnRequest(arguments_.Finish(), first_byte_ns_);
}

void RequestDecoder::Fail(Unparsed reason, RequestHandler& handler) {
  const bool searched = searched_;
  const bool open = arguments_left_ > 0 && arguments_.named();
  const Request request = arguments_.Finish();
  BeginLoss(reason);
  arguments_left_ = 0;
  if (partial_bytes_ > 0) handler.OnUnparsed(loss_, std::exchange(partial_bytes_, 0));
  if (reason == Unparsed::kMalformed && !searched) handler.OnMalformed();
  handler.OnLost(open ? &request : nullptr, first_byte_ns_);
}

void RequestDecoder::OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, RequestHandler& handler) {
  std::uint64_t missing = length - tail.size();
  if (state_ == State::kString && missing > 0) {
    SkipString(missing);
    if (string_left_ == 0) EndArgument(handler);
  }
  if (missing > 0) {
    if (state_ == State::kLine || state_ == State::kString) Fail(Unparsed::kGap, handler);
    handler.OnUnparsed(loss_, missing);
    if (state_ == State::kResync) handler.OnLost(nullptr, 0);
  }
  for (std::string_view run = AsText(tail); !run.empty();) run.remove_prefix(Step(run, time_ns, false, handler));
}

void RequestDecoder::Stop(Unparsed reason, RequestHandler& handler) {
  if (partial_bytes_ > 0) handler.OnUnparsed(reason, std::exchange(partial_bytes_, 0));
  BeginLoss(reason);
  arguments_left_ = 0;
  state_ = State::kStopped;
}

void RequestDecoder::OnClose(RequestHandler& handler) {
  if (partial_bytes_ > 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(partial_bytes_, 0));
}

// --- AnswerDecoder

void AnswerDecoder::OnBytes(Bytes bytes, AnswerHandler& handler) {
  std::string_view run = AsText(bytes);
  bool at_segment_start = true;
  while (!run.empty()) {
    const std::size_t used = Step(run, at_segment_start, handler);
    run.remove_prefix(used);
    at_segment_start = at_segment_start && used == 0;
  }
}

std::size_t AnswerDecoder::Step(std::string_view run, bool at_segment_start, AnswerHandler& handler) {
  switch (state_) {
    case State::kLine: return StepLine(run, handler);
    case State::kString: {
      std::size_t used = 0;
      // An error's word, and what publish/subscribe begins with.
      const bool look = string_type_ == '!' || levels_.size() == 1;
      if (!TakeString(run, look, used)) {
        Fail(Unparsed::kMalformed, handler);
      } else if (string_left_ == 0) {
        EndString(handler);
      }
      return used;
    }
    case State::kResync:
      if (may_start_ && at_segment_start && CanStartAnswer(run)) {
        searched_ = true;
        state_ = State::kLine;
        return 0;
      }
      handler.OnUnparsed(loss_, run.size());
      handler.OnLost(false);
      return run.size();
    case State::kStopped: handler.OnUnparsed(loss_, run.size()); return run.size();
  }
  return run.size();
}

std::size_t AnswerDecoder::StepLine(std::string_view run, AnswerHandler& handler) {
  const Line line = TakeLine(run, kLineBytesKept);
  if (partial_bytes_ > kLineBytesMax) {
    Fail(Unparsed::kTooLarge, handler);
  } else if (line.whole) {
    OnLine(line.text, handler);
    EndLine();
  }
  return line.used;
}

void AnswerDecoder::OnLine(std::string_view line, AnswerHandler& handler) {
  if (line.empty()) {  // what Redis sends to a replica that waits
    if (!levels_.empty()) Fail(Unparsed::kMalformed, handler);
    return;
  }
  const char type = line[0];
  const std::string_view rest = line.substr(1);
  if (levels_.empty() && type != '|') answer_.type = type;
  const bool in_chunks = !levels_.empty() && levels_.back().kind == Level::Kind::kChunks;
  if (in_chunks != (type == ';')) return Fail(Unparsed::kMalformed, handler);
  switch (type) {
    case '+': OnStatus(rest); break;
    case '-': {
      const std::string_view word = ErrorWord(rest);
      if (levels_.empty()) answer_.error = word;
      if (levels_.size() == 1 && answer_.element_error.empty()) answer_.element_error = word;
      break;
    }
    case ':':
      if (at_element(2) && answer_.pubsub != PubSub::kNone) {
        answer_.subscriptions = static_cast<std::int64_t>(ParseCount(rest, 1u << 31).value_or(0));
      }
      break;
    case '_':
      if (at_element(1)) answer_.no_channel = true;
      break;
    case '#':
    case ',':
    case '(': break;
    case '.':
      if (levels_.empty() || levels_.back().left != Level::kStreamed) return Fail(Unparsed::kMalformed, handler);
      levels_.back().left = 1;
      break;
    case '$':
    case '=':
    case '!':
    case ';':
      if (BeginBulk(rest, type, handler)) return;
      break;
    case '*':
    case '~':
    case '>':
    case '%':
    case '|':
      if (BeginAggregate(rest, type, handler)) return;
      break;
    default: return Fail(Unparsed::kMalformed, handler);
  }
  if (state_ != State::kLine) return;
  AcceptLine();
  EndElement(handler);
}

void AnswerDecoder::OnStatus(std::string_view text) {
  if (levels_.empty()) {
    answer_.queued = text == "QUEUED";
    answer_.monitored = !text.empty() && text[0] >= '0' && text[0] <= '9';
    answer_.sync = text.starts_with("FULLRESYNC") || text.starts_with("CONTINUE");
  } else if (at_element(0)) {
    answer_.pubsub = FindPubSub(text);
  }
}

// False when the element is complete already, or the line is wrong (state_ is kResync then).
bool AnswerDecoder::BeginBulk(std::string_view size, char type, AnswerHandler& handler) {
  if (size == "-1") {
    if (at_element(1)) answer_.no_channel = true;
    return false;
  }
  if (type == '$' && size == "?") {
    if (levels_.size() >= kDepthMax) {
      Fail(Unparsed::kTooLarge, handler);
    } else {
      levels_.push_back({Level::kStreamed, Level::Kind::kChunks});
    }
    return true;
  }
  const auto bytes = ParseCount(size, kBulkBytesMax);
  if (!bytes) {
    Fail(Unparsed::kMalformed, handler);
    return true;
  }
  if (type == ';' && *bytes == 0) {
    levels_.back().left = 1;  // ends with this line
    return false;
  }
  string_type_ = type;
  BeginString(*bytes);
  return true;
}

// As BeginBulk.
bool AnswerDecoder::BeginAggregate(std::string_view count, char type, AnswerHandler& handler) {
  if (count == "-1") return false;
  const bool streamed = count == "?";
  const auto elements = ParseCount(count, kElementsMax);
  if (!elements && !streamed) {
    Fail(Unparsed::kMalformed, handler);
    return true;
  }
  const bool pairs = type == '%' || type == '|';
  if (elements == 0u) {
    if (type != '|') return false;
    return true;  // an attribute is no element
  }
  if (levels_.size() >= kDepthMax) {
    Fail(Unparsed::kTooLarge, handler);
    return true;
  }
  if (levels_.empty()) elements_ = 0;
  const std::uint64_t left = streamed ? Level::kStreamed : *elements * (pairs ? 2 : 1);
  levels_.push_back({left, type == '|' ? Level::Kind::kAttribute : Level::Kind::kElements});
  return true;
}

void AnswerDecoder::EndString(AnswerHandler& handler) {
  state_ = State::kLine;
  if (string_type_ == '!') {
    const std::string_view word = ErrorWord(first_bytes());
    if (levels_.empty()) answer_.error = word;
    if (levels_.size() == 1 && answer_.element_error.empty()) answer_.element_error = word;
  } else if (at_element(0) && string_type_ == '$') {
    answer_.pubsub = FindPubSub(short_string());
  }
  if (string_type_ == ';') return;
  EndElement(handler);
}

// An element is complete, and with it perhaps what it is the last of.
void AnswerDecoder::EndElement(AnswerHandler& handler) {
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (levels_.size() == 1) ++elements_;
    if (level.left == Level::kStreamed || --level.left > 0) return;
    const bool attribute = level.kind == Level::Kind::kAttribute;
    levels_.pop_back();
    if (attribute) return;
  }
  searched_ = false;
  const Answer answer = std::exchange(answer_, {});
  handler.OnAnswer(answer);
}

void AnswerDecoder::Fail(Unparsed reason, AnswerHandler& handler) {
  const bool searched = searched_;
  const bool open = in_answer();
  BeginLoss(reason);
  levels_.clear();
  answer_ = {};
  may_start_ = false;
  if (partial_bytes_ > 0) handler.OnUnparsed(loss_, std::exchange(partial_bytes_, 0));
  if (reason == Unparsed::kMalformed && !searched) handler.OnMalformed();
  handler.OnLost(open);
}

void AnswerDecoder::OnGap(std::uint64_t length, Bytes tail, AnswerHandler& handler) {
  std::uint64_t missing = length - tail.size();
  if (state_ == State::kString && missing > 0) {
    SkipString(missing);
    if (string_left_ == 0) EndString(handler);
  }
  if (missing > 0) {
    if (state_ == State::kLine || state_ == State::kString) Fail(Unparsed::kGap, handler);
    handler.OnUnparsed(loss_, missing);
    if (state_ == State::kResync) handler.OnLost(false);
  }
  for (std::string_view run = AsText(tail); !run.empty();) run.remove_prefix(Step(run, false, handler));
}

void AnswerDecoder::Stop(Unparsed reason, AnswerHandler& handler) {
  if (partial_bytes_ > 0) handler.OnUnparsed(reason, std::exchange(partial_bytes_, 0));
  BeginLoss(reason);
  levels_.clear();
  state_ = State::kStopped;
}

void AnswerDecoder::OnClose(AnswerHandler& handler) {
  if (partial_bytes_ > 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(partial_bytes_, 0));
}

}  // namespace wiregauge::decode::redis
