#include "daemon/security/rate_limiter.h"

#include <gtest/gtest.h>

namespace wiregauge::security {
namespace {

TEST(RateLimiter, BurstThenOneAnInterval) {
  for (const std::int64_t start : {std::int64_t{0}, std::int64_t{5}, std::int64_t{1'000'000'000'000}}) {
    RateLimiter limiter(100, 3);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.Take(start)) << start;
    EXPECT_FALSE(limiter.Take(start));
    EXPECT_FALSE(limiter.Take(start + 99));
    EXPECT_TRUE(limiter.Take(start + 100));
    EXPECT_FALSE(limiter.Take(start + 199));
    EXPECT_TRUE(limiter.Take(start + 200));
  }
}

TEST(RateLimiter, SavesUpNoMoreThanABurst) {
  RateLimiter limiter(100, 2);
  EXPECT_TRUE(limiter.Take(1'000'000));
  EXPECT_TRUE(limiter.Take(1'000'000));
  EXPECT_FALSE(limiter.Take(1'000'000));
}

}  // namespace
}  // namespace wiregauge::security
