// A column of integers in few bytes: one constant, a straight line, or groups of at most 128 values (or of their
// differences) packed in as many bits as the group's range needs. Pure. The byte grammar is in README.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"

namespace wiregauge::store {

// Values a group shares one bit width over, so that one spike costs one group.
inline constexpr std::size_t kGroupValuesMax = 128;

// Maps small negative and positive numbers to small unsigned ones, as protobuf's sint64.
constexpr std::uint64_t ZigZag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t UnZigZag(std::uint64_t coded) {
  return static_cast<std::int64_t>((coded >> 1) ^ (~(coded & 1) + 1));
}

// Appends the column to `out`. At least one value; any int64 values (differences wrap).
void EncodeIntegers(std::span<const std::int64_t> values, std::string& out);

// Reads exactly out.size() values; what follows in `in` stays unread. False, with `out` unspecified, on bytes that
// EncodeIntegers does not write.
bool DecodeIntegers(ByteReader& in, std::span<std::int64_t> out);

}  // namespace wiregauge::store
