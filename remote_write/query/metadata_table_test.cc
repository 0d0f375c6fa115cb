#include "remote_write/query/metadata_table.h"

#include <gtest/gtest.h>

namespace wiregauge::query {
namespace {

TEST(MetadataTable, LastWordWins) {
  MetadataTable table;
  EXPECT_TRUE(table.Set("up", 2, "Old.", ""));
  EXPECT_TRUE(table.Set("up", 1, "New.", "s"));
  EXPECT_TRUE(table.Set("a", 99, "", ""));
  const auto all = table.Get("", -1);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].first, "a");
  EXPECT_EQ(all[0].second.type, "unknown");
  EXPECT_EQ(all[1].second.type, "counter");
  EXPECT_EQ(all[1].second.help, "New.");
  EXPECT_EQ(all[1].second.unit, "s");
  EXPECT_EQ(table.Get("up", -1).size(), 1u);
  EXPECT_EQ(table.Get("", 1).size(), 1u);
  EXPECT_EQ(table.Get("", 0).size(), 0u);
  EXPECT_EQ(table.Get("nosuch", -1).size(), 0u);
}

TEST(MetadataTable, TurnsAwayWhatItCannotServe) {
  MetadataTable table;
  EXPECT_FALSE(table.Set("", 1, "x", ""));
  EXPECT_FALSE(table.Set("a b", 1, "x", ""));
  EXPECT_FALSE(table.Set("up", 1, "\xff", ""));
  EXPECT_FALSE(table.Set("up", 1, "", "\xff"));
  std::string help(MetadataTable::kMaxHelpBytes - 1, 'x');
  help += "\xc3\xa9";
  EXPECT_TRUE(table.Set("up", 1, help, ""));
  EXPECT_EQ(table.Get("up", -1)[0].second.help.size(), MetadataTable::kMaxHelpBytes - 1) << "no half character";
}

TEST(MetadataTable, IsBounded) {
  MetadataTable table;
  for (std::size_t i = 0; i < MetadataTable::kMaxFamilies; ++i) {
    ASSERT_TRUE(table.Set("m" + std::to_string(i), 1, "", ""));
  }
  EXPECT_FALSE(table.Set("one_more", 1, "", ""));
  EXPECT_TRUE(table.Set("m7", 2, "", "")) << "known families are still updated";
}

}  // namespace
}  // namespace wiregauge::query
