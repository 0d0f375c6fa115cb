#include "remote_write/store/codec.h"

#include <algorithm>
#include <array>

#include "remote_write/store/decimal.h"
#include "remote_write/store/integer_column.h"
#include "remote_write/store/xor_column.h"

namespace wiregauge::store {
namespace {

enum Mode : std::uint8_t { kConstant = 0, kDecimal = 1, kXor = 2, kRaw = 3 };

// One value in 16 may be no decimal (a stale marker, a NaN) at 9 to 10 bytes each; above that XOR is smaller.
std::size_t ExceptionsMax(std::size_t count) { return count / 16 + 1; }

// Bytes a value from which decimals are compared with XOR.
constexpr std::size_t kWideBytes = 4;

struct Decimals {
  unsigned exponent = 0;
  std::size_t exceptions = 0;
  std::array<std::int64_t, kBlockSamplesMax> mantissas;
  std::array<std::uint16_t, kBlockSamplesMax / 16 + 2> exception_positions;
};

// The smallest exponent at which nearly all values are integers; false when too many are at none.
bool FindExponent(std::span<const std::uint64_t> values, Decimals& found) {
  std::size_t misfits = 0;
  for (const std::uint64_t bits : values) {
    std::int64_t mantissa = 0;
    unsigned exponent = found.exponent;
    while (exponent <= kDecimalExponentMax && !ToDecimal(bits, exponent, mantissa)) ++exponent;
    if (exponent <= kDecimalExponentMax) {
      found.exponent = exponent;
    } else if (++misfits > ExceptionsMax(values.size())) {
      return false;
    }
  }
  return true;
}

bool ToDecimals(std::span<const std::uint64_t> values, Decimals& found) {
  if (!FindExponent(values, found)) return false;
  std::int64_t previous = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!ToDecimal(values[i], found.exponent, found.mantissas[i])) {
      if (found.exceptions == ExceptionsMax(values.size())) return false;
      found.exception_positions[found.exceptions++] = static_cast<std::uint16_t>(i);
      found.mantissas[i] = previous;  // the slot costs least when it repeats its neighbour
    }
    previous = found.mantissas[i];
  }
  return true;
}

void EncodeDecimals(std::span<const std::uint64_t> values, const Decimals& decimals, std::string& out) {
  out.push_back(static_cast<char>(kDecimal));
  out.push_back(static_cast<char>(decimals.exponent));
  AppendVarint(out, decimals.exceptions);
  for (std::size_t i = 0; i < decimals.exceptions; ++i) {
    const std::uint16_t position = decimals.exception_positions[i];
    AppendVarint(out, position);
    AppendRaw(out, values[position]);
  }
  EncodeIntegers(std::span(decimals.mantissas).first(values.size()), out);
}

bool DecodeDecimals(ByteReader& in, std::span<std::uint64_t> out) {
  const auto exponent = in.Read<std::uint8_t>();
  const std::uint64_t exceptions = in.Varint();
  if (!in.ok() || exponent > kDecimalExponentMax || exceptions > ExceptionsMax(out.size())) return false;
  std::array<std::pair<std::uint64_t, std::uint64_t>, kBlockSamplesMax / 16 + 2> patches;  // position, bits
  for (std::uint64_t i = 0; i < exceptions; ++i) {
    patches[i].first = in.Varint();
    patches[i].second = in.Read<std::uint64_t>();
    if (!in.ok() || patches[i].first >= out.size()) return false;
  }
  std::array<std::int64_t, kBlockSamplesMax> mantissas;
  if (!DecodeIntegers(in, std::span(mantissas).first(out.size()))) return false;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = FromDecimal(mantissas[i], exponent);
  for (std::uint64_t i = 0; i < exceptions; ++i) out[patches[i].first] = patches[i].second;
  return true;
}

void EncodeXorOrRaw(std::span<const std::uint64_t> values, std::string& out) {
  const std::size_t start = out.size();
  out.push_back(static_cast<char>(kXor));
  EncodeXor(values, out);
  if (out.size() - start <= 1 + values.size_bytes()) return;
  out.resize(start);
  out.push_back(static_cast<char>(kRaw));
  out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

bool DecodeRaw(ByteReader& in, std::span<std::uint64_t> out) {
  const Bytes raw = in.Take(out.size_bytes());
  if (!in.ok()) return false;
  std::memcpy(out.data(), raw.data(), raw.size());
  return true;
}

bool DecodeColumn(ByteReader& in, std::span<std::uint64_t> out) {
  switch (in.Read<std::uint8_t>()) {
    case kConstant: std::fill(out.begin(), out.end(), in.Read<std::uint64_t>()); return in.ok();
    case kDecimal: return DecodeDecimals(in, out);
    case kXor: return DecodeXor(in, out);
    case kRaw: return DecodeRaw(in, out);
    default: return false;
  }
}

}  // namespace

void EncodeTimestamps(std::span<const std::int64_t> timestamps_ms, std::string& out) {
  EncodeIntegers(timestamps_ms, out);
}

bool DecodeTimestamps(Bytes column, std::span<std::int64_t> out) {
  if (out.empty() || out.size() > kBlockSamplesMax) return false;
  ByteReader in(column);
  return DecodeIntegers(in, out) && in.remaining() == 0;
}

void EncodeValues(std::span<const std::uint64_t> value_bits, std::string& out) {
  const auto same = [&](std::uint64_t bits) { return bits == value_bits[0]; };
  if (std::all_of(value_bits.begin(), value_bits.end(), same)) {
    out.push_back(static_cast<char>(kConstant));
    AppendRaw(out, value_bits[0]);
    return;
  }
  Decimals decimals;
  if (!ToDecimals(value_bits, decimals)) return EncodeXorOrRaw(value_bits, out);
  const std::size_t start = out.size();
  EncodeDecimals(value_bits, decimals, out);
  if (out.size() - start <= kWideBytes * value_bits.size()) return;
  std::string other;  // integers that jump about may be smaller as they were
  EncodeXorOrRaw(value_bits, other);
  if (other.size() < out.size() - start) out.replace(start, std::string::npos, other);
}

bool DecodeValues(Bytes column, std::span<std::uint64_t> out) {
  if (out.empty() || out.size() > kBlockSamplesMax) return false;
  ByteReader in(column);
  return DecodeColumn(in, out) && in.remaining() == 0;
}

}  // namespace wiregauge::store
