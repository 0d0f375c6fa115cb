#include "daemon/notify.h"

#include <gtest/gtest.h>

namespace wiregauge::daemon {
namespace {

TEST(Notify, NoSocketIsNoError) { EXPECT_TRUE(Notify("", "READY=1")); }

TEST(Notify, WhatCannotBeSentIsAnError) {
  EXPECT_FALSE(Notify("relative", "READY=1"));
  EXPECT_FALSE(Notify("/" + std::string(107, 'x'), "READY=1"));
  EXPECT_FALSE(Notify(testing::TempDir() + "nobody-listens", "READY=1"));
}

}  // namespace
}  // namespace wiregauge::daemon
