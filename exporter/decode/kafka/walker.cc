#include "exporter/decode/kafka/walker.h"

#include <algorithm>
#include <cstring>

#include "exporter/decode/kafka/parse.h"

namespace wiregauge::decode::kafka {

namespace {

constexpr std::int16_t kUnsupportedVersion = 35;

bool IsGroup(Op::Kind kind) {
  return kind == Op::Kind::kArray || kind == Op::Kind::kTopicArray || kind == Op::Kind::kStruct ||
         kind == Op::Kind::kNullable;
}

}  // namespace

void Walker::Begin(const Start& start) {
  ops_ = start.schema->ops.data();
  findings_ = {};
  skip_ = start.skip;
  partial_size_ = 0;
  at_ = 0;
  depth_ = 0;
  version_ = static_cast<std::int8_t>(start.version);
  flexible_ = start.flexible;
  in_header_ = start.header_tags;
  state_ = start.header_tags ? State::kTagCount : State::kFields;
  may_be_unsupported_ = start.may_be_unsupported;
  topics_ = start.topics;
}

void Walker::OnBytes(Bytes bytes, std::uint32_t left, TopicSink& sink) {
  Cursor cursor{bytes, left};
  for (;;) {
    if (skip_ > 0) {
      const auto passed = static_cast<std::uint32_t>(std::min<std::size_t>(skip_, cursor.bytes.size()));
      cursor.Advance(passed);
      skip_ -= passed;
      if (skip_ > 0) return;
    }
    if (!Step(cursor, sink)) break;
  }
  if (state_ == State::kDone && cursor.left > 0) state_ = State::kOdd;
  if (state_ == State::kUnsupported && cursor.left == cursor.bytes.size()) state_ = State::kDone;
}

std::uint32_t Walker::OnGap(std::uint32_t length) {
  const std::uint32_t passed = std::min(skip_, length);
  skip_ -= passed;
  if (passed == length || state_ == State::kUnsupported) return length;
  if (state_ != State::kOdd) state_ = State::kCut;
  return passed;
}

// True when something was done, false when bytes are missing or the walk is over.
bool Walker::Step(Cursor& cursor, TopicSink& sink) {
  switch (state_) {
    case State::kFields: return StepField(cursor, sink);
    case State::kTagCount:
    case State::kTag:
    case State::kTagSize: return StepTags(cursor);
    case State::kStrings: return StepStrings(cursor);
    case State::kName: return StepName(cursor, sink);
    case State::kDone:
    case State::kUnsupported:
    case State::kOdd:
    case State::kCut: break;
  }
  return false;
}

bool Walker::StepField(Cursor& cursor, TopicSink& sink) {
  const Op& op = ops_[at_];
  if (version_ < op.from || version_ > op.to) {
    at_ = static_cast<std::uint8_t>((IsGroup(op.kind) ? op.size : at_) + 1);
    return true;
  }
  std::uint32_t length = 0;
  switch (op.kind) {
    case Op::Kind::kSkip: return Skip(op.size, cursor) && ++at_ != 0;
    case Op::Kind::kString:
    case Op::Kind::kBytes:
      return TakeLength(op.kind == Op::Kind::kBytes, length, cursor) && Skip(length, cursor) && ++at_ != 0;
    case Op::Kind::kSkipArray:
      return TakeLength(true, length, cursor) && Skip(std::uint64_t{length} * op.size, cursor) && ++at_ != 0;
    case Op::Kind::kStringArray:
      if (!TakeLength(true, elements_left_, cursor)) return false;
      state_ = State::kStrings;
      return true;
    case Op::Kind::kArray:
    case Op::Kind::kTopicArray:
      if (!TakeLength(true, length, cursor)) return false;
      if (op.kind == Op::Kind::kTopicArray) findings_.topics += length;
      return OpenGroup(length);
    case Op::Kind::kStruct: return OpenGroup(1);
    case Op::Kind::kNullable: return StepNullable(cursor);
    case Op::Kind::kClose:
      if (flexible_) {
        state_ = State::kTagCount;
      } else {
        CloseStruct();
      }
      return true;
    case Op::Kind::kTopic: return StepTopic(cursor, sink);
    case Op::Kind::kError:
    case Op::Kind::kAcks:
    case Op::Kind::kWait:
    case Op::Kind::kEpoch:
    case Op::Kind::kTopicId: break;
  }
  return StepNumber(op, cursor, sink);
}

bool Walker::StepNumber(const Op& op, Cursor& cursor, TopicSink& sink) {
  const std::uint8_t* raw = Take(op.size, cursor);
  if (raw == nullptr) return false;
  ++at_;
  switch (op.kind) {
    case Op::Kind::kError: FoundError(ReadInt16(raw)); break;
    case Op::Kind::kAcks: findings_.acks = ReadInt16(raw); break;
    case Op::Kind::kWait: findings_.wait_ms = ReadInt32(raw); break;
    case Op::Kind::kEpoch: findings_.session_epoch = ReadInt32(raw); break;
    default: {
      TopicId id;
      std::memcpy(id.data(), raw, id.size());
      if (TopicsAreTold()) sink.OnTopicId(id);
    }
  }
  return true;
}

void Walker::FoundError(std::int16_t code) {
  if (findings_.error == 0) findings_.error = code;
  if (code == kUnsupportedVersion && may_be_unsupported_) state_ = State::kUnsupported;
}

bool Walker::StepNullable(Cursor& cursor) {
  const std::uint8_t* marker = Take(1, cursor);
  return marker != nullptr && OpenGroup(*marker < 0x80 ? 1 : 0);
}

bool Walker::StepTopic(Cursor& cursor, TopicSink& sink) {
  std::uint32_t length = 0;
  if (!TakeLength(false, length, cursor)) return false;
  if (length > cursor.left) return Odd();
  ++at_;
  if (length > kTopicBytesMax || !TopicsAreTold()) return Skip(length, cursor);
  if (length > cursor.bytes.size()) {
    name_.clear();
    name_left_ = length;
    state_ = State::kName;
    return true;
  }
  const Bytes name = cursor.bytes.first(length);
  cursor.Advance(length);
  if (length > 0) sink.OnTopic(AsText(name));
  return true;
}

bool Walker::StepName(Cursor& cursor, TopicSink& sink) {
  const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(name_left_, cursor.bytes.size()));
  name_.append(AsText(cursor.bytes.first(taken)));
  cursor.Advance(taken);
  name_left_ -= taken;
  if (name_left_ > 0) return false;
  state_ = State::kFields;
  sink.OnTopic(name_);
  return true;
}

