// The byte stream of a series' open samples (memory only, so it has no version): what a sample adds to the one before.
// Pure. Each unit starts with a tag byte:
//   1nnnnnnn             n samples with the step and value of the one before
//   0tvv0000             t: a zigzag varint of (step - step before) follows; then by vv the value:
//     00 as before  01 zigzag varint of the decimal mantissa's difference  10 a byte (shift << 4 | count) and `count`
//     bytes of the XOR with the value before, shifted left by 8 * shift bits  11 a new decimal exponent, then as 01
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "remote_write/store/sample.h"

namespace wiregauge::store {

inline constexpr std::size_t kUnitBytesMax = 1 + 10 + 1 + 10;
inline constexpr unsigned kRepeatsPerUnitMax = 127;
inline constexpr std::uint8_t kStreamNotDecimal = 0xff;

// What both ends know after a sample.
struct StreamState {
  Sample last;
  std::int32_t step_ms = 0;
  std::uint8_t exponent = 0;
};

// The step that the stream predicts after this one: 0 when it is too long to keep.
constexpr std::int32_t KeptStep(std::int64_t step_ms) {
  return step_ms == static_cast<std::int32_t>(step_ms) ? static_cast<std::int32_t>(step_ms) : 0;
}

// Writes the unit for `next`, later than state.last, to `out` (kUnitBytesMax bytes) and moves the state on. Returns the
// unit's size.
std::size_t EncodeUnit(StreamState& state, const Sample& next, char* out);

// Appends the samples of a whole stream to `out`, `first` being the one before it.
void DecodeStream(std::string_view stream, const Sample& first, std::vector<Sample>& out);

}  // namespace wiregauge::store
