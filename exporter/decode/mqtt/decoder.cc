#include "exporter/decode/mqtt/decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace wiregauge::decode::mqtt {

namespace {

using Type = PacketType;

constexpr std::uint8_t kTopicAlias = 0x23;

enum class PropertyKind : std::uint8_t { kNone, kByte, kTwoBytes, kFourBytes, kVarint, kText, kTextPair };

// Section 2.2.2.2, table 2-4.
constexpr PropertyKind KindOfProperty(std::uint8_t id) {
  switch (id) {
    case 0x01:
    case 0x17:
    case 0x19:
    case 0x24:
    case 0x25:
    case 0x28:
    case 0x29:
    case 0x2a: return PropertyKind::kByte;
    case 0x13:
    case 0x21:
    case 0x22:
    case kTopicAlias: return PropertyKind::kTwoBytes;
    case 0x02:
    case 0x11:
    case 0x18:
    case 0x27: return PropertyKind::kFourBytes;
    case 0x0b: return PropertyKind::kVarint;
    case 0x03:
    case 0x08:
    case 0x09:
    case 0x12:
    case 0x15:
    case 0x16:
    case 0x1a:
    case 0x1c:
    case 0x1f: return PropertyKind::kText;
    case 0x26: return PropertyKind::kTextPair;
    default: return PropertyKind::kNone;
  }
}

std::uint16_t ReadUint16(const std::uint8_t* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }

}  // namespace

Decoder::Decoder(Side from, bool mid_stream) : state_(mid_stream ? State::kResync : State::kHeader), from_(from) {}

std::uint64_t Decoder::TakeParsedBytes() { return std::exchange(parsed_bytes_, 0); }

void Decoder::OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler) {
  bool at_start = true;
  while (!bytes.empty()) {
    std::size_t used = bytes.size();
    switch (state_) {
      case State::kHeader: used = StepHeader(bytes, time_ns, handler); break;
      case State::kBody: used = StepBody(bytes, time_ns, handler); break;
      case State::kResync: used = StepResync(bytes, at_start, handler); break;
      case State::kOpaque: handler.OnUnparsed(loss_, used); break;
    }
    bytes = bytes.subspan(used);
    at_start = false;
  }
}

void Decoder::OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, Handler& handler) {
  std::uint64_t left = length - tail.size();
  while (left > 0 && state_ == State::kBody) left -= GapInBody(left, time_ns, handler);
  if (left > 0 && state_ == State::kHeader) Lose(Unparsed::kGap, handler);
  if (left > 0) handler.OnUnparsed(loss_, left);
  if (tail.empty()) return;
  if (state_ == State::kResync || state_ == State::kOpaque) {
    handler.OnUnparsed(loss_, tail.size());  // a packet's start is not to be told from eight bytes
  } else {
    OnBytes(tail, time_ns, handler);
  }
}

void Decoder::OnClose(Handler& handler) {
  if (pending_bytes() > 0) handler.OnUnparsed(Unparsed::kCutOff, partial_size_);
  partial_size_ = 0;
  state_ = State::kOpaque;
  loss_ = Unparsed::kCutOff;
}

std::size_t Decoder::StepHeader(Bytes run, std::uint64_t time_ns, Handler& handler) {
  FixedHeader header;
  Header found = Header::kShort;
  std::size_t used = 0;
  const std::size_t before = partial_size_;
  if (before == 0) {
    first_byte_ns_ = time_ns;
    found = ReadFixedHeader(run, from_, header);
    used = found == Header::kWhole ? header.size : std::min<std::size_t>(run.size(), 5);
  }
  if (found == Header::kShort) {  // the beginning came before, or the rest is to come
    for (used = 0; used < run.size() && found == Header::kShort; ++used) {
      partial_[partial_size_++] = run[used];
      found = ReadFixedHeader(Bytes(partial_.data(), partial_size_), from_, header);
    }
    if (found == Header::kShort) return used;
  }
  partial_size_ = 0;
  if (found == Header::kBad) {
    const std::size_t bytes = before + used;
    if (confirmed_) {
      Lose(Unparsed::kMalformed, handler);
    } else {
      GiveUp(handler);
    }
    handler.OnUnparsed(loss_, bytes);
    return used;
  }
  parsed_bytes_ += header.size;
  BeginPacket(header);
  if (left_ == 0) EndPacket(time_ns, handler);
  return used;
}

