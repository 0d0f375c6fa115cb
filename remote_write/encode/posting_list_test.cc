#include "remote_write/encode/posting_list.h"

#include <vector>

#include <gtest/gtest.h>

namespace wiregauge::encode {
namespace {

std::vector<std::uint32_t> Ids(const PostingList& list) {
  SeriesSet set;
  list.UnionInto(set);
  std::vector<std::uint32_t> out(set.cardinality());
  set.toUint32Array(out.data());
  return out;
}

TEST(PostingList, HoldsWhatWasAppendedThroughEveryForm) {
  PostingList list;
  EXPECT_TRUE(Ids(list).empty());
  std::vector<std::uint32_t> want;
  for (std::uint32_t id = 1; want.size() < 70'000; id += 1 + id % 3) {
    list.Append(id);
    want.push_back(id);
    if (want.size() <= 130 || want.size() % 9973 == 0) {
      ASSERT_EQ(Ids(list), want) << want.size();
    }
  }
  EXPECT_EQ(list.size(), want.size());
  EXPECT_EQ(Ids(list), want);
}

TEST(PostingList, IntersectsInEveryForm) {
  for (const std::uint32_t size : {0u, 1u, 2u, 64u, 65u, 5000u}) {
    PostingList list;
    for (std::uint32_t i = 1; i <= size; ++i) list.Append(2 * i);
    SeriesSet odd;
    odd.add(1);
    odd.add(2 * size + 1);
    EXPECT_FALSE(list.Intersects(odd)) << size;
    SeriesSet last;
    last.add(2 * size);
    EXPECT_EQ(list.Intersects(last), size > 0) << size;
  }
}

TEST(PostingList, MovesLeaveNothingBehind) {
  for (const std::uint32_t size : {0u, 1u, 2u, 64u, 65u}) {
    PostingList from;
    for (std::uint32_t i = 1; i <= size; ++i) from.Append(i);
    const auto want = Ids(from);
    PostingList to(std::move(from));
    EXPECT_EQ(Ids(to), want);
    PostingList assigned;
    for (std::uint32_t i = 1; i <= 70; ++i) assigned.Append(i);
    assigned = std::move(to);
    EXPECT_EQ(Ids(assigned), want);
    EXPECT_TRUE(Ids(to).empty());  // NOLINT: moved-from is empty by contract
  }
}

TEST(PostingList, ConsecutiveIdsCostNextToNothing) {
  PostingList list;
  for (std::uint32_t i = 1; i <= 1'048'576; ++i) list.Append(i);
  EXPECT_LT(list.HeapBytes(), 1000u);
}

}  // namespace
}  // namespace wiregauge::encode
