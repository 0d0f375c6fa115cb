// Doubles that are decimals, as integers: value = mantissa / 10^exponent, checked bit for bit both ways.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace wiregauge::store {

inline constexpr unsigned kDecimalExponentMax = 12;
inline constexpr std::array<double, kDecimalExponentMax + 1> kPowersOfTen = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                                                             1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

inline std::uint64_t FromDecimal(std::int64_t mantissa, unsigned exponent) {
  const auto value = static_cast<double>(mantissa);
  return std::bit_cast<std::uint64_t>(exponent == 0 ? value : value / kPowersOfTen[exponent]);
}

// True when `mantissa` was set so that FromDecimal gives `bits` back. False for NaN, infinities and -0.0.
inline bool ToDecimal(std::uint64_t bits, unsigned exponent, std::int64_t& mantissa) {
  const auto value = std::bit_cast<double>(bits);
  if (exponent == 0) {
    constexpr double kLimit = 0x1p62;  // well inside int64: the conversion is defined
    if (!(value > -kLimit && value < kLimit)) return false;
    mantissa = static_cast<std::int64_t>(value);
  } else {
    // Adding and taking away 1.5 * 2^52 rounds to the nearest integer; exact below 2^51.
    constexpr double kRounder = 0x1.8p52;
    constexpr double kLimit = 0x1p51;
    const double scaled = value * kPowersOfTen[exponent];
    if (!(scaled > -kLimit && scaled < kLimit)) return false;
    mantissa = static_cast<std::int64_t>((scaled + kRounder) - kRounder);
  }
  return FromDecimal(mantissa, exponent) == bits;
}

}  // namespace wiregauge::store
