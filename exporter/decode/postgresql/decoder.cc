#include "exporter/decode/postgresql/decoder.h"

#include <algorithm>

#include <absl/hash/hash.h>

namespace wiregauge::decode::postgresql {

Decoder::Decoder(Sender sender, bool mid_stream)
    : sender_(sender),
      state_(mid_stream                  ? State::kLost
             : sender == Sender::kClient ? State::kOpening
                                         : State::kBetween) {
  if (!mid_stream) return;
  loss_ = Unparsed::kMidStream;
  message_due_ = true;
}

Decoder::~Decoder() = default;

void Decoder::OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler) {
  while (!bytes.empty()) bytes = bytes.subspan(Step(bytes, time_ns, handler));
}

// Takes 1 or more bytes off the run's front, or none when it changes the state.
std::size_t Decoder::Step(Bytes run, std::uint64_t time_ns, Handler& handler) {
  switch (state_) {
    case State::kBetween:
      if (encryption_answer_) return StepEncryptionAnswer(static_cast<char>(run.front()), handler);
      if (header_size_ == 0 && run.size() >= kHeaderBytes) return StepWholeMessages(run, time_ns, handler);
      [[fallthrough]];
    case State::kOpening: return StepHeader(run, time_ns, handler);
    case State::kBody: return StepBody(run, handler);
    case State::kLost: return StepLost(run, time_ns, handler);
    case State::kOpaque: break;
  }
  handler.OnUnparsed(loss_, run.size());
  return run.size();
}

std::size_t Decoder::StepWholeMessages(Bytes run, std::uint64_t time_ns, Handler& handler) {
  std::size_t at = 0;
  while (run.size() - at >= kHeaderBytes) {
    const std::uint8_t type = run[at];
    const std::uint32_t length = ReadBigEndian32(&run[at + 1]);
    const Shape& shape = ShapeOf(sender_, type);
    if (!shape.Fits(length)) {
      parsed_bytes_ += at;
      Fail(Unparsed::kMalformed, handler);
      return at;
    }
    if (run.size() - at < std::size_t{length} + 1) break;
    const std::size_t begin = at + kHeaderBytes;
    at += std::size_t{length} + 1;
    if (!shape.told) continue;
    Tell(static_cast<char>(type), run.subspan(begin, std::min<std::size_t>(length - 4, shape.kept)),
         length - 4 <= shape.kept, time_ns, handler);
    if (state_ != State::kBetween) break;
  }
  parsed_bytes_ += at;
  if (at > 0) {
    searched_ = false;
    return at;
  }
  return StepHeader(run, time_ns, handler);
}

std::size_t Decoder::StepHeader(Bytes run, std::uint64_t time_ns, Handler& handler) {
  if (header_size_ == 0) first_byte_ns_ = time_ns;
  const std::size_t wanted = state_ == State::kOpening ? kOpeningHeaderBytes : kHeaderBytes;
  const std::size_t taken = std::min(run.size(), wanted - header_size_);
  std::copy_n(run.begin(), taken, header_.begin() + header_size_);
  header_size_ = static_cast<std::uint8_t>(header_size_ + taken);
  if (header_size_ == wanted) EndHeader(handler);
  return taken;
}

void Decoder::EndHeader(Handler& handler) {
  std::size_t kept = 0;
  if (state_ == State::kOpening) {
    opening_ = ParseOpening(header_);
    if (opening_ == Opening::kNone) return Fail(Unparsed::kMalformed, handler);
    type_ = '\0';
    body_bytes_ = ReadBigEndian32(header_.data()) - static_cast<std::uint32_t>(kOpeningHeaderBytes);
  } else {
    const std::uint32_t length = ReadBigEndian32(&header_[1]);
    const Shape& shape = ShapeOf(sender_, header_[0]);
    if (!shape.Fits(length)) return Fail(Unparsed::kMalformed, handler);
    type_ = static_cast<char>(header_[0]);
    body_bytes_ = length - 4;
    kept = std::min<std::size_t>(shape.kept, body_bytes_);
  }
  parsed_bytes_ += std::exchange(header_size_, std::uint8_t{0});
  body_left_ = body_bytes_;
  kept_cut_ = false;
  state_ = State::kBody;
  if (kept > 0) {
    kept_ = std::make_unique<std::vector<std::uint8_t>>();
    kept_->reserve(kept);
  }
  if (body_left_ == 0) EndMessage(handler);
}

