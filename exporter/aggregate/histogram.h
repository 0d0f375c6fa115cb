// Latency histograms as integers: exact counts, exact sum in nanoseconds, the same whatever the order of additions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "exporter/aggregate/snapshot.h"

namespace wiregauge::aggregate {

// Upper bounds of request durations in nanoseconds: those that OpenTelemetry advises for HTTP (5 ms to 10 s), and three
// below them, because services on one host answer in less than 5 ms.
inline constexpr std::array<std::uint64_t, 17> kRequestBoundsNs = {
    500'000,       1'000'000,     2'500'000,     5'000'000,     10'000'000,    25'000'000,
    50'000'000,    75'000'000,    100'000'000,   250'000'000,   500'000'000,   750'000'000,
    1'000'000'000, 2'500'000'000, 5'000'000'000, 7'500'000'000, 10'000'000'000};

struct DurationHistogram {
  std::array<std::uint64_t, kRequestBoundsNs.size() + 1> buckets{};  // not cumulative
  std::uint64_t sum_ns = 0;

  void Observe(std::uint64_t duration_ns) {
    std::size_t bucket = 0;
    for (const std::uint64_t bound : kRequestBoundsNs) bucket += duration_ns > bound ? 1 : 0;
    ++buckets[bucket];
    sum_ns += duration_ns;
  }
};

// The histogram part of a point: bounds in `units_per_second`ths of a second, plain bucket counts (one more than
// bounds), the sum in the same unit.
template <typename Bound, std::size_t N>
void FillHistogram(const std::array<Bound, N>& bounds, const std::array<std::uint64_t, N + 1>& buckets,
                   std::uint64_t sum, double units_per_second, Point& point) {
  point.buckets.resize(N + 1);
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i <= N; ++i) {
    cumulative += buckets[i];
    const double bound =
        i < N ? static_cast<double>(bounds[i]) / units_per_second : std::numeric_limits<double>::infinity();
    point.buckets[i] = {bound, cumulative};
  }
  point.count = cumulative;
  point.sum = static_cast<double>(sum) / units_per_second;
}

}  // namespace wiregauge::aggregate
