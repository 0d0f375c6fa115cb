#include "exporter/expose/number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>

namespace wiregauge::expose {
namespace {

std::string Number(double value) {
  std::string out;
  AppendNumber(value, out);
  return out;
}

std::string Bound(double value, bool always_float) {
  std::string out;
  AppendBound(value, always_float, out);
  return out;
}

TEST(AppendNumber, WritesWhatPeopleRead) {
  EXPECT_EQ(Number(0), "0");
  EXPECT_EQ(Number(-0.0), "-0");
  EXPECT_EQ(Number(17), "17");
  EXPECT_EQ(Number(-3), "-3");
  EXPECT_EQ(Number(1e6), "1000000");
  EXPECT_EQ(Number(0.25), "0.25");
  EXPECT_EQ(Number(0.1), "0.1");
  EXPECT_EQ(Number(1e-7), "1e-07");
  EXPECT_EQ(Number(9007199254740991.0), "9007199254740991");
  EXPECT_EQ(Number(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(Number(-std::numeric_limits<double>::infinity()), "-Inf");
  EXPECT_EQ(Number(std::nan("")), "NaN");
  std::string out;
  AppendNumber(std::numeric_limits<std::uint64_t>::max(), out);
  EXPECT_EQ(out, "18446744073709551615");
}

TEST(AppendNumber, ReadsBackAsTheSameBits) {
  constexpr std::uint64_t kSeed = 20261120;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    if (!std::isfinite(value)) continue;
    const std::string text = Number(value);
    EXPECT_EQ(std::strtod(text.c_str(), nullptr), value) << text << " seed " << kSeed;
    EXPECT_LE(text.size(), 24U);
  }
}

TEST(AppendBound, IsNamedAsGoNamesIt) {
  EXPECT_EQ(Bound(0.0005, false), "0.0005");
  EXPECT_EQ(Bound(0.0001, false), "0.0001");
  EXPECT_EQ(Bound(0.00001, false), "1e-05");
  EXPECT_EQ(Bound(1, false), "1");
  EXPECT_EQ(Bound(1, true), "1.0");
  EXPECT_EQ(Bound(10, true), "10.0");
  EXPECT_EQ(Bound(2.5, true), "2.5");
  EXPECT_EQ(Bound(0, true), "0.0");
  EXPECT_EQ(Bound(999999, false), "999999");
  EXPECT_EQ(Bound(1e6, false), "1e+06");
  EXPECT_EQ(Bound(1e6, true), "1e+06");
  EXPECT_EQ(Bound(-5, true), "-5.0");
  EXPECT_EQ(Bound(std::numeric_limits<double>::infinity(), true), "+Inf");
}

TEST(AppendTimestamp, HasMilliseconds) {
  std::string out;
  AppendTimestamp(1795158851.493, out);
  EXPECT_EQ(out, "1795158851.493");
  out.clear();
  AppendTimestamp(std::numeric_limits<double>::max(), out);
  EXPECT_EQ(std::strtod(out.c_str(), nullptr), std::numeric_limits<double>::max());
}

}  // namespace
}  // namespace wiregauge::expose
