#include "exporter/decode/mysql/answer_decoder.h"

#include <algorithm>
#include <utility>

namespace wiregauge::decode::mysql {

AnswerDecoder::AnswerDecoder(bool mid_stream) : state_(mid_stream ? State::kSkip : State::kGreeting) {}

std::uint64_t AnswerDecoder::TakeParsedBytes() { return std::exchange(parsed_bytes_, 0); }

void AnswerDecoder::OnBytes(Bytes bytes, AnswerHandler& handler) {
  for (std::size_t at = 0; at < bytes.size();) at += Step(bytes.subspan(at), handler);
}

// Takes at least one byte; gives how many.
std::size_t AnswerDecoder::Step(Bytes run, AnswerHandler& handler) {
  if (state_ >= State::kSkip) {
    skipped_ = true;
    handler.OnUnparsed(loss_, run.size());
    return run.size();
  }
  if (state_ == State::kLost) return StepLost(run, handler);
  if (left_ > 0) {
    const std::size_t taken = std::min<std::size_t>(left_, run.size());
    parsed_bytes_ += taken;
    left_ -= static_cast<std::uint32_t>(taken);
    if (left_ == 0) EndPacket(handler);
    return taken;
  }
  if (state_ == State::kRows && head_size_ == 0) {
    if (const std::size_t taken = StepRows(run); taken > 0) return taken;
  }
  return StepHead(run, handler);
}

// Rows that are whole in the run and no end: most bytes of all that pass.
std::size_t AnswerDecoder::StepRows(Bytes run) {
  if (continues_) return 0;
  std::size_t at = 0;
  while (run.size() - at > kHeaderBytes) {
    const Header header = ReadHeader(run.subspan(at, kHeaderBytes));
    const std::size_t size = kHeaderBytes + header.length;
    if (run[at + kHeaderBytes] >= 0xfe || header.length == 0 || size > run.size() - at ||
        header.sequence != sequence_) {
      break;
    }
    ++sequence_;
    at += size;
  }
  parsed_bytes_ += at;
  return at;
}

// A packet's header and what is looked at of its payload.
std::size_t AnswerDecoder::StepHead(Bytes run, AnswerHandler& handler) {
  if (head_size_ == 0 && run.size() >= kHeaderBytes) {
    const Header header = ReadHeader(run);
    const std::size_t at_hand = std::min<std::size_t>(header.length, run.size() - kHeaderBytes);
    if (at_hand >= HeadWanted(header)) {
      OnHead(run.first(kHeaderBytes + at_hand), handler);
      return kHeaderBytes + at_hand;
    }
  }
  const std::size_t wanted = head_size_ < kHeaderBytes ? kHeaderBytes : kHeaderBytes + HeadWanted(ReadHeader(head_));
  const std::size_t taken = std::min(wanted - head_size_, run.size());
  std::copy_n(run.begin(), taken, head_.begin() + head_size_);
  head_size_ = static_cast<std::uint8_t>(head_size_ + taken);
  if (head_size_ >= kHeaderBytes && head_size_ == kHeaderBytes + HeadWanted(ReadHeader(head_))) {
    OnHead(Bytes(head_).first(std::exchange(head_size_, std::uint8_t{0})), handler);
  }
  return taken;
}

std::size_t AnswerDecoder::HeadWanted(Header header) const {
  return continues_ ? 0 : std::min<std::size_t>(header.length, kAnswerBytesRead);
}

void AnswerDecoder::OnHead(Bytes head, AnswerHandler& handler) {
  const Header header = ReadHeader(head);
  const State before = state_;
  const bool good = OnPacket(header, head.subspan(kHeaderBytes), handler);
  if (state_ >= State::kSkip) {
    skipped_ = true;
    handler.OnUnparsed(loss_, head.size());
    return;
  }
  if (!good) {
    if (before == State::kGreeting || !confirmed_) {
      loss_ = Unparsed::kUnknownProtocol;
      state_ = State::kSkip;
      handler.OnUnparsed(loss_, head.size());
      handler.OnNotMysql();
      return;
    }
    handler.OnUnparsed(Unparsed::kMalformed, head.size());
    return Fail(handler);
  }
  parsed_bytes_ += head.size();
  left_ = header.length - static_cast<std::uint32_t>(head.size() - kHeaderBytes);
  if (left_ == 0) EndPacket(handler);
}

// Takes a packet in. False when it breaks the grammar.
bool AnswerDecoder::OnPacket(Header header, Bytes payload, AnswerHandler& handler) {
  const bool continuation = continues_;
  continues_ = header.length == kPayloadBytesMax;
  if (state_ == State::kGreeting || state_ == State::kBetween) {
    if (!OnFirstPacket(header, payload, handler)) return false;
    if (state_ < State::kOk || state_ > State::kLost || ends_) return true;
  } else if (header.sequence != sequence_ && !any_sequence_) {
    return false;
  }
  any_sequence_ = false;
  sequence_ = static_cast<std::uint8_t>(header.sequence + 1);
  if (continuation) return true;
  if (payload.empty()) return false;
  const Packet kind = PacketKind(payload, header.length);
  if (kind == Packet::kProgress) return true;
  if (kind == Packet::kError && state_ != State::kText) return EndByError(payload);
  switch (state_) {
    case State::kOk: ends_ = kind == Packet::kOk || kind == Packet::kEof || kind == Packet::kOkAsEof; return ends_;
    case State::kLogin: return OnLogin(kind, handler);
    case State::kText:
      if (kind == Packet::kError) EndByError(payload);
      ends_ = true;
      return true;
    case State::kStream: ends_ = true; return true;
    case State::kResult: return OnResult(payload, header.length, kind, handler);
    case State::kDefinitions:
      if (--definitions_left_ == 0) state_ = State::kDefinitionsEnd;
      return true;
    case State::kDefinitionsEnd:
      if (kind == Packet::kEof) {
        eof_ = Eof::kOld;
        state_ = State::kRows;
        // The rows are in a cursor: kStmtFetch gets them.
        if ((StatusOf(payload, kind) & kCursorExists) != 0) EndResult(StatusOf(payload, kind));
        return true;
      }
      eof_ = Eof::kNew;
      state_ = State::kRows;
      return OnRow(payload, kind);
    case State::kRows: return OnRow(payload, kind);
    case State::kPrepared: return OnPrepared(payload, header.length, kind);
    case State::kParametersEnd:
      if (kind == Packet::kEof) {
        eof_ = Eof::kOld;
        AfterParameters();
        return true;
      }
      eof_ = Eof::kNew;
      AfterParameters();
      [[fallthrough]];
    case State::kColumns:
      if (--definitions_left_ == 0) AfterColumns();
      return true;
    case State::kParameters:
      if (--definitions_left_ > 0) return true;
      state_ = State::kParametersEnd;
      if (columns_ == 0) AfterColumns();
      if (columns_ > 0 && eof_ == Eof::kNew) AfterParameters();
      return true;
    case State::kColumnsEnd: ends_ = true; return kind == Packet::kEof;
    default: return false;
  }
}

// The server's first packet, or the first of an answer: then the state becomes that of the answer.
bool AnswerDecoder::OnFirstPacket(Header header, Bytes payload, AnswerHandler& handler) {
  if (std::exchange(eof_may_follow_, false) && header.sequence == sequence_ && !payload.empty() &&
      PacketKind(payload, header.length) == Packet::kEof) {
    eof_ = Eof::kOld;
    return true;
  }
  if (state_ == State::kGreeting) {
    const auto greeting = ParseGreeting(payload, header.length);
    const bool error = !payload.empty() && PacketKind(payload, header.length) == Packet::kError;
    if (header.sequence != 0 || (!greeting && !error)) return false;
    state_ = State::kBetween;
    if (greeting) {
      handler.OnGreeting(*greeting);
      return true;
    }
  }
  answer_ = {};
  sequence_ = header.sequence;
  switch (handler.OnAnswer()) {
    case Expected::kNothing:
      loss_ = Unparsed::kGap;
      state_ = State::kSkip;
      skipped_ = false;
      return true;
    case Expected::kOk: state_ = State::kOk; return true;
    case Expected::kLogin: state_ = State::kLogin; return true;
    case Expected::kText: state_ = State::kText; return true;
    case Expected::kResults: state_ = State::kResult; return true;
    case Expected::kPrepared: state_ = State::kPrepared; return true;
    case Expected::kFields:
    case Expected::kRows: state_ = State::kRows; return true;
    case Expected::kStream: state_ = State::kStream; return true;
  }
  return false;
}

bool AnswerDecoder::OnLogin(Packet kind, AnswerHandler& handler) {
  if (kind == Packet::kOk) {
    ends_ = true;
  } else {  // 1: more of this method, fe: another method
    any_sequence_ = true;
    handler.OnExchange();
  }
  return true;
}

bool AnswerDecoder::OnResult(Bytes payload, std::uint32_t length, Packet kind, AnswerHandler& handler) {
  if (kind == Packet::kOk) {
    EndResult(StatusOf(payload, kind));
    return true;
  }
  if (kind == Packet::kFile) {
    any_sequence_ = true;
    handler.OnExchange();
    return true;
  }
  const auto count = ParseColumnCount(payload, length);
  if (!count) return false;
  definitions_left_ = static_cast<std::uint16_t>(count->columns);
  state_ = count->definitions_follow ? State::kDefinitions : State::kDefinitionsEnd;
  return true;
}

bool AnswerDecoder::OnRow(Bytes payload, Packet kind) {
  if (kind == Packet::kEof || kind == Packet::kOkAsEof) EndResult(StatusOf(payload, kind));
  return true;
}

// Another result follows, or nothing.
void AnswerDecoder::EndResult(std::uint16_t status) {
  if ((status & kMoreResults) != 0) {
    state_ = State::kResult;
  } else {
    ends_ = true;
  }
}

bool AnswerDecoder::EndByError(Bytes payload) {
  answer_.error = ErrorOf(payload);
  answer_.prepared = false;
  ends_ = true;
  return true;
}

bool AnswerDecoder::OnPrepared(Bytes payload, std::uint32_t length, Packet kind) {
  const auto prepared = kind == Packet::kOk ? ParsePrepared(payload, length) : std::nullopt;
  if (!prepared) return false;
  answer_.prepared = true;
  answer_.statement_id = prepared->statement_id;
  columns_ = prepared->definitions_follow ? prepared->columns : std::uint16_t{0};
  definitions_left_ = prepared->definitions_follow ? prepared->parameters : std::uint16_t{0};
  if (definitions_left_ > 0) {
    state_ = State::kParameters;
  } else if (columns_ > 0) {
    AfterParameters();
  } else {
    ends_ = true;
  }
  return true;
}

void AnswerDecoder::AfterParameters() {
  definitions_left_ = columns_;
  state_ = State::kColumns;
  if (columns_ == 0) ends_ = true;
}

// The last definition of a prepared statement: an EOF follows in the old form. Where the form is not known the answer
// ends here, and an EOF that follows goes with it.
void AnswerDecoder::AfterColumns() {
  if (eof_ == Eof::kOld) {
    state_ = State::kColumnsEnd;
  } else {
    ends_ = true;
    eof_may_follow_ = eof_ == Eof::kUnknown;
  }
}

void AnswerDecoder::EndPacket(AnswerHandler& handler) {
  if (continues_ || !ends_) return;
  ends_ = false;
  state_ = State::kBetween;
  handler.OnAnswerEnd(answer_);
}

void AnswerDecoder::Fail(AnswerHandler& handler) {
  Skip(Unparsed::kMalformed, handler);
  handler.OnAnswersLost();
}

std::size_t AnswerDecoder::StepLost(Bytes run, AnswerHandler& handler) {
  lost_bytes_ += run.size();
  KeepLast(run);
  if (!by_tail_) return run.size();
  const Bytes last = run.size() >= last_size_ ? run : Bytes(last_).first(last_size_);
  const auto end = FindTerminator(last, eof_ != Eof::kNew);
  if (end && (end->status & kMoreResults) == 0) {
    parsed_bytes_ += std::exchange(lost_bytes_, 0);
    answer_.error = end->error;
    state_ = State::kBetween;
    handler.OnAnswerEnd(answer_);
  }
  return run.size();
}

void AnswerDecoder::KeepLast(Bytes run) {
  if (run.size() < last_.size()) {
    const std::size_t kept = std::min<std::size_t>(last_size_, last_.size() - run.size());
    std::copy_n(last_.begin() + static_cast<std::ptrdiff_t>(last_size_ - kept), kept, last_.begin());
    last_size_ = static_cast<std::uint8_t>(kept);
  } else {
    last_size_ = 0;
  }
  const Bytes taken = run.last(std::min(run.size(), last_.size()));
  std::copy(taken.begin(), taken.end(), last_.begin() + last_size_);
  last_size_ = static_cast<std::uint8_t>(last_size_ + taken.size());
}

void AnswerDecoder::OnGap(std::uint64_t length, Bytes tail, AnswerHandler& handler) {
  if (left_ > 0) {
    const auto taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(left_, length));
    parsed_bytes_ += taken;
    left_ -= taken;
    length -= taken;
    if (left_ == 0) EndPacket(handler);
  }
  if (length == 0) return;
  const std::uint64_t lost = length + std::exchange(head_size_, std::uint8_t{0});
  if (state_ >= State::kSkip) {
    skipped_ = true;
    handler.OnUnparsed(loss_, lost);
    return;
  }
  if (state_ < State::kDefinitions) {
    handler.OnUnparsed(Unparsed::kGap, lost);
    Skip(Unparsed::kGap, handler);
    skipped_ = true;
    handler.OnAnswersLost();
    return;
  }
  if (state_ != State::kLost) {
    by_tail_ = state_ == State::kRows;
    state_ = State::kLost;
    continues_ = ends_ = any_sequence_ = false;
    if (!handler.OnEndLost()) {
      Skip(Unparsed::kGap, handler);
      skipped_ = true;
      handler.OnUnparsed(Unparsed::kGap, lost);
      return;
    }
  }
  lost_bytes_ += lost - tail.size();
  last_size_ = 0;
  if (!tail.empty()) StepLost(tail, handler);
}

