#include "remote_write/store/open_stream.h"

#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "base/error.h"
#include "remote_write/store/decimal.h"
#include "remote_write/store/integer_column.h"

namespace wiregauge::store {
namespace {

enum ValueCode : unsigned { kSame = 0x00, kMantissaStep = 0x10, kXored = 0x20, kNewExponent = 0x30 };
constexpr unsigned kValueMask = 0x30;
constexpr unsigned kNewStep = 0x40;
constexpr unsigned kRepeat = 0x80;
// Four places cover CPU seconds, ratios and prices; more only costs trials.
constexpr std::uint8_t kStreamExponentMax = 4;

char* PutVarint(char* out, std::uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

// Mantissas of both values at the smallest exponent, from state.exponent on, at which both are integers.
bool FindMantissas(const StreamState& state, std::uint64_t bits, std::uint8_t& exponent, std::int64_t& before,
                   std::int64_t& after) {
  for (exponent = state.exponent; exponent <= kStreamExponentMax; ++exponent) {
    if (ToDecimal(bits, exponent, after) && ToDecimal(state.last.value_bits, exponent, before)) return true;
  }
  return false;
}

char* PutXored(std::uint64_t bits, char* out) {
  const unsigned shift = static_cast<unsigned>(std::countr_zero(bits)) / 8;
  const std::uint64_t kept = bits >> (8 * shift);
  const unsigned count = (static_cast<unsigned>(std::bit_width(kept)) + 7) / 8;
  *out++ = static_cast<char>(shift << 4 | count);
  std::memcpy(out, &kept, 8);
  return out + count;
}

// The value's bytes after the tag; returns the tag's value code.
unsigned PutValue(StreamState& state, std::uint64_t bits, char*& out) {
  if (bits == state.last.value_bits) return kSame;
  std::uint8_t exponent = 0;
  std::int64_t before = 0;
  std::int64_t after = 0;
  if (state.exponent != kStreamNotDecimal && FindMantissas(state, bits, exponent, before, after)) {
    const bool changed = exponent != state.exponent;
    if (changed) *out++ = static_cast<char>(exponent);
    state.exponent = exponent;
    out = PutVarint(out, ZigZag(after - before));
    return changed ? kNewExponent : kMantissaStep;
  }
  // A NaN says nothing about the values after it; a number that is no decimal does.
  const auto number = std::bit_cast<double>(bits);
  if (number == number && state.last.value() == state.last.value()) state.exponent = kStreamNotDecimal;
  out = PutXored(bits ^ state.last.value_bits, out);
  return kXored;
}

std::uint64_t GetValue(ByteReader& in, unsigned code, StreamState& state) {
  if (code == kSame) return state.last.value_bits;
  if (code == kXored) {
    const unsigned shape = in.Read<std::uint8_t>();
    const Bytes raw = in.Take(shape & 0x0f);
    std::uint64_t kept = 0;
    std::memcpy(&kept, raw.data(), raw.size());
    return state.last.value_bits ^ (kept << (8 * (shape >> 4)));
  }
  if (code == kNewExponent) state.exponent = in.Read<std::uint8_t>();
  std::int64_t before = 0;
  static_cast<void>(ToDecimal(state.last.value_bits, state.exponent, before));  // true: the encoder checked
  return FromDecimal(before + UnZigZag(in.Varint()), state.exponent);
}

}  // namespace

std::size_t EncodeUnit(StreamState& state, const Sample& next, char* out) {
  char* end = out + 1;
  const std::int64_t step = next.timestamp_ms - state.last.timestamp_ms;
  unsigned tag = 0;
  if (step != state.step_ms) {
    tag = kNewStep;
    end = PutVarint(end, ZigZag(step - state.step_ms));
    state.step_ms = KeptStep(step);
  }
  tag |= PutValue(state, next.value_bits, end);
  *out = static_cast<char>(tag);
  state.last = next;
  return static_cast<std::size_t>(end - out);
}

void DecodeStream(std::string_view stream, const Sample& first, std::vector<Sample>& out) {
  ByteReader in(AsBytes(stream));
  StreamState state{first};
  while (in.remaining() > 0) {
    const unsigned tag = in.Read<std::uint8_t>();
    if ((tag & kRepeat) != 0) {
      for (unsigned i = 0; i < (tag & kRepeatsPerUnitMax); ++i) {
        state.last.timestamp_ms += state.step_ms;
        out.push_back(state.last);
      }
      continue;
    }
    std::int64_t step = state.step_ms;
    if ((tag & kNewStep) != 0) step += UnZigZag(in.Varint());
    state.last.value_bits = GetValue(in, tag & kValueMask, state);
    state.last.timestamp_ms += step;
    state.step_ms = KeptStep(step);
    out.push_back(state.last);
  }
  if (!in.ok()) Bug("open stream: units end early");
}

}  // namespace wiregauge::store
