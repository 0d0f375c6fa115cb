#include "exporter/decode/http1/decoder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace wiregauge::decode::http1 {

namespace {

constexpr int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

// A line whose beginning came in an earlier run: what a Line shows of it.
struct Decoder::PartialLine {
  std::string first;  // at most kLineBytesKept + 1: a CR may be the line's end
  std::string last;   // at most kLineEndBytes + 1
  std::size_t size = 0;

  void Append(std::string_view text) {
    const std::size_t room = kLineBytesKept + 1 - first.size();
    first.append(text.substr(0, room));
    last.append(text.substr(text.size() - std::min(text.size(), kLineEndBytes + 1)));
    if (last.size() > kLineEndBytes + 1) last.erase(0, last.size() - kLineEndBytes - 1);
    size += text.size();
  }

  // The line without the CR at its end. Borrows from this.
  [[nodiscard]] Line Finish() const {
    const std::size_t end = !last.empty() && last.back() == '\r' ? 1 : 0;
    std::string_view tail = std::string_view(last).substr(0, last.size() - end);
    if (tail.size() > kLineEndBytes) tail.remove_prefix(tail.size() - kLineEndBytes);
    return {std::string_view(first).substr(0, std::min(size - end, kLineBytesKept)), tail, size - end};
  }
};

Decoder::Decoder(Kind kind, bool mid_stream)
    : state_(mid_stream ? State::kResync : State::kStart),
      kind_(kind),
      confirmed_(mid_stream),
      searched_(false),
      line_empty_(true),
      digit_seen_(false),
      early_bytes_(false) {}

Decoder::~Decoder() = default;

std::uint64_t Decoder::TakeParsedBytes() { return std::exchange(parsed_bytes_, 0); }

void Decoder::OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler) {
  std::string_view run = AsText(bytes);
  while (!run.empty()) run.remove_prefix(Step(run, time_ns, handler));
}

// Consumes some of `run`, which is not empty; zero bytes only when the state changes to one that consumes more.
std::size_t Decoder::Step(std::string_view run, std::uint64_t time_ns, Handler& handler) {
  switch (state_) {
    case State::kStart: return SkipEmptyLines(run, time_ns);
    case State::kStartLine:
    case State::kHeader: return StepHead(run, handler);
    case State::kBody:
    case State::kChunkData: return StepBody(run, handler);
    case State::kChunkSize: return StepChunkSize(run, handler);
    case State::kChunkExtension: return StepChunkExtension(run, handler);
    case State::kChunkDataEnd: return StepChunkDataEnd(run, handler);
    case State::kTrailer: return StepTrailer(run, handler);
    case State::kUntilClose: parsed_bytes_ += run.size(); return run.size();
    case State::kLost: return StepLost(run, handler);
    case State::kResync: return StepResync(run, handler);
    case State::kAwaitAnswer:
      early_bytes_ = true;
      handler.OnUnparsed(Unparsed::kTunnel, run.size());
      return run.size();
    case State::kOpaque: SkipUnparsed(run.size(), handler); return run.size();
  }
  return run.size();
}

// RFC 9112 section 2.2: empty lines before a request line are ignored; so they are before a status line.
std::size_t Decoder::SkipEmptyLines(std::string_view run, std::uint64_t time_ns) {
  std::size_t empty = 0;
  while (empty < run.size() && (run[empty] == '\r' || run[empty] == '\n')) ++empty;
  parsed_bytes_ += empty;
  if (empty == run.size()) return empty;
  first_byte_ns_ = time_ns;
  framing_ = {};
  section_bytes_ = 0;
  state_ = State::kStartLine;
  return empty;
}

