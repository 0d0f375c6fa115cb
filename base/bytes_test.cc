#include "base/bytes.h"

#include <gtest/gtest.h>

#include <limits>

namespace wiregauge {
namespace {

TEST(Bytes, VarintRoundTripsAtEveryLength) {
  for (unsigned shift = 0; shift < 64; ++shift) {
    for (const std::uint64_t value : {std::uint64_t{1} << shift, (std::uint64_t{1} << shift) - 1}) {
      std::string out;
      AppendVarint(out, value);
      ByteReader reader(AsBytes(out));
      EXPECT_EQ(reader.Varint(), value);
      EXPECT_TRUE(reader.ok());
      EXPECT_EQ(reader.remaining(), 0U);
    }
  }
}

TEST(Bytes, VarintRefusesTruncationAndOverflow) {
  std::string longest;
  AppendVarint(longest, std::numeric_limits<std::uint64_t>::max());
  for (std::size_t size = 0; size < longest.size(); ++size) {
    ByteReader reader(AsBytes(longest).first(size));
    reader.Varint();
    EXPECT_FALSE(reader.ok()) << size;
  }
  longest.back() = 2;  // bit 64
  ByteReader reader(AsBytes(longest));
  reader.Varint();
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, AReadPastTheEndPoisonsTheReader) {
  ByteReader reader(AsBytes("abc"));
  EXPECT_EQ(reader.Read<std::uint32_t>(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.Take(1).size(), 0U);
}

}  // namespace
}  // namespace wiregauge
