// The store's vocabulary: what encode hands to it and what queries read back.
#pragma once

#include <bit>
#include <cstdint>

namespace wiregauge::store {

// Dense, given by encode in order of first sight, never reused while its data lives. 0 is no series.
using SeriesId = std::uint32_t;

// One value of one series. The value is kept as its bits: stale markers (0x7ff0000000000002), NaN payloads, -0.0 and
// infinities come back as they went in.
struct Sample {
  std::int64_t timestamp_ms = 0;
  std::uint64_t value_bits = 0;

  [[nodiscard]] double value() const { return std::bit_cast<double>(value_bits); }
  bool operator==(const Sample&) const = default;
};

struct SeriesSample {
  SeriesId series = 0;
  Sample sample;
};

}  // namespace wiregauge::store
