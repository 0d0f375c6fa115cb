#include "exporter/decode/mysql/request_decoder.h"

#include <algorithm>
#include <utility>

namespace wiregauge::decode::mysql {

struct RequestDecoder::Beginning {
  std::size_t size = 0;
  std::array<std::uint8_t, kRequestBytesRead> bytes;
};

RequestDecoder::RequestDecoder(bool mid_stream)
    : state_(mid_stream ? State::kResync : State::kHeader),
      await_login_(true),
      mid_stream_(mid_stream),
      login_(false),
      continues_(false) {}

RequestDecoder::~RequestDecoder() = default;

std::uint64_t RequestDecoder::TakeParsedBytes() { return std::exchange(parsed_bytes_, 0); }

void RequestDecoder::OnBytes(Bytes bytes, std::uint64_t time_ns, RequestHandler& handler) {
  if (state_ == State::kResync) {
    const bool login = await_login_ && LooksLikeRequests(bytes, false) == Likeness::kYes;
    if (!login && !CanStartRequest(bytes)) {
      handler.OnUnparsed(loss_, bytes.size());
      if (!confirmed_) handler.OnNotMysql();
      return;
    }
    state_ = State::kHeader;
  }
  for (std::size_t at = 0; at < bytes.size();) at += Step(bytes.subspan(at), time_ns, handler);
}

// Takes at least one byte; gives how many.
std::size_t RequestDecoder::Step(Bytes run, std::uint64_t time_ns, RequestHandler& handler) {
  switch (state_) {
    case State::kHeader: return StepHeader(run, time_ns, handler);
    case State::kHead: return StepHead(run, handler);
    case State::kPayload: {
      const std::size_t taken = std::min<std::size_t>(left_, run.size());
      parsed_bytes_ += taken;
      SkipPayload(taken);
      return taken;
    }
    case State::kLost: lost_bytes_ += run.size(); return run.size();
    case State::kResync:
    case State::kOpaque: handler.OnUnparsed(loss_, run.size()); return run.size();
  }
  return run.size();
}

std::size_t RequestDecoder::StepHeader(Bytes run, std::uint64_t time_ns, RequestHandler& handler) {
  if (header_size_ == 0) first_byte_ns_ = time_ns;
  if (header_size_ == 0 && run.size() >= kHeaderBytes) {
    EndHeader(ReadHeader(run), handler);
    return kHeaderBytes;
  }
  const std::size_t taken = std::min(kHeaderBytes - header_size_, run.size());
  std::copy_n(run.begin(), taken, header_.begin() + header_size_);
  header_size_ = static_cast<std::uint8_t>(header_size_ + taken);
  if (header_size_ == kHeaderBytes) {
    header_size_ = 0;
    EndHeader(ReadHeader(header_), handler);
  }
  return taken;
}

// A command has the sequence number 0, its further packets count on. In an exchange the numbers go on from the server's
// and pass 255 when a file is long.
void RequestDecoder::EndHeader(Header header, RequestHandler& handler) {
  const bool first = std::exchange(await_login_, false);
  const auto next = static_cast<std::uint8_t>(sequence_ + 1);
  login_ = first && (header.sequence == 1 || header.sequence == 2);
  const bool follows = !first && (continues_ ? header.sequence == next : exchange_);
  const bool request = !continues_ && !follows && header.sequence == 0 && (!first || mid_stream_);
  if (!login_ && !follows && !request) {
    handler.OnUnparsed(confirmed_ ? Unparsed::kMalformed : loss_, kHeaderBytes);
    return Fail(Unparsed::kMalformed, handler);
  }
  parsed_bytes_ += kHeaderBytes;
  sequence_ = header.sequence;
  length_ = left_ = header.length;
  continues_ = header.length == kPayloadBytesMax;
  state_ = follows ? State::kPayload : State::kHead;
  if (follows) {
    SkipPayload(0);
  } else if (length_ == 0) {
    TellHead({}, true, handler);
  }
}

std::size_t RequestDecoder::StepHead(Bytes run, RequestHandler& handler) {
  const std::size_t before = beginning_ ? beginning_->size : 0;
  const std::size_t taken = std::min({run.size(), kRequestBytesRead - before, std::size_t{length_} - before});
  const Bytes more = run.first(taken);
  parsed_bytes_ += taken;
  if (!beginning_) {
    if (TellHead(more, false, handler)) return taken;
    if (state_ != State::kHead) return taken;
    beginning_ = std::make_unique<Beginning>();
  }
  std::copy(more.begin(), more.end(), beginning_->bytes.begin() + static_cast<std::ptrdiff_t>(before));
  beginning_->size = before + taken;
  if (before == 0) return taken;
  TellHead(Bytes(beginning_->bytes).first(beginning_->size), false, handler);
  return taken;
}

// Tells the login or command of which `payload` is at hand, unless more of it would say more; with `all`, anyway. False
// when it was not told. The state is that behind the head before the handler hears of it, as it may stop the decoding.
bool RequestDecoder::TellHead(Bytes payload, bool all, RequestHandler& handler) {
  const auto size = static_cast<std::uint32_t>(payload.size());
  if (login_) {
    constexpr std::uint32_t kLoginBytes = 32;
    if (!all && size < std::min(length_, kLoginBytes)) return false;
    const auto login = ParseLogin(payload, length_);
    if (!login && !confirmed_) {
      Fail(Unparsed::kUnknownProtocol, handler);
      return false;
    }
    EndHead(size);
    handler.OnLogin(login.value_or(Login{}), first_byte_ns_);
    return true;
  }
  const Request request = ParseRequest(payload, length_);
  if (!all && NeedsMore(request, payload, length_)) return false;
  EndHead(size);
  handler.OnRequest(request, first_byte_ns_);
  return true;
}

void RequestDecoder::EndHead(std::uint32_t size) {
  beginning_.reset();
  left_ = length_ - size;
  state_ = State::kPayload;
  SkipPayload(0);
}

void RequestDecoder::TellBeginning(RequestHandler& handler) {
  if (state_ == State::kHead && beginning_) {
    TellHead(Bytes(beginning_->bytes).first(beginning_->size), true, handler);
  }
}

// Bytes of a payload that are not looked at.
void RequestDecoder::SkipPayload(std::uint64_t bytes) {
  left_ -= static_cast<std::uint32_t>(bytes);
  if (left_ == 0) state_ = State::kHeader;
}

// What follows is not understood until the next beginning.
void RequestDecoder::Fail(Unparsed reason, RequestHandler& handler) {
  beginning_.reset();
  loss_ = reason;
  state_ = State::kResync;
  continues_ = false;
  if (confirmed_) {
    handler.OnRequestsLost();
  } else {
    handler.OnNotMysql();
  }
}

void RequestDecoder::OnGap(std::uint64_t length, RequestHandler& handler) {
  TellBeginning(handler);
  if (state_ == State::kHead) {  // only its length is known
    state_ = State::kPayload;
    handler.OnRequestsLost();
  }
  if (state_ == State::kPayload) {
    const auto taken = std::min<std::uint64_t>(left_, length);
    parsed_bytes_ += taken;
    SkipPayload(taken);
    length -= taken;
  }
  if (length == 0) return;
  const std::uint64_t lost = length + std::exchange(header_size_, std::uint8_t{0});
  await_login_ = false;
  if (state_ == State::kHeader && (continues_ || exchange_)) state_ = State::kLost;
  if (state_ == State::kLost) {
    lost_bytes_ += lost;
    return;
  }
  if (state_ == State::kHeader) {
    loss_ = Unparsed::kGap;
    state_ = State::kResync;
    handler.OnRequestsLost();
  }
  handler.OnUnparsed(loss_, lost);
}

void RequestDecoder::EndLostMessage() {
  if (state_ != State::kLost) return;
  parsed_bytes_ += std::exchange(lost_bytes_, 0);
  continues_ = false;
  sequence_ = 0;
  state_ = State::kHeader;
}

void RequestDecoder::StopDecoding(Unparsed reason, RequestHandler& handler) {
  if (pending_bytes() > 0) handler.OnUnparsed(reason, pending_bytes());
  header_size_ = 0;
  lost_bytes_ = 0;
  beginning_.reset();
  loss_ = reason;
  state_ = State::kOpaque;
}

void RequestDecoder::OnClose(RequestHandler& handler) {
  TellBeginning(handler);
  if (header_size_ > 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(header_size_, std::uint8_t{0}));
  if (lost_bytes_ > 0) handler.OnUnparsed(Unparsed::kGap, std::exchange(lost_bytes_, 0));
}

}  // namespace wiregauge::decode::mysql
