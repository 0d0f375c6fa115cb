#include "exporter/aggregate/native_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace wiregauge::aggregate {
namespace {

// Just enough of natural numbers of any size to compare powers: digits of 32 bits, the lowest first.
class Natural {
 public:
  explicit Natural(std::uint64_t value)
      : digits_{static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)} {}

  Natural operator*(const Natural& other) const {
    Natural product(0);
    product.digits_.assign(digits_.size() + other.digits_.size() + 1, 0);
    for (std::size_t i = 0; i < digits_.size(); ++i) {
      std::uint64_t carry = 0;
      for (std::size_t j = 0; j < other.digits_.size() || carry != 0; ++j) {
        const std::uint64_t factor = j < other.digits_.size() ? other.digits_[j] : 0;
        carry += digits_[i] * factor + product.digits_[i + j];
        product.digits_[i + j] = static_cast<std::uint32_t>(carry);
        carry >>= 32;
      }
    }
    return product;
  }
  Natural ToThe8th() const {
    Natural power = *this * *this;
    power = power * power;
    return power * power;
  }
  bool operator<=(const Natural& other) const {
    for (std::size_t i = std::max(digits_.size(), other.digits_.size()); i-- > 0;) {
      const std::uint32_t a = i < digits_.size() ? digits_[i] : 0;
      const std::uint32_t b = i < other.digits_.size() ? other.digits_[i] : 0;
      if (a != b) return a < b;
    }
    return true;
  }

 private:
  std::vector<std::uint32_t> digits_;
};

Natural PowerOf2(int exponent) {
  Natural power(1ULL << (exponent % 32));
  for (int i = 0; i < exponent / 32; ++i) power = power * Natural(1ULL << 32);
  return power;
}

// Whether duration_ns / 10^9 <= 2^(index/8), by whole numbers: d^8 * 2^-index <= (10^9)^8.
bool IsAtMost(std::uint64_t duration_ns, int index) {
  const Natural duration = Natural(duration_ns).ToThe8th();
  const Natural second = Natural(1'000'000'000).ToThe8th();
  return index < 0 ? duration * PowerOf2(-index) <= second : duration <= second * PowerOf2(index);
}

int IndexOf(std::uint64_t duration_ns) {
  NativeHistogram histogram;
  histogram.Observe(duration_ns);
  const NativeBuckets buckets = histogram.Buckets();
  EXPECT_EQ(buckets.buckets.size(), 1U) << duration_ns;
  return buckets.buckets.empty() ? 0 : buckets.buckets[0].index;
}

// The longest duration with that index, by bisection.
std::uint64_t LongestOf(int index) {
  std::uint64_t low = NativeHistogram::kZeroNs;
  std::uint64_t high = UINT64_MAX;
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (IndexOf(middle) <= index ? low : high) = middle;
  }
  return low;
}

TEST(NativeHistogram, EveryBoundIsExact) {
  for (int index = 8 * NativeHistogram::kZeroOctave + 1; index <= 8 * 34; ++index) {
    const std::uint64_t longest = LongestOf(index);
    EXPECT_EQ(IndexOf(longest), index);
    EXPECT_EQ(IndexOf(longest + 1), index + 1);
    EXPECT_TRUE(IsAtMost(longest, index)) << index;
    EXPECT_FALSE(IsAtMost(longest + 1, index)) << index;
  }
  EXPECT_EQ(IndexOf(1'000'000'000), 0);  // 1 s is the bound of bucket 0 in every schema
  EXPECT_EQ(IndexOf(1'000'000'001), 1);
  EXPECT_EQ(IndexOf(UINT64_MAX), 8 * 34 + 1);
}

TEST(NativeHistogram, WhatIsNoLongerThanTheThresholdIsZero) {
  NativeHistogram histogram;
  for (const std::uint64_t duration : {0UL, 1UL, NativeHistogram::kZeroNs}) histogram.Observe(duration);
  NativeBuckets buckets = histogram.Buckets();
  EXPECT_EQ(buckets.zero_count, 3U);
  EXPECT_TRUE(buckets.buckets.empty());
  EXPECT_EQ(buckets.zero_threshold, 1.0 / (1 << 20));
  EXPECT_TRUE(IsAtMost(NativeHistogram::kZeroNs, 8 * NativeHistogram::kZeroOctave));
  EXPECT_FALSE(IsAtMost(NativeHistogram::kZeroNs + 1, 8 * NativeHistogram::kZeroOctave));
  histogram.Observe(NativeHistogram::kZeroNs + 1);
  buckets = histogram.Buckets();
  EXPECT_EQ(buckets.zero_count, 3U);
  ASSERT_EQ(buckets.buckets.size(), 1U);
  EXPECT_EQ(buckets.buckets[0].index, 8 * NativeHistogram::kZeroOctave + 1);
}

TEST(NativeHistogram, CountsAreThoseOfEachObservation) {
  constexpr unsigned kSeed = 20261120;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937_64 random(kSeed);
  NativeHistogram histogram;
  std::map<std::int32_t, std::uint64_t> want;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t duration = 20'000 + random() % (1ULL << (15 + random() % 12));
    histogram.Observe(duration);
    ++want[IndexOf(duration)];
  }
  std::map<std::int32_t, std::uint64_t> got;
  for (const NativeBuckets::Bucket& bucket : histogram.Buckets().buckets) got[bucket.index] = bucket.count;
  EXPECT_EQ(got, want);
  EXPECT_EQ(histogram.schema(), 3);
}

TEST(NativeHistogram, OverItsLimitTheResolutionIsHalvedAndNothingIsLost) {
  NativeHistogram histogram;
  std::map<std::int32_t, std::uint64_t> want;  // by index of the finest schema
  int schema = 3;
  for (unsigned octave = 0; octave < 54; ++octave) {
    for (std::uint64_t i = 0; i < 8; ++i) {
      const std::uint64_t duration = (960ULL << octave) + i * (120ULL << octave);
      if (duration < 960) break;  // over 64 bits
      histogram.Observe(duration);
      ++want[IndexOf(duration)];
    }
    EXPECT_LE(histogram.buckets_kept(), NativeHistogram::kBucketsMax);
    const NativeBuckets got = histogram.Buckets();
    EXPECT_LE(got.schema, schema);
    schema = got.schema;
    std::map<std::int32_t, std::uint64_t> merged;
    for (const auto& [finest, count] : want) {
      int index = finest;
      for (int s = 3; s > schema; --s) index = (index + 1) >> 1;
      merged[index] += count;
    }
    ASSERT_EQ(got.buckets.size(), merged.size());
    std::size_t at = 0;
    for (const auto& [index, count] : merged) {
      EXPECT_EQ(got.buckets[at].index, index);
      EXPECT_EQ(got.buckets[at++].count, count);
    }
  }
  EXPECT_EQ(schema, 1);
}

TEST(NativeHistogram, KeepsOnlyTheOctavesThatItUses) {
  NativeHistogram histogram;
  EXPECT_EQ(histogram.buckets_kept(), 0U);
  histogram.Observe(1'000'000);
  histogram.Observe(1'000'000'000'000);
  EXPECT_EQ(histogram.buckets_kept(), 16U);
}

}  // namespace
}  // namespace wiregauge::aggregate
