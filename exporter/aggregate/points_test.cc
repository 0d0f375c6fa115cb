#include "exporter/aggregate/points.h"

#include <gtest/gtest.h>

namespace wiregauge::aggregate {
namespace {

TEST(SortAndMerge, NativeBucketsOfDifferentResolutionBecomeTheCoarserOne) {
  Family family = MakeFamily("f", "", FamilyType::kHistogram, "");
  Point fine;
  fine.count = 5;
  fine.native =
      NativeBuckets{.schema = 3, .zero_threshold = 0.5, .zero_count = 1, .buckets = {{-8, 1}, {-7, 2}, {0, 1}}};
  Point coarse;
  coarse.count = 14;
  coarse.native = NativeBuckets{.schema = 1, .zero_threshold = 0.5, .zero_count = 2, .buckets = {{-2, 5}, {3, 7}}};
  family.points = {fine, coarse};
  SortAndMerge(family);
  ASSERT_EQ(family.points.size(), 1U);
  const Point& point = family.points[0];
  EXPECT_EQ(point.count, 19U);
  ASSERT_TRUE(point.native);
  EXPECT_EQ(point.native->schema, 1);
  EXPECT_EQ(point.native->zero_count, 3U);
  // -8 of schema 3 ends at 2^-1, as -2 of schema 1; -7 begins there.
  ASSERT_EQ(point.native->buckets.size(), 4U);
  const std::int32_t indexes[] = {-2, -1, 0, 3};
  const std::uint64_t counts[] = {6, 2, 1, 7};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(point.native->buckets[i].index, indexes[i]);
    EXPECT_EQ(point.native->buckets[i].count, counts[i]);
  }
}

}  // namespace
}  // namespace wiregauge::aggregate
