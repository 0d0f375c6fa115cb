// The tables below the dictionary: texts, shapes and tuples, raw forms.
#include <random>
#include <string>
#include <unordered_map>

#include <gtest/gtest.h>

#include "remote_write/encode/raw_table.h"
#include "remote_write/encode/series_table.h"
#include "remote_write/encode/symbols.h"

namespace wiregauge::encode {
namespace {

TEST(Symbols, TextsGetDenseIdsPerName) {
  Symbols symbols;
  EXPECT_EQ(symbols.FindName("job"), kNoName);
  const NameId job = symbols.AddName("job");
  const NameId instance = symbols.AddName("instance");
  EXPECT_EQ(job, 0u);
  EXPECT_EQ(instance, 1u);
  EXPECT_EQ(symbols.FindName("job"), job);
  for (std::uint32_t i = 1; i <= 10'000; ++i) {
    const std::string text = "value-" + std::to_string(i);
    EXPECT_EQ(symbols.FindValue(job, text), 0u);
    ASSERT_EQ(symbols.AddValue(job, text), i);
  }
  EXPECT_EQ(symbols.AddValue(instance, "value-7"), 1u);
  for (std::uint32_t i = 1; i <= 10'000; ++i) {
    const std::string text = "value-" + std::to_string(i);
    ASSERT_EQ(symbols.FindValue(job, text), i);
    ASSERT_EQ(symbols.ValuesOf(job).Text(i), text);
  }
  EXPECT_EQ(symbols.value_count(), 10'001u);
}

TEST(TextArena, TextsStayWhereTheyAre) {
  TextArena arena;
  std::vector<std::pair<std::string, std::string_view>> texts;
  for (std::size_t i = 0; i < 3000; ++i) {
    std::string text(i % 300, static_cast<char>('a' + i % 26));
    if (i == 1500) text.assign(200'000, 'z');
    const std::string_view kept = arena.Add(text);
    texts.emplace_back(std::move(text), kept);
  }
  for (const auto& [want, got] : texts) ASSERT_EQ(want, got);
}

TEST(SeriesTable, FindsTuplesExactly) {
  SeriesTable table;
  const std::vector<NameId> two = {3, 1};
  const std::vector<NameId> three = {3, 1, 2};
  ASSERT_EQ(table.FindShape(two), table.shape_count());
  const ShapeId small = table.AddShape(two);
  const ShapeId large = table.AddShape(three);
  EXPECT_EQ(table.FindShape(two), small);
  EXPECT_EQ(table.FindShape(three), large);
  EXPECT_EQ(table.FindShape(std::vector<NameId>{1, 3}), table.shape_count());

  constexpr std::uint32_t kSeries = 50'000;  // several blocks and index growths
  for (std::uint32_t i = 1; i <= kSeries; ++i) {
    const std::vector<ValueId> values = {i, i % 7 + 1, 1};
    ASSERT_EQ(table.Find(large, values), 0u);
    ASSERT_EQ(table.Add(large, values), i);
  }
  EXPECT_EQ(table.Find(small, std::vector<ValueId>{1, 2}), 0u);
  for (std::uint32_t i = 1; i <= kSeries; ++i) {
    const std::vector<ValueId> values = {i, i % 7 + 1, 1};
    ASSERT_EQ(table.Find(large, values), i);
    ASSERT_TRUE(std::equal(values.begin(), values.end(), table.Values(i).begin(), table.Values(i).end()));
    ASSERT_EQ(table.ShapeOf(i), large);
  }
}

TEST(RawTable, FindsEveryKeyAndNoOther) {
  RawTable table;
  const auto hash = [](std::uint32_t i) {
    const std::string text = "raw labels " + std::to_string(i);
    return receive::KeyOf(AsBytes(text));
  };
  for (std::uint32_t i = 1; i <= 100'000; ++i) {
    ASSERT_EQ(table.Find(hash(i)), 0u);
    table.Insert(hash(i), i);
  }
  for (std::uint32_t i = 1; i <= 100'000; ++i) ASSERT_EQ(table.Find(hash(i)), i);
  EXPECT_EQ(table.Find(hash(100'001)), 0u);
  EXPECT_EQ(table.size(), 100'000u);
  table.Clear();
  EXPECT_EQ(table.Find(hash(1)), 0u);
  EXPECT_EQ(table.size(), 0u);
}

TEST(RawTable, HalfOfAHashIsNoMatch) {
  RawTable table;
  const RawKey key{0x1111222233334444, 0x5555666677778888};
  table.Insert(key, 1);
  EXPECT_EQ(table.Find(key), 1u);
  EXPECT_EQ(table.Find({key.low ^ 1, key.high}), 0u);
  EXPECT_EQ(table.Find({key.low, key.high ^ (1ULL << 40)}), 0u);
}

}  // namespace
}  // namespace wiregauge::encode
