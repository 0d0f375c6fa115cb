#include "exporter/decode/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace wiregauge::decode {
namespace {

constexpr std::string_view kValid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Traceparent, IdsAreReadAsBytes) {
  const auto trace = ParseTraceparent(kValid);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->trace_id, (std::array<std::uint8_t, 16>{0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48,
                                                           0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c}));
  EXPECT_EQ(trace->span_id, (std::array<std::uint8_t, 8>{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}));
}

TEST(Traceparent, OnlyWhatTheSpecificationAllows) {
  const auto check = [](const std::string& value, bool want) {
    EXPECT_EQ(ParseTraceparent(value).has_value(), want) << value;
  };
  const std::string rest(kValid.substr(2));
  const std::string ids(kValid.substr(0, 52));
  check("00" + rest, true);
  check("00" + rest + "-more", false);  // version 00 has exactly 55 bytes
  check("00" + rest + "x", false);
  check("01" + rest, true);
  check("01" + rest + "-more", true);
  check("01" + rest + ".more", false);
  check("cc" + rest, true);
  check("ff" + rest, false);
  check("FE" + rest, false);
  check("0x" + rest, false);
  check(ids + "-03", true);   // level 2: random trace id
  check(ids + "-02", false);  // not sampled
  check(ids + "-00", false);
  check(ids + "-0", false);
  check(ids + "-0g", false);
  check(ids + "_01", false);
  check("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false);
  check("00-00000000000000000000000000000000-b7ad6b7169203331-01", false);
  check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false);
  check("00-0af7651916cd43dd8448eb211c80319z-b7ad6b7169203331-01", false);
  check("00.0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
  for (std::size_t size = 0; size < kValid.size(); ++size) check(std::string(kValid.substr(0, size)), false);
}

}  // namespace
}  // namespace wiregauge::decode
