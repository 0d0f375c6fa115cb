// Reading the protobuf wire format over borrowed bytes, without allocating: what the generated code of libprotobuf 3
// accepts is accepted, what it refuses is refused (the differential test holds both to it).
// Source: https://protobuf.dev/programming-guides/encoding/.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace wiregauge::receive {

enum class WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kLength = 2, kGroup = 3, kEndGroup = 4, kFixed32 = 5 };

constexpr std::uint32_t Tag(std::uint32_t field, WireType type) {
  return field << 3 | static_cast<std::uint32_t>(type);
}

// A cursor over one message. After a malformed read ok() is false for good and the cursor stands at the end, so loops
// `while (!reader.AtEnd())` stop: check ok() once after them. One thread.
class WireReader {
 public:
  explicit WireReader(Bytes message) : position_(message.data()), end_(message.data() + message.size()) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool AtEnd() const { return position_ == end_; }
  [[nodiscard]] const std::uint8_t* position() const { return position_; }
  [[nodiscard]] std::uint8_t Peek() const { return *position_; }  // only when !AtEnd()

  // The next tag, or 0 after a malformed one (0 is no valid tag). At most 5 bytes, of which 32 bits count.
  std::uint32_t ReadTag() {
    if (position_ < end_ && *position_ < 0x80) {
      const std::uint32_t tag = *position_++;
      return (tag >> 3) != 0 ? tag : Fail32();
    }
    return ReadLongTag();
  }

  // The length prefix and that many bytes, borrowed.
  Bytes ReadLength() {
    std::uint64_t size = 0;
    if (position_ < end_ && *position_ < 0x80) {
      size = *position_++;
    } else {
      size = ReadLongSize();
    }
    if (size > static_cast<std::uint64_t>(end_ - position_)) {
      Fail();
      return {};
    }
    const Bytes taken{position_, static_cast<std::size_t>(size)};
    position_ += size;
    return taken;
  }

  // At most 10 bytes; bits beyond 64 are dropped, as libprotobuf and gogoproto do.
  std::uint64_t ReadVarint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && position_ < end_; shift += 7) {
      const std::uint8_t byte = *position_++;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    Fail();
    return 0;
  }

  std::uint64_t ReadFixed64() {
    if (end_ - position_ < 8) {
      Fail();
      return 0;
    }
    std::uint64_t value = 0;
    std::memcpy(&value, position_, 8);
    position_ += 8;
    return value;
  }

  // Steps over length fields of this one-byte tag that follow each other and are shorter than 128 bytes; stops before
  // any other, and before one that reaches past the end.
  void SkipShortRun(std::uint32_t tag) {
    while (end_ - position_ >= 2 && position_[0] == tag && position_[1] < 0x80 &&
           position_[1] <= end_ - position_ - 2) {
      position_ += 2 + position_[1];
    }
  }

  // Steps over the value of an unknown field. Groups nest at most kMaxGroupDepth deep.
  void Skip(std::uint32_t tag) { SkipValue(tag, 0); }

  void Fail() {
    ok_ = false;
    position_ = end_;
  }

 private:
  static constexpr int kMaxGroupDepth = 100;  // libprotobuf's recursion limit

  std::uint32_t Fail32() {
    Fail();
    return 0;
  }
  std::uint32_t ReadLongTag();
  std::uint64_t ReadLongSize();
  void SkipValue(std::uint32_t tag, int depth);
  void SkipGroup(std::uint32_t field, int depth);

  const std::uint8_t* position_;
  const std::uint8_t* end_;
  bool ok_ = true;
};

}  // namespace wiregauge::receive
