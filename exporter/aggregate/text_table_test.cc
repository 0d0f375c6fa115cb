#include "exporter/aggregate/text_table.h"

#include <gtest/gtest.h>

#include <string>

namespace wiregauge::aggregate {
namespace {

TEST(TextTable, OneIdAText) {
  TextTable table(100, 25);
  const TextId a = table.IdOf("/a", false);
  const TextId b = table.IdOf("/b", false);
  EXPECT_NE(a, b);
  EXPECT_EQ(table.IdOf("/a", true), a);
  EXPECT_EQ(table.TextOf(a), "/a");
  EXPECT_EQ(table.IdOf("", false), kNoId);
  EXPECT_EQ(table.TextOf(kNoId), "");
  EXPECT_EQ(table.TextOf(kOtherId), "_OTHER");
}

TEST(TextTable, TheBudgetIsExact) {
  TextTable table(3, 1);
  EXPECT_GT(table.IdOf("/1", false), kOtherId);
  EXPECT_GT(table.IdOf("/2", false), kOtherId);
  EXPECT_GT(table.IdOf("/3", false), kOtherId);
  EXPECT_EQ(table.IdOf("/4", false), kOtherId);
  EXPECT_GT(table.IdOf("/3", false), kOtherId);
  EXPECT_EQ(table.size(), 3U);
}

TEST(TextTable, NamesAreNotLongerThanNames) {
  TextTable table(2, 2);
  EXPECT_GT(table.IdOf(std::string(kTextBytesMax, 'a'), false), kOtherId);
  EXPECT_EQ(table.IdOf(std::string(kTextBytesMax + 1, 'a'), false), kOtherId);
  EXPECT_EQ(table.size(), 1U);
}

TEST(TextTable, DoubtfulTextsGetAPartOfTheBudgetOnly) {
  TextTable table(4, 2);
  EXPECT_GT(table.IdOf("/scan1", true), kOtherId);
  EXPECT_GT(table.IdOf("/scan2", true), kOtherId);
  EXPECT_EQ(table.IdOf("/scan3", true), kOtherId);
  EXPECT_GT(table.IdOf("/real", false), kOtherId);
  EXPECT_GT(table.IdOf("/scan1", false), kOtherId);  // found after all: gives its place free
  EXPECT_GT(table.IdOf("/scan3", true), kOtherId);
  EXPECT_EQ(table.IdOf("/scan4", true), kOtherId);
}

TEST(TextTable, UnusedTextsGiveTheirPlaceFree) {
  TextTable table(3, 1);
  const TextId a = table.IdOf("/a", true);
  const TextId b = table.IdOf("/b", false);
  table.IdOf("/c", false);
  std::vector<bool> used(b + 1U);
  used[b] = true;
  table.Keep(used);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.IdOf("/b", false), b);
  EXPECT_EQ(table.TextOf(a), "");
  EXPECT_GT(table.IdOf("/d", true), kOtherId);  // the place of the 404 is free too
  EXPECT_GT(table.IdOf("/e", false), kOtherId);
  EXPECT_EQ(table.IdOf("/f", false), kOtherId);
}

}  // namespace
}  // namespace wiregauge::aggregate
