#include "remote_write/query/time_parameter.h"

#include <gtest/gtest.h>

namespace wiregauge::query {
namespace {

TEST(ParseTimeMs, FloatSeconds) {
  EXPECT_EQ(ParseTimeMs("0"), 0);
  EXPECT_EQ(ParseTimeMs("1435781430.781"), 1435781430781);
  EXPECT_EQ(ParseTimeMs("1.0005"), 1001);
  EXPECT_EQ(ParseTimeMs("-1.5"), -1500);
  EXPECT_EQ(ParseTimeMs("+1"), 1000);
  EXPECT_EQ(ParseTimeMs("1e3"), 1'000'000);
  EXPECT_EQ(ParseTimeMs("1e300"), kMaxTimeMs);
  EXPECT_EQ(ParseTimeMs("-1e300"), kMinTimeMs);
}

TEST(ParseTimeMs, Rfc3339) {
  EXPECT_EQ(ParseTimeMs("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ParseTimeMs("2015-07-01T20:10:51.781Z"), 1435781451781);
  EXPECT_EQ(ParseTimeMs("2015-07-01T20:10:51.781999999Z"), 1435781451781);
  EXPECT_EQ(ParseTimeMs("2015-07-01T22:10:51+02:00"), 1435781451000);
  EXPECT_EQ(ParseTimeMs("2015-07-01T14:40:51-05:30"), 1435781451000);
  EXPECT_EQ(ParseTimeMs("2024-02-29T00:00:00Z"), 1709164800000);
  EXPECT_EQ(ParseTimeMs("1969-12-31T23:59:59.5Z"), -500);
  EXPECT_EQ(ParseTimeMs("0001-01-01T00:00:00Z"), -62135596800000);
}

TEST(ParseTimeMs, BoundaryConstantsOfClientGolang) {
  EXPECT_EQ(ParseTimeMs("-292273086-05-16T16:47:06Z"), kMinTimeMs);
  EXPECT_EQ(ParseTimeMs("+292277025-08-18T07:12:54.999999999Z"), kMaxTimeMs);
  EXPECT_EQ(ParseTimeMs("292277025-08-18T07:12:54.999999999Z"), kMaxTimeMs);
}

TEST(ParseTimeMs, NothingElse) {
  for (const auto* bad : {"",
                          "x",
                          "NaN",
                          "nan",
                          "12:00",
                          "2015-07-01",
                          "2015-07-01T20:10:51",
                          "2015-13-01T00:00:00Z",
                          "2023-02-29T00:00:00Z",
                          "2015-07-01T24:00:00Z",
                          "2015-07-01T20:60:00Z",
                          "2015-07-01t20:10:51Z",
                          "2015-07-01T20:10:51.Z",
                          "2015-07-01T20:10:51Zx",
                          "2015-07-01T20:10:51+0200",
                          "1 ",
                          " 1",
                          "0x10",
                          "1h",
                          "++1",
                          "+-1"}) {
    EXPECT_EQ(ParseTimeMs(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace wiregauge::query
