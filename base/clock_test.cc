#include "base/clock.h"

#include <gtest/gtest.h>

#include <limits>

namespace wiregauge {
namespace {

TEST(Clock, FormatsMillisecondsBeforeAndAfter1970) {
  EXPECT_EQ(FormatRfc3339(1795158851493), "2026-11-20T07:14:11.493Z");
  EXPECT_EQ(FormatRfc3339(-1), "1969-12-31T23:59:59.999Z");
}

TEST(Clock, ClampsWhatHasNoFourDigitYear) {
  EXPECT_EQ(FormatRfc3339(std::numeric_limits<std::int64_t>::max()), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(FormatRfc3339(std::numeric_limits<std::int64_t>::min()), "0001-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace wiregauge
