// Latency histograms as integers: exact counts, exact sum in nanoseconds, the same whatever the order of additions.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "exporter/aggregate/clocks.h"
#include "exporter/aggregate/native_histogram.h"
#include "exporter/aggregate/snapshot.h"
#include "exporter/decode/trace_context.h"

namespace wiregauge::aggregate {

// Upper bounds of the durations of HTTP requests and RPCs in nanoseconds: those that OpenTelemetry advises (5 ms to
// 10 s), and three below them, because services on one host answer in less than 5 ms.
inline constexpr std::array<std::uint64_t, 17> kRequestBoundsNs = {
    500'000,       1'000'000,     2'500'000,     5'000'000,     10'000'000,    25'000'000,
    50'000'000,    75'000'000,    100'000'000,   250'000'000,   500'000'000,   750'000'000,
    1'000'000'000, 2'500'000'000, 5'000'000'000, 7'500'000'000, 10'000'000'000};
// Of databases, caches, queues and DNS, which answer in less than that: OpenTelemetry's for databases among them.
inline constexpr std::array<std::uint64_t, 16> kQuickBoundsNs = {
    100'000,    250'000,     500'000,     1'000'000,   2'500'000,     5'000'000,     10'000'000,    25'000'000,
    50'000'000, 100'000'000, 250'000'000, 500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};

// The upper bounds (inclusive) of a family's classic buckets. Immutable.
class DurationBounds {
 public:
  static constexpr std::size_t kBoundsMax = 24;

  // `standard` and what of `extra` is not in it, in any order; no more than kBoundsMax in all, the largest are left
  // out.
  explicit DurationBounds(std::span<const std::uint64_t> standard, std::span<const std::uint64_t> extra = {});

  // The index of the bucket: 0 to size().
  [[nodiscard]] std::size_t BucketOf(std::uint64_t duration_ns) const {
    std::size_t bucket = first_[static_cast<std::size_t>(std::bit_width(duration_ns))];
    while (bucket < count_ && duration_ns > bounds_ns_[bucket]) ++bucket;
    return bucket;
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::span<const std::uint64_t> bounds_ns() const { return {bounds_ns_.data(), count_}; }

 private:
  std::array<std::uint64_t, kBoundsMax> bounds_ns_{};
  std::array<std::uint8_t, 65> first_{};  // by bit width: the bucket of the least number of that width
  std::size_t count_ = 0;
};

// The last request with a trace in each bucket that had one. One thread at a time.
class Exemplars {
 public:
  void Keep(std::size_t bucket, const decode::Trace& trace, std::uint64_t duration_ns, std::uint64_t end_ns);
  // Points' exemplars, their times fixed at the first call, so that the same exemplar never moves.
  [[nodiscard]] std::vector<Exemplar> Collect(Now now);

 private:
  struct Kept {
    decode::Trace trace;
    std::uint64_t duration_ns = 0;
    std::uint64_t end_ns = 0;  // monotonic
    std::int64_t unix_ms = 0;  // of end_ns; 0 before the first Collect
    std::size_t bucket = 0;
  };
  std::vector<Kept> kept_;  // by bucket
};

// Durations of one series, in both kinds of buckets. One thread at a time.
struct DurationHistogram {
  std::uint64_t sum_ns = 0;
  NativeHistogram native;
  std::array<std::uint64_t, DurationBounds::kBoundsMax + 1> buckets{};  // not cumulative
  Exemplars exemplars;

  // `trace` may be null.
  void Observe(const DurationBounds& bounds, std::uint64_t duration_ns, const decode::Trace* trace,
               std::uint64_t end_ns) {
    const std::size_t bucket = bounds.BucketOf(duration_ns);
    ++buckets[bucket];
    sum_ns += duration_ns;
    native.Observe(duration_ns);
    if (trace != nullptr) exemplars.Keep(bucket, *trace, duration_ns, end_ns);
  }
};

// The histogram part of a point: bounds in `units_per_second`ths of a second, plain bucket counts (one more than
// bounds), the sum in the same unit.
template <typename Bound>
void FillHistogram(std::span<const Bound> bounds, std::span<const std::uint64_t> buckets, std::uint64_t sum,
                   double units_per_second, Point& point) {
  const std::size_t bounds_count = bounds.size();
  point.buckets.resize(bounds_count + 1);
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i <= bounds_count; ++i) {
    cumulative += buckets[i];
    const double bound =
        i < bounds_count ? static_cast<double>(bounds[i]) / units_per_second : std::numeric_limits<double>::infinity();
    point.buckets[i] = {bound, cumulative};
  }
  point.count = cumulative;
  point.sum = static_cast<double>(sum) / units_per_second;
}

// All of the histogram's parts. Fixes the times of exemplars.
void FillDurations(const DurationBounds& bounds, DurationHistogram& histogram, Now now, Point& point);

}  // namespace wiregauge::aggregate