// Lines of a head, as far as they end in `run`.
std::size_t Decoder::StepHead(std::string_view run, Handler& handler) {
  std::size_t used = 0;
  while (state_ <= State::kHeader && state_ != State::kStart && used < run.size()) {
    const bool may_skim = partial_ == nullptr && !searched_ && status_ != 101;
    if (state_ == State::kHeader && may_skim) used += SkimFields(run.substr(used));
    if (used == run.size()) break;
    const std::string_view rest = run.substr(used);
    const void* found = std::memchr(rest.data(), '\n', rest.size());
    if (found == nullptr) return used + BufferLine(rest, handler);
    const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - rest.data());
    used += length + 1;
    section_bytes_ += static_cast<std::uint32_t>(length + 1);
    if (section_bytes_ > kHeadBytesMax) {
      Fail(Unparsed::kTooLarge, handler);
      break;
    }
    if (partial_ == nullptr || partial_->size == 0) {
      const bool carriage_return = length > 0 && rest[length - 1] == '\r';
      EndLine(WholeLine(rest.substr(0, length - (carriage_return ? 1 : 0))), handler);
    } else {
      partial_->Append(rest.substr(0, length));
      const std::unique_ptr<PartialLine> line = std::move(partial_);
      EndLine(line->Finish(), handler);
    }
  }
  return used;
}

// Passes over field lines that nobody reads.
std::size_t Decoder::SkimFields(std::string_view run) {
  const std::size_t used = OtherFieldLines(run.substr(0, kHeadBytesMax - section_bytes_));
  section_bytes_ += static_cast<std::uint32_t>(used);
  if (used > 0) framing_.last_field = Framing::Field::kOther;
  return used;
}

std::size_t Decoder::BufferLine(std::string_view run, Handler& handler) {
  section_bytes_ += static_cast<std::uint32_t>(run.size());
  if (section_bytes_ > kHeadBytesMax) {
    Fail(Unparsed::kTooLarge, handler);
    return run.size();
  }
  if (partial_ == nullptr) partial_ = std::make_unique<PartialLine>();
  partial_->Append(run);
  if (state_ == State::kStartLine && !CanStart(partial_->first, kind_)) Fail(Unparsed::kMalformed, handler);
  return run.size();
}

void Decoder::EndLine(const Line& line, Handler& handler) {
  if (state_ == State::kStartLine) return EndStartLine(line, handler);
  if (line.size == 0) return EndHead(handler);
  if (searched_ && !IsFieldLine(line)) return Fail(Unparsed::kMalformed, handler);
  ReadFieldLine(line, framing_);
  if (kind_ != Kind::kRequests) return;
  if (const auto trace = ParseTraceField(line)) handler.OnTrace(*trace);
}

void Decoder::EndStartLine(const Line& line, Handler& handler) {
  if (kind_ != Kind::kRequests) {
    if (const auto status_line = ParseStatusLine(line)) {
      kind_ = Kind::kResponses;
      state_ = State::kHeader;
      confirmed_ = true;
      status_ = status_line->status;
      answered_ = handler.OnStatusLine(*status_line);
      return;
    }
  }
  if (kind_ != Kind::kResponses) {
    if (const auto request_line = ParseRequestLine(line)) {
      kind_ = Kind::kRequests;
      state_ = State::kHeader;
      confirmed_ = true;
      answered_ = request_line->method;
      handler.OnRequestLine(*request_line, first_byte_ns_);
      return;
    }
  }
  Fail(Unparsed::kMalformed, handler);
}

void Decoder::EndHead(Handler& handler) {
  const bool ambiguous = framing_.ambiguous && !framing_.has_transfer_encoding;  // RFC 9112 section 6.3 rule 3
  if (ambiguous) return Fail(Unparsed::kMalformed, handler);
  if (kind_ == Kind::kRequests) return EndRequestHead(handler);
  EndResponseHead(handler);
}

void Decoder::EndRequestHead(Handler& handler) {
  if (framing_.has_transfer_encoding && !framing_.chunked) return Fail(Unparsed::kMalformed, handler);
  parsed_bytes_ += std::exchange(section_bytes_, 0);
  searched_ = false;
  if (answered_ == Method::kConnect) {
    EndMessage(handler);
    early_bytes_ = false;
    state_ = State::kAwaitAnswer;
  } else if (framing_.chunked) {
    BeginChunked();
  } else {
    BeginBody(framing_.content_length, handler);
  }
}

void Decoder::EndResponseHead(Handler& handler) {
  parsed_bytes_ += std::exchange(section_bytes_, 0);
  searched_ = false;
  const bool tunnel = answered_ == Method::kConnect && status_ >= 200 && status_ < 300;
  if (status_ == 101 || tunnel) {
    EndMessage(handler);
    handler.OnSwitch(tunnel ? Unparsed::kTunnel : Unparsed::kUpgraded);
  } else if (status_ < 200 || status_ == 204 || status_ == 304 || answered_ == Method::kHead) {
    EndMessage(handler);
  } else if (framing_.chunked) {
    BeginChunked();
  } else if (framing_.has_content_length && !framing_.has_transfer_encoding) {
    BeginBody(framing_.content_length, handler);
  } else {
    state_ = State::kUntilClose;
  }
}

