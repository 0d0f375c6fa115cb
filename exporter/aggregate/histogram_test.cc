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

}  // namespace
}  // namespace wiregauge::aggregate
