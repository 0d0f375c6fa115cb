#include "exporter/aggregate/histogram.h"

#include <gtest/gtest.h>

#include <vector>

namespace wiregauge::aggregate {
namespace {

std::size_t BucketByHand(std::span<const std::uint64_t> bounds, std::uint64_t duration_ns) {
  std::size_t bucket = 0;
  for (const std::uint64_t bound : bounds) bucket += duration_ns > bound ? 1 : 0;
  return bucket;
}

TEST(DurationBounds, EveryBoundIsInItsBucketAndTheNextNanosecondIsNot) {
  const auto check = [](std::span<const std::uint64_t> bounds_ns) {
    const DurationBounds bounds(bounds_ns);
    EXPECT_EQ(bounds.size(), bounds_ns.size());
    for (const std::uint64_t bound : bounds_ns) {
      for (const std::uint64_t duration : {bound - 1, bound, bound + 1}) {
        EXPECT_EQ(bounds.BucketOf(duration), BucketByHand(bounds_ns, duration)) << duration;
      }
    }
    for (unsigned shift = 0; shift < 64; ++shift) {
      for (const std::uint64_t duration : {(1ULL << shift) - 1, 1ULL << shift, (1ULL << shift) + 1}) {
        EXPECT_EQ(bounds.BucketOf(duration), BucketByHand(bounds_ns, duration)) << duration;
      }
    }
    EXPECT_EQ(bounds.BucketOf(UINT64_MAX), bounds_ns.size());
  };
  check(kRequestBoundsNs);
  check(kQuickBoundsNs);
  check(std::vector<std::uint64_t>{1, 2, 3, 4, 5, 1ULL << 63});
  check(std::vector<std::uint64_t>{});
}

TEST(DurationBounds, ExtraBoundsTakeTheirPlaceOnce) {
  const std::vector<std::uint64_t> standard = {10, 20, 40};
  const std::vector<std::uint64_t> extra = {30, 5, 20, 30, 50};
  const DurationBounds bounds(standard, extra);
  const std::vector<std::uint64_t> want = {5, 10, 20, 30, 40, 50};
  EXPECT_EQ(std::vector<std::uint64_t>(bounds.bounds_ns().begin(), bounds.bounds_ns().end()), want);
  for (std::uint64_t duration = 0; duration < 60; ++duration) {
    EXPECT_EQ(bounds.BucketOf(duration), BucketByHand(want, duration)) << duration;
  }
}

decode::Trace TraceOf(std::uint8_t number) {
  decode::Trace trace;
  trace.trace_id[15] = number;
  trace.span_id[7] = number;
  return trace;
}

TEST(DurationHistogram, TheLastTraceOfABucketIsItsExemplar) {
  const DurationBounds bounds(kRequestBoundsNs);
  DurationHistogram histogram;
  const decode::Trace first = TraceOf(0x1a);
  const decode::Trace second = TraceOf(0x2b);
  const decode::Trace slow = TraceOf(0x3c);
  histogram.Observe(bounds, 3'000'000'000, &slow, 5'000'000'000);
  histogram.Observe(bounds, 600'000, &first, 6'000'000'000);
  histogram.Observe(bounds, 700'000, &second, 6'500'000'000);
  histogram.Observe(bounds, 800'000, nullptr, 6'700'000'000);
  Point point;
  FillDurations(bounds, histogram, {7'000'000'000, 1'700'000'000'000}, point);
  ASSERT_EQ(point.exemplars.size(), 2U);
  EXPECT_EQ(point.exemplars[0].bucket, 1U);
  EXPECT_EQ(point.exemplars[0].labels,
            (Labels{{"span_id", "000000000000002b"}, {"trace_id", "0000000000000000000000000000002b"}}));
  EXPECT_EQ(point.exemplars[0].value, 0.0007);
  EXPECT_EQ(point.exemplars[0].time_s, 1'699'999'999.5);
  EXPECT_EQ(point.exemplars[1].bucket, 14U);
  EXPECT_EQ(point.exemplars[1].time_s, 1'699'999'998.0);
  EXPECT_EQ(point.count, 4U);
  ASSERT_TRUE(point.native);
  std::uint64_t native_count = 0;
  for (const NativeBuckets::Bucket& bucket : point.native->buckets) native_count += bucket.count;
  EXPECT_EQ(native_count, 4U);
  // A wall clock that was set meanwhile does not move what was told.
  Point again;
  FillDurations(bounds, histogram, {8'000'000'000, 1'800'000'000'000}, again);
  EXPECT_EQ(again.exemplars[0].time_s, 1'699'999'999.5);
}

}  // namespace
}  // namespace wiregauge::aggregate