bool Walker::StepStrings(Cursor& cursor) {
  if (elements_left_ == 0) {
    state_ = State::kFields;
    ++at_;
    return true;
  }
  std::uint32_t length = 0;
  if (!TakeLength(false, length, cursor)) return false;
  --elements_left_;
  return Skip(length, cursor);
}

bool Walker::StepTags(Cursor& cursor) {
  std::uint32_t value = 0;
  if (!TakeVarint(value, cursor)) return false;
  if (state_ == State::kTagCount) {
    if (value > cursor.left) return Odd();
    tags_left_ = value;
    state_ = State::kTag;
  } else if (state_ == State::kTag) {
    state_ = State::kTagSize;
    return true;
  } else {
    --tags_left_;
    state_ = State::kTag;
    if (!Skip(value, cursor)) return false;
  }
  if (tags_left_ == 0) AfterTags();
  return true;
}

void Walker::AfterTags() {
  state_ = State::kFields;
  if (!in_header_) CloseStruct();
  in_header_ = false;
}

bool Walker::OpenGroup(std::uint32_t count) {
  if (count == 0) {
    at_ = static_cast<std::uint8_t>(ops_[at_].size + 1);
    return true;
  }
  levels_[depth_++] = {at_, count};
  ++at_;
  return true;
}

void Walker::CloseStruct() {
  if (depth_ == 0) {
    state_ = State::kDone;
    return;
  }
  Level& level = levels_[depth_ - 1u];
  if (--level.count > 0) {
    at_ = static_cast<std::uint8_t>(level.open + 1);
  } else {
    at_ = static_cast<std::uint8_t>(ops_[level.open].size + 1);
    --depth_;
  }
}

bool Walker::Skip(std::uint64_t count, Cursor& cursor) {
  if (count > cursor.left) return Odd();
  if (count <= cursor.bytes.size()) {
    cursor.Advance(static_cast<std::size_t>(count));
  } else {
    skip_ = static_cast<std::uint32_t>(count);
  }
  return true;
}

const std::uint8_t* Walker::Take(std::size_t size, Cursor& cursor) {
  if (size - partial_size_ > cursor.left) {
    Odd();
    return nullptr;
  }
  const std::size_t taken = std::min(size - partial_size_, cursor.bytes.size());
  const std::uint8_t* raw = cursor.bytes.data();
  cursor.Advance(taken);
  if (taken == size) return raw;
  if (taken > 0) std::memcpy(partial_.data() + partial_size_, raw, taken);
  partial_size_ = static_cast<std::uint8_t>(partial_size_ + taken);
  if (partial_size_ < size) return nullptr;
  partial_size_ = 0;
  return partial_.data();
}

bool Walker::TakeVarint(std::uint32_t& value, Cursor& cursor) {
  constexpr std::uint8_t kBytesMax = 5;
  if (partial_size_ == 0 && !cursor.bytes.empty() && cursor.bytes[0] < 0x80) {
    value = cursor.bytes[0];
    cursor.Advance(1);
    return true;
  }
  for (;;) {
    if (cursor.left == 0) return Odd();
    if (cursor.bytes.empty()) return false;
    const std::uint8_t byte = cursor.bytes[0];
    cursor.Advance(1);
    partial_[partial_size_++] = byte;
    if (byte < 0x80) break;
    if (partial_size_ == kBytesMax) return Odd();
  }
  std::uint64_t sum = 0;
  for (std::uint8_t i = 0; i < partial_size_; ++i) sum |= std::uint64_t{partial_[i] & 0x7fu} << (7 * i);
  partial_size_ = 0;
  if (sum > UINT32_MAX) return Odd();
  value = static_cast<std::uint32_t>(sum);
  return true;
}

bool Walker::TakeLength(bool wide, std::uint32_t& length, Cursor& cursor) {
  if (flexible_) {
    if (!TakeVarint(length, cursor)) return false;
    length -= length > 0 ? 1 : 0;
  } else {
    const std::uint8_t* raw = Take(wide ? 4 : 2, cursor);
    if (raw == nullptr) return false;
    const std::int32_t value = wide ? ReadInt32(raw) : ReadInt16(raw);
    if (value < -1) return Odd();
    length = static_cast<std::uint32_t>(std::max(value, 0));
  }
  // Of an array, too, each element has a byte at least.
  if (length > cursor.left) return Odd();
  return true;
}

}  // namespace wiregauge::decode::kafka