std::size_t Decoder::StepBody(Bytes run, Handler& handler) {
  const std::size_t taken = std::min<std::size_t>(run.size(), body_left_);
  if (kept_) KeepBody(run.first(taken));
  body_left_ -= static_cast<std::uint32_t>(taken);
  parsed_bytes_ += taken;
  if (body_left_ == 0) EndMessage(handler);
  return taken;
}

void Decoder::KeepBody(Bytes part) {
  if (kept_cut_) return;
  const Bytes more = part.first(std::min(part.size(), kept_->capacity() - kept_->size()));
  kept_->insert(kept_->end(), more.begin(), more.end());
}

void Decoder::EndMessage(Handler& handler) {
  searched_ = false;
  const std::unique_ptr<std::vector<std::uint8_t>> kept = std::move(kept_);
  if (type_ == '\0') return TellOpening(handler);
  state_ = State::kBetween;
  if (std::exchange(told_early_, false) || !ShapeOf(sender_, static_cast<std::uint8_t>(type_)).told) return;
  const Bytes body = kept ? Bytes(*kept) : Bytes();
  Tell(type_, body, body.size() == body_bytes_, first_byte_ns_, handler);
}

bool Decoder::TellUnfinished(Handler& handler) {
  const bool told = type_ != '\0' && ShapeOf(sender_, static_cast<std::uint8_t>(type_)).told;
  if (state_ != State::kBody || told_early_ || !told) return false;
  told_early_ = true;
  Tell(type_, kept_ ? Bytes(*kept_) : Bytes(), false, first_byte_ns_, handler);
  return true;
}

void Decoder::Tell(char type, Bytes body, bool whole, std::uint64_t first_byte_ns, Handler& handler) {
  if (sender_ == Sender::kServer) return handler.OnServerMessage(ParseServerMessage(type, body));
  if (type == client::kParse && whole && body[0] == '\0') return TellUnnamedParse(body, first_byte_ns, handler);
  ClientMessage message = ParseClientMessage(type, body, whole);
  message.first_byte_ns = first_byte_ns;
  handler.OnClientMessage(message);
}

void Decoder::TellUnnamedParse(Bytes body, std::uint64_t first_byte_ns, Handler& handler) {
  if (!recent_) recent_ = std::make_unique<std::array<Recent, kRecent>>();
  const std::uint64_t hash = absl::Hash<std::string_view>()(AsText(body));
  Recent& recent = (*recent_)[hash % kRecent];
  ClientMessage message;
  if (recent.hash == hash) {
    message.type = client::kParse;
    message.statement = kUnnamed;
    message.operation = recent.operation;
    message.table = recent.table;
  } else {
    message = ParseClientMessage(client::kParse, body, true);
    recent = {.hash = hash, .operation = message.operation, .table = message.table};
  }
  message.first_byte_ns = first_byte_ns;
  handler.OnClientMessage(message);
}

void Decoder::TellOpening(Handler& handler) {
  const bool more = opening_ == Opening::kSslRequest || opening_ == Opening::kGssEncRequest;
  state_ = more ? State::kOpening : State::kBetween;
  ClientMessage message;
  message.opening = opening_;
  message.first_byte_ns = first_byte_ns_;
  handler.OnClientMessage(message);
}

std::size_t Decoder::StepEncryptionAnswer(char answer, Handler& handler) {
  encryption_answer_ = false;
  if (answer == server::kErrorResponse) return 0;  // a server that does not know the request
  if (answer != 'N' && answer != 'S' && answer != 'G') {
    Fail(Unparsed::kMalformed, handler);
    return 0;
  }
  parsed_bytes_ += 1;
  handler.OnEncryptionAnswer(answer);
  return 1;
}

std::size_t Decoder::StepLost(Bytes run, std::uint64_t time_ns, Handler& handler) {
  const bool due = std::exchange(message_due_, false);
  if (due ? StartsWithMessage(sender_, run) : IsWholeTurn(sender_, run)) {
    state_ = State::kBetween;
    searched_ = true;
    last_size_ = 0;
    return 0;
  }
  if (due && !confirmed_) {
    Fail(Unparsed::kMalformed, handler);
    return 0;
  }
  CountLost(run.size(), handler);
  FindTurnEnd(run, time_ns, handler);
  return run.size();
}

