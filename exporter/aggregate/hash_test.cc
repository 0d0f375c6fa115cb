#include "exporter/aggregate/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace wiregauge::aggregate {
namespace {

TEST(HashText, DependsOnEveryByteAndOnTheLength) {
  std::set<std::size_t> hashes;
  std::size_t texts = 0;
  for (std::size_t size = 0; size <= 40; ++size) {
    const std::string text(size, 'a');
    hashes.insert(HashText(text));
    ++texts;
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = 'b';
      hashes.insert(HashText(other));
      ++texts;
    }
  }
  EXPECT_EQ(hashes.size(), texts);
  EXPECT_NE(HashText(std::string(1, '\0')), HashText(""));
}

// Tables use the lowest bits.
TEST(HashText, SpreadsOverTheLowestBits) {
  std::set<std::size_t> buckets;
  for (int i = 0; i < 1'000; ++i) buckets.insert(HashText("/api/v1/resource" + std::to_string(i)) % 1'024);
  EXPECT_GT(buckets.size(), 580U);  // 638 expected of a random function, 11 the standard deviation
}

}  // namespace
}  // namespace wiregauge::aggregate
