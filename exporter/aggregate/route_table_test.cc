#include "exporter/aggregate/route_table.h"

#include <gtest/gtest.h>

#include <string>

namespace wiregauge::aggregate {
namespace {

TEST(RouteTable, OneIdARoute) {
  RouteTable table;
  const RouteId a = table.IdOf("/a", false);
  const RouteId b = table.IdOf("/b", false);
  EXPECT_NE(a, b);
  EXPECT_EQ(table.IdOf("/a", true), a);
  EXPECT_EQ(table.TextOf(a), "/a");
  EXPECT_EQ(table.IdOf("", false), kNoRoute);
  EXPECT_EQ(table.TextOf(kNoRoute), "");
  EXPECT_EQ(table.TextOf(kOtherRoute), "_OTHER");
}

TEST(RouteTable, TheBudgetIsExact) {
  RouteTable table(3, 1);
  EXPECT_GT(table.IdOf("/1", false), kOtherRoute);
  EXPECT_GT(table.IdOf("/2", false), kOtherRoute);
  EXPECT_GT(table.IdOf("/3", false), kOtherRoute);
  EXPECT_EQ(table.IdOf("/4", false), kOtherRoute);
  EXPECT_GT(table.IdOf("/3", false), kOtherRoute);
  EXPECT_EQ(table.size(), 3U);
}

TEST(RouteTable, ScannersGetAPartOfTheBudgetOnly) {
  RouteTable table(4, 2);
  EXPECT_GT(table.IdOf("/scan1", true), kOtherRoute);
  EXPECT_GT(table.IdOf("/scan2", true), kOtherRoute);
  EXPECT_EQ(table.IdOf("/scan3", true), kOtherRoute);
  EXPECT_GT(table.IdOf("/real", false), kOtherRoute);
  EXPECT_GT(table.IdOf("/scan1", false), kOtherRoute);  // found after all: gives its place free
  EXPECT_GT(table.IdOf("/scan3", true), kOtherRoute);
  EXPECT_EQ(table.IdOf("/scan4", true), kOtherRoute);
}

TEST(RouteTable, UnusedRoutesGiveTheirPlaceFree) {
  RouteTable table(3, 1);
  const RouteId a = table.IdOf("/a", true);
  const RouteId b = table.IdOf("/b", false);
  table.IdOf("/c", false);
  std::vector<bool> used(b + 1U);
  used[b] = true;
  table.Keep(used);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.IdOf("/b", false), b);
  EXPECT_EQ(table.TextOf(a), "");
  EXPECT_GT(table.IdOf("/d", true), kOtherRoute);  // the place of the 404 is free too
  EXPECT_GT(table.IdOf("/e", false), kOtherRoute);
  EXPECT_EQ(table.IdOf("/f", false), kOtherRoute);
}

}  // namespace
}  // namespace wiregauge::aggregate
