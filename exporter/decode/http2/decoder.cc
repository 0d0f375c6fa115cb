#include "exporter/decode/http2/decoder.h"

#include <algorithm>
#include <string>
#include <utility>

namespace wiregauge::decode::http2 {

namespace {

// Of RST_STREAM and GOAWAY.
constexpr std::uint8_t kControlBytesKept = 8;
// Frames found by searching are believed when so many follow each other.
constexpr std::uint8_t kFramesToBelieve = 3;
constexpr std::size_t kGrpcPrefixBytes = 5;  // compressed flag, length (gRPC over HTTP/2, Length-Prefixed-Message)

std::uint32_t LoadBigEndian32(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

bool IsGrpcMessage(const FrameHeader& frame, Bytes payload) {
  return (frame.flags & kPadded) == 0 && payload.size() >= kGrpcPrefixBytes && payload[0] <= 1 &&
         std::uint64_t{LoadBigEndian32(payload.data() + 1)} + kGrpcPrefixBytes == frame.length;
}

// A HEADERS or PUSH_PROMISE payload without its padding, priority and promised stream: the header block's fragment.
// False when it is too short for what its flags say.
bool TakeFragment(std::uint8_t flags, bool push, Bytes& payload) {
  std::size_t padding = 0;
  if ((flags & kPadded) != 0) {
    if (payload.empty()) return false;
    padding = payload[0];
    payload = payload.subspan(1);
  }
  const std::size_t before = push ? 4 : (flags & kHasPriority) != 0 ? 5 : 0;
  if (payload.size() < before + padding) return false;
  payload = payload.subspan(before, payload.size() - before - padding);
  return true;
}

}  // namespace

// A header block whose end is still to come.
struct Decoder::Block {
  std::string bytes;           // fragments, and the payload so far of the frame being read
  std::size_t frame_at = 0;    // where that payload begins
  std::uint32_t payloads = 0;  // bytes of its frames that are pending
  std::uint32_t stream = 0;
  std::uint64_t first_byte_ns = 0;
  std::uint8_t first_flags = 0;
  bool push = false;
  bool lost = false;
};

Decoder::Decoder(From from, bool mid_stream, MemoryBudget& budget)
    : headers_(budget),
      from_(from),
      state_(mid_stream              ? State::kResync
             : from == From::kClient ? State::kClientPreface
                                     : State::kHeader),
      confirmed_(false),
      first_frame_(!mid_stream),
      grpc_message_(false),
      payload_lost_(false) {
  if (mid_stream) headers_.OnLoss();
  if (state_ == State::kClientPreface) left_ = static_cast<std::uint32_t>(kPreface.size());
}

Decoder::~Decoder() = default;

std::uint64_t Decoder::TakeParsedBytes() { return std::exchange(parsed_bytes_, 0); }

void Decoder::OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler) {
  while (!bytes.empty()) bytes = bytes.subspan(Step(bytes, time_ns, handler));
}

// Consumes some of `run`, which is not empty; zero bytes only when the state changes to one that consumes more.
std::size_t Decoder::Step(Bytes run, std::uint64_t time_ns, Handler& handler) {
  switch (state_) {
    case State::kClientPreface: return StepPreface(run, handler);
    case State::kHeader: return StepHeader(run, time_ns, handler);
    case State::kPayload: {
      const std::size_t taken = std::min<std::size_t>(run.size(), left_);
      left_ -= static_cast<std::uint32_t>(taken);
      Parsed(taken);
      if (left_ == 0) EndFrame(handler);
      return taken;
    }
    case State::kControl: return StepControl(run, handler);
    case State::kBlock: return StepBlock(run, handler);
    case State::kResync: return StepResync(run, handler);
    case State::kOpaque: handler.OnUnparsed(loss_, run.size()); return run.size();
  }
  return run.size();
}

std::size_t Decoder::StepPreface(Bytes run, Handler& handler) {
  const std::string_view expected = kPreface.substr(kPreface.size() - left_);
  const std::size_t most = std::min(run.size(), expected.size());
  const auto taken = static_cast<std::size_t>(
      std::mismatch(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(most), run.begin()).first -
      expected.begin());
  left_ -= static_cast<std::uint32_t>(taken);
  Parsed(taken);
  if (taken < most) Lose(Unparsed::kMalformed, handler);
  if (left_ > 0) return taken;
  state_ = State::kHeader;
  confirmed_ = true;
  handler.OnHttp2();
  return taken;
}

std::size_t Decoder::StepHeader(Bytes run, std::uint64_t time_ns, Handler& handler) {
  std::size_t used = 0;
  if (partial_size_ == 0) {
    if (!block_) first_byte_ns_ = time_ns;
    if (run.size() >= kFrameHeaderBytes) {
      frame_ = ReadFrameHeader(run);
      used = kFrameHeaderBytes;
    }
  }
  if (used == 0) {
    used = std::min<std::size_t>(run.size(), kFrameHeaderBytes - partial_size_);
    std::copy_n(run.begin(), used, partial_.begin() + partial_size_);
    partial_size_ = static_cast<std::uint8_t>(partial_size_ + used);
    pending_ += static_cast<std::uint32_t>(used);
    if (partial_size_ < kFrameHeaderBytes) return used;
    frame_ = ReadFrameHeader(partial_);
    pending_ -= static_cast<std::uint32_t>(kFrameHeaderBytes);
    partial_size_ = 0;
  }
  // A block's frames follow each other (RFC 9113 section 4.3).
  const bool continues = frame_.type == static_cast<std::uint8_t>(FrameType::kContinuation);
  bool good = IsFrame(frame_) && continues == (block_ != nullptr) && (!continues || frame_.stream == block_->stream);
  if (first_frame_ && from_ == From::kServer) {
    good = good && frame_.type == static_cast<std::uint8_t>(FrameType::kSettings) && (frame_.flags & kAck) == 0;
  }
  if (doubtful_frames_ > 0) good = good && IsLikelyFrame(frame_, from_);
  if (!good) {
    Lose(Unparsed::kMalformed, handler);
    handler.OnUnparsed(loss_, kFrameHeaderBytes);
    return used;
  }
  first_frame_ = false;
  if (doubtful_frames_ > 0 && --doubtful_frames_ == 0) {
    confirmed_ = true;
    handler.OnHttp2();
  }
  Parsed(kFrameHeaderBytes);
  left_ = frame_.length;
  return used + BeginFrame(run.subspan(used), handler);
}

std::size_t Decoder::BeginFrame(Bytes rest, Handler& handler) {
  switch (static_cast<FrameType>(frame_.type)) {
    case FrameType::kHeaders:
    case FrameType::kPushPromise:
    case FrameType::kContinuation: return BeginBlockFrame(rest, handler);
    case FrameType::kRstStream:
    case FrameType::kGoAway:
      state_ = State::kControl;
      payload_lost_ = false;
      return 0;
    case FrameType::kData: grpc_message_ = IsGrpcMessage(frame_, rest); break;
    case FrameType::kPriority:
    case FrameType::kSettings:
    case FrameType::kPing:
    case FrameType::kWindowUpdate: break;
  }
  state_ = State::kPayload;
  if (left_ == 0) EndFrame(handler);
  return 0;
}

// What is at hand whole is decoded in place.
std::size_t Decoder::BeginBlockFrame(Bytes rest, Handler& handler) {
  const bool push = frame_.type == static_cast<std::uint8_t>(FrameType::kPushPromise);
  if (!block_ && (frame_.flags & kEndHeaders) != 0 && rest.size() >= left_) {
    Bytes fragment = rest.first(left_);
    state_ = State::kHeader;
    if (TakeFragment(frame_.flags, push, fragment)) {
      Parsed(left_);
      EndBlock(fragment, frame_.stream, frame_.flags, push, handler);
    } else {
      if (left_ > 0) handler.OnUnparsed(Unparsed::kMalformed, left_);
      Lose(Unparsed::kMalformed, handler);
    }
    return left_;
  }
  if (!block_) {
    block_ = std::make_unique<Block>();
    block_->stream = frame_.stream;
    block_->first_byte_ns = first_byte_ns_;
    block_->first_flags = frame_.flags;
    block_->push = push;
  }
  block_->frame_at = block_->bytes.size();
  state_ = State::kBlock;
  if (left_ == 0) EndFrame(handler);
  return 0;
}

std::size_t Decoder::StepControl(Bytes run, Handler& handler) {
  const std::size_t taken = std::min<std::size_t>(run.size(), left_);
  const std::size_t kept = std::min<std::size_t>(taken, kControlBytesKept - partial_size_);
  std::copy_n(run.begin(), kept, partial_.begin() + partial_size_);
  partial_size_ = static_cast<std::uint8_t>(partial_size_ + kept);
  left_ -= static_cast<std::uint32_t>(taken);
  Parsed(taken);
  if (left_ == 0) EndFrame(handler);
  return taken;
}

std::size_t Decoder::StepBlock(Bytes run, Handler& handler) {
  const std::size_t taken = std::min<std::size_t>(run.size(), left_);
  left_ -= static_cast<std::uint32_t>(taken);
  if (block_->lost) {
    handler.OnUnparsed(loss_, taken);
  } else if (block_->bytes.size() + taken > kBlockBytesMax) {
    LoseBlock(Unparsed::kTooLarge, handler);
    handler.OnUnparsed(loss_, taken);
  } else {
    block_->bytes.append(AsText(run.first(taken)));
    block_->payloads += static_cast<std::uint32_t>(taken);
    pending_ += static_cast<std::uint32_t>(taken);
  }
  if (left_ == 0) EndFrame(handler);
  return taken;
}

void Decoder::EndFrame(Handler& handler) {
  const State ended = std::exchange(state_, State::kHeader);
  if (ended == State::kBlock) return EndBlockFrame(handler);
  if (ended == State::kControl) return EndControl(handler);
  if (frame_.type == static_cast<std::uint8_t>(FrameType::kData)) {
    handler.OnData({frame_.stream, (frame_.flags & kEndStream) != 0, grpc_message_});
  }
}

void Decoder::EndControl(Handler& handler) {
  const bool whole = !payload_lost_;
  partial_size_ = 0;
  if (frame_.type == static_cast<std::uint8_t>(FrameType::kRstStream)) {
    handler.OnReset(frame_.stream, whole ? LoadBigEndian32(partial_.data()) : kUnknownError);
  } else if (whole) {
    handler.OnGoAway(LoadBigEndian32(partial_.data()) & 0x7fffffff, LoadBigEndian32(partial_.data() + 4));
  }
}

void Decoder::EndBlockFrame(Handler& handler) {
  Block& block = *block_;
  const bool first = frame_.type != static_cast<std::uint8_t>(FrameType::kContinuation);
  if (first && !block.lost) {
    const std::size_t at = block.frame_at;
    Bytes fragment = AsBytes(std::string_view(block.bytes).substr(at));
    if (!TakeFragment(frame_.flags, block.push, fragment)) return Lose(Unparsed::kMalformed, handler);
    const std::string kept(AsText(fragment));
    block.bytes.replace(at, std::string::npos, kept);
  }
  if ((frame_.flags & kEndHeaders) == 0) return;
  const std::unique_ptr<Block> whole = std::move(block_);
  first_byte_ns_ = whole->first_byte_ns;
  if (!whole->lost) {
    pending_ -= whole->payloads;
    Parsed(whole->payloads);
    EndBlock(AsBytes(whole->bytes), whole->stream, whole->first_flags, whole->push, handler);
    return;
  }
  if (whole->push) return;
  Section section;
  section.stream = whole->stream;
  section.end_stream = (whole->first_flags & kEndStream) != 0;
  section.lost = true;
  section.first_byte_ns = whole->first_byte_ns;
  handler.OnSection(section);
}

void Decoder::EndBlock(Bytes fragment, std::uint32_t stream, std::uint8_t first_flags, bool push, Handler& handler) {
  Section section;
  section.stream = stream;
  section.end_stream = (first_flags & kEndStream) != 0;
  section.first_byte_ns = first_byte_ns_;
  if (!headers_.Decode(fragment, section.fields)) {
    section.fields = {};
    section.lost = true;
    // Bytes that happen to look like a frame do not hold a header block.
    if (!confirmed_ || doubtful_frames_ > 0) return Lose(Unparsed::kMalformed, handler);
  }
  if (!push) handler.OnSection(section);
}

// The block that is being read will not be whole. Its frames still are what frames say they are.
void Decoder::LoseBlock(Unparsed reason, Handler& handler) {
  Block& block = *block_;
  if (block.lost) return;
  block.lost = true;
  loss_ = reason;
  if (block.payloads > 0) handler.OnUnparsed(reason, block.payloads);
  pending_ -= std::exchange(block.payloads, 0);
  block.bytes = {};
  block.frame_at = 0;
  headers_.OnLoss();
}

std::size_t Decoder::StepResync(Bytes run, Handler& handler) {
  for (std::size_t at = 0; at + kFrameHeaderBytes <= run.size(); ++at) {
    if (!FramesStart(run.subspan(at), at == 0, handler)) continue;
    if (at > 0) handler.OnUnparsed(loss_, at);
    state_ = State::kHeader;
    doubtful_frames_ = kFramesToBelieve;
    return at;
  }
  handler.OnUnparsed(loss_, run.size());
  return run.size();
}

// Whether frames begin with the first byte of `run`. Segments mostly begin with a frame, and end with one.
bool Decoder::FramesStart(Bytes run, bool at_start, const Handler& handler) const {
  if (run[3] > kPriorityUpdate) return false;
  const FrameChain chain = FollowFrames(run, from_);
  if (chain.frames == 0 || chain.broken) return false;
  if (chain.frames >= kFramesToBelieve || (chain.frames == 2 && (at_start || chain.exact))) return true;
  const FrameHeader header = ReadFrameHeader(run);
  if (chain.frames == 1 && at_start && chain.exact && header.length > 0) return true;
  // A frame that is larger than what is at hand: the stream must be one that we know.
  const bool data = header.type == static_cast<std::uint8_t>(FrameType::kData);
  return data && header.length > 0 && (header.flags & kEndStream) == 0 && handler.IsOpen(header.stream);
}

// No frame can be read any more until the next ones are found.
void Decoder::Lose(Unparsed reason, Handler& handler) {
  const bool search_failed = doubtful_frames_ > 0 && reason == Unparsed::kMalformed;
  if (!search_failed) loss_ = reason;  // else still part of the loss after which frames were searched
  if (pending_ > 0) handler.OnUnparsed(loss_, std::exchange(pending_, 0));
  block_.reset();
  partial_size_ = 0;
  doubtful_frames_ = 0;
  first_frame_ = false;
  headers_.OnLoss();
  if (!confirmed_ && reason == Unparsed::kMalformed) {
    state_ = State::kOpaque;
    loss_ = Unparsed::kUnknownProtocol;
    return handler.OnNotHttp2();
  }
  state_ = State::kResync;
  handler.OnLost();
}

// The part of a gap of which the framing knows the meaning.
void Decoder::SkipKnownGap(std::uint64_t& length, Handler& handler) {
  const auto known = static_cast<std::uint32_t>(std::min<std::uint64_t>(length, left_));
  length -= known;
  left_ -= known;
  if (state_ == State::kBlock) {
    LoseBlock(Unparsed::kGap, handler);
    handler.OnUnparsed(loss_, known);
  } else {
    if (state_ == State::kControl) payload_lost_ = true;
    Parsed(known);
  }
  if (left_ == 0) EndFrame(handler);
}

void Decoder::OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, Handler& handler) {
  std::uint64_t missing = length - tail.size();
  const bool in_payload = state_ == State::kPayload || state_ == State::kControl || state_ == State::kBlock;
  if (missing > 0 && in_payload) SkipKnownGap(missing, handler);
  if (missing > 0) {
    if (state_ == State::kClientPreface || state_ == State::kHeader) Lose(Unparsed::kGap, handler);
    handler.OnUnparsed(loss_, missing);
  }
  if (!tail.empty()) OnBytes(tail, time_ns, handler);
}

void Decoder::OnClose(Handler& handler) {
  if (pending_ > 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(pending_, 0));
  block_.reset();
  partial_size_ = 0;
}

void Decoder::StopDecoding(Unparsed reason, Handler& handler) {
  if (pending_ > 0) handler.OnUnparsed(reason, std::exchange(pending_, 0));
  block_.reset();
  partial_size_ = 0;
  loss_ = reason;
  state_ = State::kOpaque;
}

}  // namespace wiregauge::decode::http2