// `run` follows what was seen before: if the sender's turn ends with it, the next byte begins a message.
void Decoder::FindTurnEnd(Bytes run, std::uint64_t time_ns, Handler& handler) {
  std::array<std::uint8_t, 2 * kOpeningHeaderBytes> last;
  std::copy_n(header_.begin(), last_size_, last.begin());
  const Bytes more = run.last(std::min(run.size(), kOpeningHeaderBytes));
  std::size_t size = 0;
  if (more.size() < kOpeningHeaderBytes) size = last_size_;
  std::copy(more.begin(), more.end(), last.begin() + static_cast<std::ptrdiff_t>(size));
  size += more.size();
  const Bytes seen = Bytes(last).first(size).last(std::min(size, kOpeningHeaderBytes));
  std::array<std::uint8_t, kOpeningHeaderBytes> kept{};
  std::copy(seen.begin(), seen.end(), kept.begin());
  header_ = kept;
  last_size_ = static_cast<std::uint8_t>(seen.size());

  const Bytes end = Bytes(header_).first(last_size_);
  const char type = TurnEnd(sender_, end);
  if (type == '\0') return;
  state_ = State::kBetween;
  last_size_ = 0;
  if (sender_ == Sender::kClient) {
    ClientMessage message;
    message.type = type;
    message.first_byte_ns = time_ns;
    return handler.OnClientMessage(message);
  }
  ServerMessage message;
  message.type = type;
  message.status = static_cast<char>(end.back());
  message.after_loss = true;
  message.before = BeforeReady(end);
  handler.OnServerMessage(message);
}

void Decoder::Fail(Unparsed reason, Handler& handler) {
  const std::uint64_t pending = std::exchange(header_size_, std::uint8_t{0});
  kept_.reset();
  told_early_ = false;
  if (!confirmed_ && reason == Unparsed::kMalformed) {
    state_ = State::kOpaque;
    loss_ = Unparsed::kUnknownProtocol;
    if (pending > 0) handler.OnUnparsed(loss_, pending);
    return handler.OnNotPostgresql();
  }
  // What looked like a start and was none is still part of the loss that it was searched after.
  if (!(searched_ && reason == Unparsed::kMalformed)) loss_ = reason;
  searched_ = false;
  message_due_ = false;
  last_size_ = 0;
  state_ = State::kLost;
  EndLoss(false, handler);
  holds_loss_ = handler.OnLost(loss_);
  CountLost(pending, handler);
}

void Decoder::CountLost(std::uint64_t bytes, Handler& handler) {
  if (holds_loss_ && state_ == State::kLost) {
    held_bytes_ += bytes;
  } else if (bytes > 0) {
    handler.OnUnparsed(loss_, bytes);
  }
}

void Decoder::EndLoss(bool known, Handler& handler) {
  holds_loss_ = false;
  const std::uint64_t bytes = std::exchange(held_bytes_, 0);
  if (known) {
    parsed_bytes_ += bytes;
  } else if (bytes > 0) {
    handler.OnUnparsed(loss_, bytes);
  }
}

void Decoder::OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, Handler& handler) {
  std::uint64_t missing = length - tail.size();
  if (missing > 0 && state_ == State::kBody) {
    const std::uint64_t known = std::min<std::uint64_t>(missing, body_left_);
    kept_cut_ = true;
    body_left_ -= static_cast<std::uint32_t>(known);
    parsed_bytes_ += known;
    missing -= known;
    if (body_left_ == 0) EndMessage(handler);
  }
  if (missing > 0) {
    if (state_ != State::kLost && state_ != State::kOpaque) Fail(Unparsed::kGap, handler);
    CountLost(missing, handler);
    message_due_ = false;
    last_size_ = 0;
  }
  if (tail.empty()) return;
  if (state_ != State::kLost) return OnBytes(tail, time_ns, handler);
  CountLost(tail.size(), handler);
  FindTurnEnd(tail, time_ns, handler);
}

void Decoder::OnClose(Handler& handler) {
  kept_.reset();
  EndLoss(false, handler);
  if (header_size_ > 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(header_size_, std::uint8_t{0}));
}

void Decoder::StopDecoding(Unparsed reason, Handler& handler) {
  EndLoss(false, handler);
  if (header_size_ > 0) handler.OnUnparsed(reason, std::exchange(header_size_, std::uint8_t{0}));
  kept_.reset();
  loss_ = reason;
  state_ = State::kOpaque;
}

}  // namespace wiregauge::decode::postgresql