void Decoder::BeginPacket(const FixedHeader& header) {
  packet_ = {};
  packet_.type = header.type;
  packet_.first_byte_ns = first_byte_ns_;
  if (header.type == Type::kPublish) {
    packet_.qos = header.flags >> 1 & 3;
    packet_.dup = (header.flags & 8) != 0;
  }
  state_ = State::kBody;
  left_ = header.length;
  skip_ = 0;
  filters_ = 0;
  topic_.clear();
  step_ = FirstStep();
}

Decoder::Step Decoder::FirstStep() const {
  switch (packet_.type) {
    case Type::kConnect: return Step::kNameLength;
    case Type::kConnAck: return Step::kConnAckFlags;
    case Type::kPublish: return Step::kTopicLength;
    case Type::kPubAck:
    case Type::kPubRec:
    case Type::kPubRel:
    case Type::kPubComp:
    case Type::kSubscribe:
    case Type::kSubAck:
    case Type::kUnsubscribe:
    case Type::kUnsubAck: return Step::kId;
    case Type::kDisconnect:
    case Type::kAuth: return left_ > 0 ? Step::kCode : Step::kRest;
    case Type::kReserved:
    case Type::kPingReq:
    case Type::kPingResp: break;
  }
  return Step::kRest;
}

std::size_t Decoder::StepBody(Bytes run, std::uint64_t time_ns, Handler& handler) {
  const auto used = static_cast<std::uint32_t>(std::min<std::size_t>(run.size(), left_));
  if (step_ != Step::kRest && packet_.walk == Walk::kWhole) WalkBody(run.first(used));
  Count(used, handler);
  left_ -= used;
  if (left_ == 0) EndPacket(time_ns, handler);
  return used;
}

std::uint64_t Decoder::GapInBody(std::uint64_t length, std::uint64_t time_ns, Handler& handler) {
  const auto used = static_cast<std::uint32_t>(std::min<std::uint64_t>(length, left_));
  std::uint32_t known = 0;
  if (step_ != Step::kRest && packet_.walk == Walk::kWhole) {
    known = std::min(skip_, used);
    skip_ -= known;
    if (known < used) packet_.walk = Walk::kCut;
    parsed_bytes_ += known;
  }
  Count(used - known, handler);
  left_ -= used;
  if (left_ == 0) EndPacket(time_ns, handler);
  return used;
}

void Decoder::EndPacket(std::uint64_t time_ns, Handler& handler) {
  state_ = State::kHeader;
  partial_size_ = 0;
  if (step_ != Step::kRest && packet_.walk == Walk::kWhole) WalkBody({});  // what ends without a byte of its own
  partial_size_ = 0;
  if (step_ != Step::kRest && packet_.walk == Walk::kWhole) packet_.walk = Walk::kOdd;
  if (packet_.walk == Walk::kOdd && !confirmed_) {
    GiveUp(handler);
    return;
  }
  packet_.topic = topic_;
  packet_.last_byte_ns = time_ns;
  handler.OnPacket(packet_);
}

void Decoder::GiveUp(Handler& handler) {
  state_ = State::kOpaque;
  loss_ = Unparsed::kUnknownProtocol;
  handler.OnNotMqtt();
}

void Decoder::Count(std::uint64_t bytes, Handler& handler) {
  if (bytes == 0) return;
  switch (packet_.walk) {
    case Walk::kWhole: parsed_bytes_ += bytes; break;
    case Walk::kCut: handler.OnUnparsed(Unparsed::kGap, bytes); break;
    case Walk::kOdd: handler.OnUnparsed(Unparsed::kMalformed, bytes); break;
  }
}

void Decoder::Lose(Unparsed reason, Handler& handler) {
  if (pending_bytes() > 0) handler.OnUnparsed(reason, partial_size_);
  partial_size_ = 0;
  state_ = State::kResync;
  loss_ = reason;
  handler.OnLost();
}

std::size_t Decoder::StepResync(Bytes run, bool at_start, Handler& handler) {
  if (at_start && IsRunOfPackets(run, from_)) {
    state_ = State::kHeader;
    return 0;
  }
  handler.OnUnparsed(loss_, run.size());
  return run.size();
}

// ---- the body ----

