// What a Kafka message is made of, from a line of text to operations that a walker follows. The text is the protocol
// guide's notation (kafka.apache.org/protocol) without the field names, checked and translated by the compiler:
//
//   int8 int16 int32 int64 bool uuid float64   a field of that size
//   string bytes                               with its length before it; bytes are records too
//   [ … ]     an array of structures           { … }   a structure
//   *int32    an array of values               ?{ … }  a structure that may be null
//   error topic topic_id acks wait epoch       an int16, string, uuid, int16, int32, int32 that is looked at
//
// Behind each the versions that have it: @3+ from 3 on, @0-7 from 0 to 7, @1 only 1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wiregauge::decode::kafka {

struct Op {
  enum class Kind : std::uint8_t {
    kSkip,         // `size` bytes
    kString,       // a length and its bytes
    kBytes,        // the same, the length has 4 bytes before the flexible versions
    kArray,        // of structures, up to the kClose at `size`
    kTopicArray,   // the same; each has a topic
    kSkipArray,    // of values of `size` bytes
    kStringArray,  // of strings
    kStruct,       // up to the kClose at `size`
    kNullable,     // the same behind a byte, which is negative for none
    kClose,
    kError,
    kTopic,
    kTopicId,
    kAcks,
    kWait,
    kEpoch,
  };

  Kind kind = Kind::kClose;
  std::uint8_t size = 0;
  std::int8_t from = 0;  // versions
  std::int8_t to = 0;
};

inline constexpr std::int8_t kAnyVersion = 127;
// The longest of the schemas.
inline constexpr std::size_t kSchemaOpsMax = 40;
// Arrays and structures inside each other, the message itself not counted.
inline constexpr std::size_t kNestingMax = 4;

// `walked` is false for a message whose inside is not described.
struct Schema {
  std::array<Op, kSchemaOpsMax> ops{};  // the last one is a kClose: the message's own
  bool walked = false;
};

namespace internal {

class SchemaReader {
 public:
  constexpr explicit SchemaReader(std::string_view text) : text_(text) {}

  constexpr Schema Read() {
    schema_.walked = true;
    ReadFields('\0', 0);
    Append(Op::Kind::kClose, 0);
    return schema_;
  }

 private:
  // Fields up to `close`. True when a topic is among them, not deeper.
  constexpr bool ReadFields(char close, std::size_t depth) {
    Require(depth <= kNestingMax);
    bool topic = false;
    for (;;) {
      while (Peek() == ' ') ++at_;
      if (Peek() == close) {
        if (close != '\0') ++at_;
        return topic;
      }
      const char c = Peek();
      if (c == '[') {
        ReadGroup(1, ']', depth);
      } else if (c == '{') {
        ReadGroup(1, '}', depth);
      } else if (c == '?') {
        ReadGroup(2, '}', depth);
      } else {
        topic |= ReadField();
      }
    }
  }

  constexpr void ReadGroup(std::size_t prefix, char close, std::size_t depth) {
    const std::size_t open = size_;
    Append(close == ']' ? Op::Kind::kArray : prefix == 1 ? Op::Kind::kStruct : Op::Kind::kNullable, 0);
    at_ += prefix;
    const bool topic = ReadFields(close, depth + 1);
    if (topic && close == ']') schema_.ops[open].kind = Op::Kind::kTopicArray;
    schema_.ops[open].size = static_cast<std::uint8_t>(size_);
    Append(Op::Kind::kClose, 0);
    ReadVersions(schema_.ops[open]);
  }

  constexpr bool ReadField() {
    const bool array = Peek() == '*';
    if (array) ++at_;
    const std::size_t begin = at_;
    while (Peek() == '_' || (Peek() >= 'a' && Peek() <= 'z') || (Peek() >= '0' && Peek() <= '9')) ++at_;
    const Op op = FieldOf(text_.substr(begin, at_ - begin));
    const Op::Kind element = op.kind == Op::Kind::kString ? Op::Kind::kStringArray : Op::Kind::kSkipArray;
    Append(array ? element : op.kind, op.size);
    ReadVersions(schema_.ops[size_ - 1]);
    return op.kind == Op::Kind::kTopic || op.kind == Op::Kind::kTopicId;
  }

  static constexpr Op FieldOf(std::string_view name) {
    using Kind = Op::Kind;
    struct Named {
      std::string_view name;
      Kind kind;
      std::uint8_t size;
    };
    constexpr Named kFields[] = {
        {"int8", Kind::kSkip, 1},   {"bool", Kind::kSkip, 1},     {"int16", Kind::kSkip, 2},
        {"int32", Kind::kSkip, 4},  {"int64", Kind::kSkip, 8},    {"float64", Kind::kSkip, 8},
        {"uuid", Kind::kSkip, 16},  {"string", Kind::kString, 0}, {"bytes", Kind::kBytes, 0},
        {"error", Kind::kError, 2}, {"topic", Kind::kTopic, 0},   {"topic_id", Kind::kTopicId, 16},
        {"acks", Kind::kAcks, 2},   {"wait", Kind::kWait, 4},     {"epoch", Kind::kEpoch, 4},
    };
    for (const Named& field : kFields) {
      if (field.name == name) return {field.kind, field.size, 0, 0};
    }
    throw "no such field";
  }

  constexpr void ReadVersions(Op& op) {
    op.from = 0;
    op.to = kAnyVersion;
    if (Peek() != '@') return;
    ++at_;
    op.from = op.to = ReadNumber();
    if (Peek() == '+') {
      ++at_;
      op.to = kAnyVersion;
    } else if (Peek() == '-') {
      ++at_;
      op.to = ReadNumber();
    }
    Require(op.from <= op.to);
  }

  constexpr std::int8_t ReadNumber() {
    int number = 0;
    Require(Peek() >= '0' && Peek() <= '9');
    while (Peek() >= '0' && Peek() <= '9') number = number * 10 + (text_[at_++] - '0');
    Require(number < kAnyVersion);
    return static_cast<std::int8_t>(number);
  }

  constexpr void Append(Op::Kind kind, std::uint8_t size) {
    Require(size_ < kSchemaOpsMax);
    schema_.ops[size_++] = {kind, size, 0, kAnyVersion};
  }
  [[nodiscard]] constexpr char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  static constexpr void Require(bool holds) {
    if (!holds) throw "schema";
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t size_ = 0;
  Schema schema_;
};

}  // namespace internal

// "-": not described.
constexpr Schema MakeSchema(std::string_view text) {
  return text == "-" ? Schema{} : internal::SchemaReader(text).Read();
}

}  // namespace wiregauge::decode::kafka