void AnswerDecoder::Expect() {
  if (state_ != State::kSkip && state_ != State::kGreeting) return;
  state_ = State::kBetween;
}

void AnswerDecoder::Skip(Unparsed reason, AnswerHandler& handler) {
  if (state_ == State::kOpaque) return;
  if (pending_bytes() > 0) handler.OnUnparsed(reason, pending_bytes());
  head_size_ = 0;
  lost_bytes_ = 0;
  left_ = 0;
  ends_ = continues_ = any_sequence_ = eof_may_follow_ = skipped_ = false;
  loss_ = reason;
  state_ = State::kSkip;
}

bool AnswerDecoder::ends_with_text() const { return last_size_ >= 8 && EndsWithText(Bytes(last_).first(last_size_)); }

void AnswerDecoder::EndLostAnswer(AnswerHandler& handler) {
  handler.OnUnparsed(Unparsed::kGap, std::exchange(lost_bytes_, 0));
  state_ = State::kBetween;
  answer_.outcome_known = last_size_ >= 8;
  answer_.failed = ends_with_text();
  handler.OnAnswerEnd(answer_);
}

void AnswerDecoder::StopDecoding(Unparsed reason, AnswerHandler& handler) {
  Skip(reason, handler);
  state_ = State::kOpaque;
}

void AnswerDecoder::OnClose(AnswerHandler& handler) {
  if (head_size_ > 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(head_size_, std::uint8_t{0}));
  if (lost_bytes_ > 0) handler.OnUnparsed(Unparsed::kGap, std::exchange(lost_bytes_, 0));
}

}  // namespace wiregauge::decode::mysql