void Decoder::WalkBody(Bytes run) {
  walk_left_ = left_;
  while (step_ != Step::kRest && packet_.walk == Walk::kWhole) {
    if (skip_ > 0) {
      const std::size_t passed = std::min<std::size_t>(skip_, run.size());
      skip_ -= static_cast<std::uint32_t>(passed);
      Advance(run, passed);
      if (skip_ > 0) return;
    }
    if (!WalkField(run)) return;
  }
}

bool Decoder::WalkField(Bytes& run) {
  const std::uint8_t* raw = nullptr;
  switch (step_) {
    case Step::kNameLength:
      if ((raw = Take(2, run)) == nullptr) return false;
      return Skip(ReadUint16(raw), Step::kLevel);
    case Step::kLevel:
      if ((raw = Take(1, run)) == nullptr) return false;
      packet_.level = *raw & 0x7f;
      step_ = Step::kRest;
      return true;
    case Step::kConnAckFlags: return Skip(1, Step::kCode);
    case Step::kCode:
      if ((raw = Take(1, run)) == nullptr) return false;
      packet_.code = *raw;
      step_ = Step::kRest;
      return true;
    case Step::kTopicLength: return WalkTextLength(run);
    case Step::kTopic: return WalkText(run);
    case Step::kId: return WalkId(run);
    case Step::kPropertiesBytes: return WalkPropertiesBytes(run);
    case Step::kProperty:
    case Step::kPropertyLength:
    case Step::kVarint:
    case Step::kAlias: return WalkProperty(run);
    case Step::kCodes: return WalkCodes(run);
    case Step::kRest: break;
  }
  return false;
}

// A topic, or one more filter, or the end of the filters.
bool Decoder::WalkTextLength(Bytes& run) {
  if (packet_.type != Type::kPublish && walk_left_ == 0 && filters_ > 0) {
    step_ = Step::kRest;
    return true;
  }
  const std::uint8_t* raw = Take(2, run);
  if (raw == nullptr) return false;
  topic_left_ = ReadUint16(raw);
  if (topic_left_ > walk_left_) return Odd();
  topic_.clear();
  const bool wanted = topic_left_ <= kTopicBytesMax && ++filters_ == 1;
  if (wanted) {
    step_ = Step::kTopic;
  } else {
    filters_ = std::max(filters_, 1u);
    skip_ = topic_left_;
    topic_left_ = 0;
    AfterText();
  }
  return true;
}

bool Decoder::WalkText(Bytes& run) {
  const std::size_t taken = std::min<std::size_t>(topic_left_, run.size());
  topic_.append(AsText(run.first(taken)));
  topic_left_ -= static_cast<std::uint32_t>(taken);
  Advance(run, taken);
  if (topic_left_ > 0) return false;
  AfterText();
  return true;
}

void Decoder::AfterText() {
  if (packet_.type == Type::kPublish) {
    step_ = packet_.qos > 0 ? Step::kId : HasProperties() ? Step::kPropertiesBytes : Step::kRest;
  } else {
    skip_ += packet_.type == Type::kSubscribe ? 1 : 0;  // the subscription's options
    step_ = Step::kTopicLength;
  }
}

bool Decoder::HasProperties() const {
  // Without a CONNECT: only a topic alias, which is a property, lets a topic be empty.
  if (level_ == kUnknownLevel) return packet_.type == Type::kPublish && topic_.empty();
  return level_ >= kLevel5;
}

bool Decoder::WalkId(Bytes& run) {
  const std::uint8_t* raw = Take(2, run);
  if (raw == nullptr) return false;
  packet_.id = ReadUint16(raw);
  if (packet_.id == 0) return Odd();
  const bool version_matters = packet_.type == Type::kSubscribe || packet_.type == Type::kSubAck ||
                               packet_.type == Type::kUnsubscribe || packet_.type == Type::kUnsubAck;
  if (!version_matters && packet_.type != Type::kPublish) {
    step_ = walk_left_ > 0 ? Step::kCode : Step::kRest;
  } else if (HasProperties()) {
    step_ = Step::kPropertiesBytes;
  } else if (level_ == kUnknownLevel && !(packet_.type == Type::kSubAck && walk_left_ == 1)) {
    step_ = Step::kRest;
  } else {
    AfterProperties();
  }
  return true;
}