void Decoder::BeginBody(std::uint64_t length, Handler& handler) {
  if (length == 0) return EndMessage(handler);
  body_left_ = length;
  state_ = State::kBody;
}

void Decoder::BeginChunked() {
  body_left_ = 0;
  section_bytes_ = 0;
  digit_seen_ = false;
  state_ = State::kChunkSize;
}

void Decoder::EndMessage(Handler& handler) {
  state_ = State::kStart;
  section_bytes_ = 0;
  handler.OnMessageEnd();
}

std::size_t Decoder::StepBody(std::string_view run, Handler& handler) {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(run.size(), body_left_));
  body_left_ -= taken;
  parsed_bytes_ += taken;
  if (body_left_ > 0) return taken;
  if (state_ == State::kBody) {
    EndMessage(handler);
  } else {
    state_ = State::kChunkDataEnd;
  }
  return taken;
}

std::size_t Decoder::StepChunkSize(std::string_view run, Handler& handler) {
  std::size_t used = 0;
  while (used < run.size()) {
    const int digit = HexValue(run[used]);
    if (digit < 0) break;
    if (body_left_ > (std::numeric_limits<std::uint64_t>::max() >> 5)) {
      parsed_bytes_ += used;
      Fail(Unparsed::kTooLarge, handler);
      return used;
    }
    body_left_ = body_left_ * 16 + static_cast<std::uint64_t>(digit);
    digit_seen_ = true;
    ++used;
  }
  parsed_bytes_ += used;
  if (used == run.size()) return used;
  const bool size_ends = std::string_view("\r\n; \t").find(run[used]) != std::string_view::npos;
  if (!digit_seen_ || !size_ends) {
    Fail(Unparsed::kMalformed, handler);
  } else {
    section_bytes_ = 0;
    state_ = State::kChunkExtension;
  }
  return used;
}

// From behind the chunk size to the end of its line.
std::size_t Decoder::StepChunkExtension(std::string_view run, Handler& handler) {
  const std::size_t line_end = run.find('\n');
  const std::size_t used = line_end == std::string_view::npos ? run.size() : line_end + 1;
  section_bytes_ += static_cast<std::uint32_t>(used);
  parsed_bytes_ += used;
  if (section_bytes_ > kChunkLineBytesMax) {
    Fail(Unparsed::kTooLarge, handler);
  } else if (line_end != std::string_view::npos) {
    EndChunkSize();
  }
  return used;
}

void Decoder::EndChunkSize() {
  section_bytes_ = 0;
  line_empty_ = true;
  state_ = body_left_ == 0 ? State::kTrailer : State::kChunkData;
}

std::size_t Decoder::StepChunkDataEnd(std::string_view run, Handler& handler) {
  if (run.front() == '\n') {
    BeginChunked();
  } else if (run.front() != '\r') {
    Fail(Unparsed::kMalformed, handler);
    return 0;
  }
  parsed_bytes_ += 1;
  return 1;
}

// Lines until an empty one.
std::size_t Decoder::StepTrailer(std::string_view run, Handler& handler) {
  const std::size_t line_end = run.find('\n');
  const bool ends = line_end != std::string_view::npos;
  const std::string_view line = run.substr(0, line_end);
  const std::size_t used = line.size() + (ends ? 1 : 0);
  if (line.find_first_not_of('\r') != std::string_view::npos) line_empty_ = false;
  section_bytes_ += static_cast<std::uint32_t>(used);
  parsed_bytes_ += used;
  if (section_bytes_ > kTrailerBytesMax) {
    Fail(Unparsed::kTooLarge, handler);
  } else if (ends && line_empty_) {
    EndMessage(handler);
  } else if (ends) {
    line_empty_ = true;
  }
  return used;
}

