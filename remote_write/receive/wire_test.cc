#include "remote_write/receive/wire.h"

#include <gtest/gtest.h>

namespace wiregauge::receive {
namespace {

using namespace std::string_literals;

TEST(WireReader, VarintsUpToTenBytes) {
  const auto read = [](const std::string& bytes) {
    WireReader reader(AsBytes(bytes));
    const std::uint64_t value = reader.ReadVarint();
    return std::pair(reader.ok() && reader.AtEnd(), value);
  };
  EXPECT_EQ(read("\x00"s), std::pair(true, std::uint64_t{0}));
  EXPECT_EQ(read("\x96\x01"), std::pair(true, std::uint64_t{150}));
  EXPECT_EQ(read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), std::pair(true, ~std::uint64_t{0}));
  EXPECT_EQ(read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), std::pair(true, ~std::uint64_t{0}));
  EXPECT_FALSE(read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").first);
  EXPECT_FALSE(read("\x96").first);
  EXPECT_FALSE(read("").first);
}

TEST(WireReader, TagsOfFieldZeroAndOverlongTagsAreMalformed) {
  for (const std::string& bytes : {"\x00"s, "\x07"s, "\x80\x00"s, "\xff\xff\xff\xff\xff\x01"s, "\x8a"s}) {
    WireReader reader(AsBytes(bytes));
    EXPECT_EQ(reader.ReadTag(), 0u);
    EXPECT_FALSE(reader.ok());
  }
  const std::string overlong = "\x8a\x80\x00"s;  // 10 in three bytes: odd, and allowed
  WireReader reader(AsBytes(overlong));
  EXPECT_EQ(reader.ReadTag(), 10u);
}

TEST(WireReader, LengthsPastTheEndAreMalformed) {
  for (const std::string& bytes : {"\x03"
                                   "ab"s,
                                   "\xff\xff\xff\xff\x07"s, "\xff\xff\xff\xff\x08"s, "\xff\xff\xff\xff\xff\x01"s}) {
    WireReader reader(AsBytes(bytes));
    reader.ReadLength();
    EXPECT_FALSE(reader.ok());
    EXPECT_TRUE(reader.AtEnd());
  }
  WireReader exact(
      AsBytes("\x02"
              "ab"));
  EXPECT_EQ(AsText(exact.ReadLength()), "ab");
  EXPECT_TRUE(exact.ok() && exact.AtEnd());
}

TEST(WireReader, SkipsEveryWireTypeAndNestedGroups) {
  const auto skips = [](const std::string& bytes) {
    WireReader reader(AsBytes(bytes));
    reader.Skip(reader.ReadTag());
    return reader.ok() && reader.AtEnd();
  };
  EXPECT_TRUE(skips("\x50\x80\x01"));  // varint
  EXPECT_TRUE(
      skips("\x51"
            "12345678"));  // fixed64
  EXPECT_FALSE(
      skips("\x51"
            "1234567"));
  EXPECT_TRUE(
      skips("\x52\x02"
            "ab"));  // length
  EXPECT_TRUE(
      skips("\x55"
            "1234"));  // fixed32
  EXPECT_FALSE(
      skips("\x55"
            "123"));
  EXPECT_TRUE(skips("\x53\x58\x01\x5b\x5c\x54"));                            // group 10 { 11: 1, group 11 {} }
  EXPECT_FALSE(skips("\x53\x58\x01"));                                       // never ends
  EXPECT_FALSE(skips("\x53\x5c"));                                           // ends another group
  EXPECT_FALSE(skips("\x54"));                                               // an end without a start
  EXPECT_FALSE(skips("\x56"));                                               // no such wire type
  EXPECT_FALSE(skips(std::string(200, '\x53') + std::string(200, '\x54')));  // too deep
}

}  // namespace
}  // namespace wiregauge::receive