bool Decoder::WalkPropertiesBytes(Bytes& run) {
  std::uint32_t bytes = 0;
  if (!TakeVarint(bytes, run)) return false;
  if (bytes > walk_left_) return Odd();
  behind_properties_ = walk_left_ - bytes;
  if (packet_.type == Type::kPublish) {
    step_ = Step::kProperty;
  } else {
    skip_ = bytes;
    AfterProperties();
  }
  return true;
}

void Decoder::AfterProperties() {
  switch (packet_.type) {
    case Type::kSubscribe:
    case Type::kUnsubscribe: step_ = Step::kTopicLength; break;
    case Type::kSubAck: step_ = Step::kCodes; break;
    case Type::kUnsubAck: step_ = level_ >= kLevel5 ? Step::kCodes : Step::kRest; break;
    default: step_ = Step::kRest;
  }
}

bool Decoder::WalkProperty(Bytes& run) {
  const std::uint8_t* raw = nullptr;
  if (step_ == Step::kVarint) {
    std::uint32_t value = 0;
    if (!TakeVarint(value, run)) return false;
    step_ = Step::kProperty;
    return true;
  }
  if (step_ == Step::kAlias || step_ == Step::kPropertyLength) {
    if ((raw = Take(2, run)) == nullptr) return false;
    const std::uint16_t value = ReadUint16(raw);
    if (step_ == Step::kAlias) {
      packet_.alias = value;
      step_ = Step::kProperty;
      return true;
    }
    return Skip(value, --texts_left_ > 0 ? Step::kPropertyLength : Step::kProperty);
  }
  if (walk_left_ <= behind_properties_) {
    step_ = Step::kRest;
    return walk_left_ == behind_properties_ || Odd();
  }
  if ((raw = Take(1, run)) == nullptr) return false;
  const std::uint8_t id = *raw;
  switch (KindOfProperty(id)) {
    case PropertyKind::kNone: return Odd();
    case PropertyKind::kByte: return Skip(1, Step::kProperty);
    case PropertyKind::kFourBytes: return Skip(4, Step::kProperty);
    case PropertyKind::kTwoBytes:
      if (id != kTopicAlias) return Skip(2, Step::kProperty);
      step_ = Step::kAlias;
      return true;
    case PropertyKind::kVarint: step_ = Step::kVarint; return true;
    case PropertyKind::kText:
    case PropertyKind::kTextPair:
      texts_left_ = KindOfProperty(id) == PropertyKind::kText ? 1 : 2;
      step_ = Step::kPropertyLength;
      return true;
  }
  return Odd();
}

bool Decoder::WalkCodes(Bytes& run) {
  for (const std::uint8_t code : run) {
    if (packet_.code == Packet::kNoCode || (code >= 0x80 && packet_.code < 0x80)) packet_.code = code;
  }
  Advance(run, run.size());
  if (walk_left_ > 0) return false;
  step_ = Step::kRest;
  return true;
}

bool Decoder::Skip(std::uint32_t bytes, Step next) {
  if (bytes > walk_left_) return Odd();
  skip_ = bytes;
  step_ = next;
  return true;
}

const std::uint8_t* Decoder::Take(std::size_t size, Bytes& run) {
  if (size - partial_size_ > walk_left_) {
    Odd();
    return nullptr;
  }
  const std::size_t taken = std::min(size - partial_size_, run.size());
  const std::uint8_t* raw = run.data();
  Advance(run, taken);
  if (taken == size) return raw;
  if (taken > 0) std::memcpy(partial_.data() + partial_size_, raw, taken);
  partial_size_ = static_cast<std::uint8_t>(partial_size_ + taken);
  if (partial_size_ < size) return nullptr;
  partial_size_ = 0;
  return partial_.data();
}

bool Decoder::TakeVarint(std::uint32_t& value, Bytes& run) {
  for (;;) {
    if (walk_left_ == 0) return Odd();
    if (run.empty()) return false;
    partial_[partial_size_++] = run[0];
    Advance(run, 1);
    if (partial_[partial_size_ - 1u] < 0x80) break;
    if (partial_size_ == 4) return Odd();
  }
  value = 0;
  for (std::uint8_t i = 0; i < partial_size_; ++i) value |= std::uint32_t{partial_[i] & 0x7fu} << (7 * i);
  partial_size_ = 0;
  return true;
}

}  // namespace wiregauge::decode::mqtt