std::size_t Decoder::StepLost(std::string_view run, Handler& handler) {
  const std::size_t start = FindStart(run, kind_);
  if (start != std::string_view::npos) {
    if (start > 0) handler.OnUnparsed(loss_, start);
    searched_ = true;
    EndMessage(handler);
    return start;
  }
  handler.OnUnparsed(loss_, run.size());
  if (EndsWithLastChunk(run)) EndMessage(handler);
  return run.size();
}

std::size_t Decoder::StepResync(std::string_view run, Handler& handler) {
  const std::size_t start = FindStart(run, kind_);
  if (start == std::string_view::npos) {
    SkipUnparsed(run.size(), handler);
    return run.size();
  }
  if (start > 0) SkipUnparsed(start, handler);
  searched_ = true;
  state_ = State::kStart;
  return start;
}

// Counts bytes in a state that cannot read them.
void Decoder::SkipUnparsed(std::uint64_t bytes, Handler& handler) {
  handler.OnUnparsed(loss_, bytes);
  if (state_ == State::kResync) handler.OnLost(Loss::kPerhaps);
}

void Decoder::Fail(Unparsed reason, Handler& handler) {
  const bool in_section = state_ <= State::kHeader;
  const bool message_open = state_ >= State::kHeader;
  const std::uint64_t bytes = in_section ? std::exchange(section_bytes_, 0) : 0;
  partial_.reset();
  if (!confirmed_ && reason == Unparsed::kMalformed) {
    state_ = State::kOpaque;
    loss_ = Unparsed::kUnknownProtocol;
    if (bytes > 0) handler.OnUnparsed(loss_, bytes);
    return handler.OnNotHttp();
  }
  confirmed_ = true;  // or it cannot be known any more: the first bytes are gone
  // What looked like a start and was none is still part of the loss that it was searched after.
  if (!(searched_ && reason == Unparsed::kMalformed)) loss_ = reason;
  if (bytes > 0) handler.OnUnparsed(loss_, bytes);
  state_ = message_open ? State::kLost : State::kResync;
  searched_ = false;
  handler.OnLost(message_open ? Loss::kMessageOpen : Loss::kMessages);
}

// The part of a gap whose meaning the framing knows. True when that was all of it.
bool Decoder::SkipKnownGap(std::uint64_t& length, Handler& handler) {
  if (state_ == State::kBody || state_ == State::kChunkData) {
    const std::uint64_t known = std::min(length, body_left_);
    parsed_bytes_ += known;
    body_left_ -= known;
    length -= known;
    if (body_left_ == 0 && state_ == State::kBody) EndMessage(handler);
    if (body_left_ == 0 && state_ == State::kChunkData) state_ = State::kChunkDataEnd;
  } else if (state_ == State::kUntilClose) {
    parsed_bytes_ += std::exchange(length, 0);
  }
  return length == 0;
}

void Decoder::OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, Handler& handler) {
  std::uint64_t missing = length - tail.size();
  if (missing > 0 && !SkipKnownGap(missing, handler)) {
    if (state_ == State::kAwaitAnswer) {
      early_bytes_ = true;
      handler.OnUnparsed(Unparsed::kTunnel, missing);
    } else if (state_ == State::kLost || state_ == State::kResync || state_ == State::kOpaque) {
      SkipUnparsed(missing, handler);
    } else {
      Fail(Unparsed::kGap, handler);
      handler.OnUnparsed(Unparsed::kGap, missing);
    }
  }
  if (!tail.empty()) OnBytes(tail, time_ns, handler);
}

void Decoder::OnClose(Handler& handler) {
  partial_.reset();
  if (pending_bytes() > 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(section_bytes_, 0));
  if (state_ == State::kUntilClose) EndMessage(handler);
}

void Decoder::StopDecoding(Unparsed reason, Handler& handler) {
  if (pending_bytes() > 0) handler.OnUnparsed(reason, std::exchange(section_bytes_, 0));
  partial_.reset();
  loss_ = reason;
  state_ = State::kOpaque;
}

void Decoder::EndLostMessage(Handler& handler) {
  if (state_ != State::kLost) return;
  EndMessage(handler);
  state_ = State::kResync;
}

void Decoder::OnConnectRefused() {
  if (state_ != State::kAwaitAnswer) return;
  state_ = early_bytes_ ? State::kResync : State::kStart;
  loss_ = Unparsed::kTunnel;
}

}  // namespace wiregauge::decode::http1
