#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace wiregauge {
namespace {

Result<int> Half(int number) {
  if (number % 2 != 0) return Error{Code::kInvalidArgument, "half of 3: odd"};
  return number / 2;
}

TEST(Result, HoldsTheValueOrTheError) {
  EXPECT_EQ(Half(8).value(), 4);
  ASSERT_FALSE(Half(3));
  EXPECT_EQ(Half(3).error().code, Code::kInvalidArgument);
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(Result, VoidIsSuccessUnlessGivenAnError) {
  EXPECT_TRUE(Status{});
  EXPECT_FALSE(Status{SystemError("open x", 2)});
}

TEST(Result, ErrorSaysWhatTheCallerWasDoing) {
  EXPECT_EQ(SystemError("open x", 2).Within("reading config").message,
            "reading config: open x: No such file or directory");
}

TEST(ResultDeathTest, ValueOfAnErrorIsABug) { EXPECT_DEATH((void)Half(3).value(), "BUG: .*half of 3: odd"); }

}  // namespace
}  // namespace wiregauge
