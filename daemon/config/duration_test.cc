#include "daemon/config/duration.h"

#include <gtest/gtest.h>

namespace wiregauge::config {
namespace {

TEST(Duration, EveryUnitAndTheirSums) {
  const std::pair<const char*, std::int64_t> table[] = {{"0", 0},
                                                        {"250ms", 250},
                                                        {"1s", 1000},
                                                        {"5m", 300'000},
                                                        {"2h", 7'200'000},
                                                        {"30d", 2'592'000'000},
                                                        {"1w", 604'800'000},
                                                        {"1y", 31'536'000'000},
                                                        {"1h30m", 5'400'000},
                                                        {"1d0h5s7ms", 86'405'007},
                                                        {"100y", 3'153'600'000'000}};
  for (const auto& [text, ms] : table) {
    const auto parsed = ParseDuration(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, ms) << text;
  }
}

TEST(Duration, RefusesEverythingElse) {
  for (const char* text : {"", "30", "d", "30x", "-1d", "1.5d", " 1d", "1d ", "1s1m", "1m1m", "101y", "1y100y",
                           "99999999999999999999d", "+1d"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

}  // namespace
}  // namespace wiregauge::config
