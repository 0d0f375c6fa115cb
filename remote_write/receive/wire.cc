#include "remote_write/receive/wire.h"

namespace wiregauge::receive {

std::uint32_t WireReader::ReadLongTag() {
  std::uint64_t tag = 0;
  for (unsigned shift = 0; shift < 35 && position_ < end_; shift += 7) {
    const std::uint8_t byte = *position_++;
    tag |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      const auto low = static_cast<std::uint32_t>(tag);
      return (low >> 3) != 0 ? low : Fail32();
    }
  }
  return Fail32();
}

std::uint64_t WireReader::ReadLongSize() {
  std::uint64_t size = 0;
  for (unsigned shift = 0; shift < 35 && position_ < end_; shift += 7) {
    const std::uint8_t byte = *position_++;
    size |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    if (size > 0x7fffffff) break;  // no protobuf message is longer than 2 GiB
    return size;
  }
  Fail();
  return 0;
}

void WireReader::SkipValue(std::uint32_t tag, int depth) {
  switch (static_cast<WireType>(tag & 7)) {
    case WireType::kVarint: ReadVarint(); return;
    case WireType::kFixed64: ReadFixed64(); return;
    case WireType::kLength: ReadLength(); return;
    case WireType::kGroup: SkipGroup(tag >> 3, depth + 1); return;
    case WireType::kFixed32:
      if (end_ - position_ < 4) {
        Fail();
      } else {
        position_ += 4;
      }
      return;
    case WireType::kEndGroup: break;
  }
  Fail();
}

void WireReader::SkipGroup(std::uint32_t field, int depth) {
  if (depth > kMaxGroupDepth) {
    Fail();
    return;
  }
  while (!AtEnd()) {
    const std::uint32_t tag = ReadTag();
    if (tag == Tag(field, WireType::kEndGroup)) return;
    if (!ok_) return;
    SkipValue(tag, depth);
  }
  Fail();
}

}  // namespace wiregauge::receive
