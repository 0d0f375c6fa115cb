#include "exporter/decode/memcached/decoder.h"

#include <algorithm>
#include <utility>

namespace wiregauge::decode::memcached {

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
      // A value that does not end with a line end is refused, and so long all the same.
      std::size_t used = 0;
      TakeString(run, false, used);
      if (string_left_ == 0) EndRequest(handler);
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
  if (partial_bytes_ == 0) first_byte_ns_ = time_ns;
  const Line line = TakeLine(run, kLineBytesKept);
  if (partial_bytes_ > kLineBytesMax) {
    Fail(Unparsed::kTooLarge, handler);
  } else if (line.whole) {
    OnLine(line.text, handler);
    EndLine();
  }
  return line.used;
}

void RequestDecoder::OnLine(std::string_view line, RequestHandler& handler) {
  const bool text =
      std::none_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t'; });
  if (!text) return Fail(Unparsed::kMalformed, handler);
  const RequestLine read = ParseRequestLine(line);
  AcceptLine();
  request_ = read.request;
  if (read.value_bytes) return BeginString(*read.value_bytes);
  EndRequest(handler);
}

void RequestDecoder::EndRequest(RequestHandler& handler) {
  state_ = State::kLine;
  searched_ = false;
  handler.OnRequest(request_, first_byte_ns_);
}

void RequestDecoder::Fail(Unparsed reason, RequestHandler& handler) {
  const bool searched = searched_;
  const bool open = state_ == State::kString;
  BeginLoss(reason);
  if (partial_bytes_ > 0) handler.OnUnparsed(loss_, std::exchange(partial_bytes_, 0));
  if (reason == Unparsed::kMalformed && !searched) handler.OnMalformed();
  handler.OnLost(open ? &request_ : nullptr, first_byte_ns_);
}

void RequestDecoder::OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, RequestHandler& handler) {
  std::uint64_t missing = length - tail.size();
  if (state_ == State::kString && missing > 0) {
    SkipString(missing);
    if (string_left_ == 0) EndRequest(handler);
  }
  if (missing > 0) {
    if (state_ == State::kLine || state_ == State::kString) Fail(Unparsed::kGap, handler);
    handler.OnUnparsed(loss_, missing);
    handler.OnLost(nullptr, 0);
  }
  for (std::string_view run = AsText(tail); !run.empty();) run.remove_prefix(Step(run, time_ns, false, handler));
}

void RequestDecoder::OnClose(RequestHandler& handler) {
  if (partial_bytes_ > 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(partial_bytes_, 0));
}

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
      if (!TakeString(run, false, used)) {
        Fail(Unparsed::kMalformed, handler);
      } else if (string_left_ == 0) {
        state_ = State::kLine;
        EndLineOfAnswer(handler);
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
  const auto read = ParseAnswerLine(line);
  if (!read) return Fail(Unparsed::kMalformed, handler);
  AcceptLine();
  if (read->is_log) return;
  answer_ = read->answer;
  has_value_ = has_value_ || read->is_value;
  if (read->value_bytes) return BeginString(*read->value_bytes);
  EndLineOfAnswer(handler);
}

void AnswerDecoder::EndLineOfAnswer(AnswerHandler& handler) {
  open_ = answer_.code == Code::kNone;
  if (open_) return;
  searched_ = false;
  if (answer_.code == Code::kEnd && has_value_) answer_.code = Code::kValue;
  has_value_ = false;
  handler.OnAnswer(answer_);
}

void AnswerDecoder::Fail(Unparsed reason, AnswerHandler& handler) {
  const bool searched = searched_;
  const bool open = in_answer();
  BeginLoss(reason);
  open_ = has_value_ = may_start_ = false;
  if (partial_bytes_ > 0) handler.OnUnparsed(loss_, std::exchange(partial_bytes_, 0));
  if (reason == Unparsed::kMalformed && !searched) handler.OnMalformed();
  handler.OnLost(open);
}

void AnswerDecoder::OnGap(std::uint64_t length, Bytes tail, AnswerHandler& handler) {
  std::uint64_t missing = length - tail.size();
  if (state_ == State::kString && missing > 0) {
    SkipString(missing);
    if (string_left_ == 0) {
      state_ = State::kLine;
      EndLineOfAnswer(handler);
    }
  }
  if (missing > 0) {
    if (state_ == State::kLine || state_ == State::kString) Fail(Unparsed::kGap, handler);
    handler.OnUnparsed(loss_, missing);
    handler.OnLost(false);
  }
  for (std::string_view run = AsText(tail); !run.empty();) run.remove_prefix(Step(run, false, handler));
}

void AnswerDecoder::OnClose(AnswerHandler& handler) {
  if (partial_bytes_ > 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(partial_bytes_, 0));
}

}  // namespace wiregauge::decode::memcached
