#include "remote_write/store/codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "remote_write/store/conflict.h"
#include "remote_write/store/integer_column.h"
#include "remote_write/store/open_stream.h"
#include "remote_write/store/wal_batch.h"
#include "remote_write/store/xor_column.h"

namespace wiregauge::store {
namespace {

using Random = std::mt19937_64;
constexpr std::uint64_t kSeed = 20261120;

std::uint64_t Bits(double value) { return std::bit_cast<std::uint64_t>(value); }
std::int64_t Signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// A family makes the value at a place from the one before.
struct Family {
  const char* name;
  std::function<std::uint64_t(Random&, std::uint64_t previous, std::size_t place)> next;
};

double Value(std::uint64_t bits) { return std::bit_cast<double>(bits); }

std::vector<Family> Families() {
  return {
      {"constant", [](Random&, std::uint64_t, std::size_t) { return Bits(42.5); }},
      {"counter", [](Random& r, std::uint64_t p,
                     std::size_t i) { return Bits((i == 0 ? 1e9 : Value(p)) + static_cast<double>(r() % 1000)); }},
      {"straight line", [](Random&, std::uint64_t, std::size_t i) { return Bits(static_cast<double>(i) * 15); }},
      {"gauge", [](Random& r, std::uint64_t, std::size_t) { return Bits(static_cast<double>(r() % 100)); }},
      {"memory in pages",
       [](Random& r, std::uint64_t, std::size_t) { return Bits(static_cast<double>(r() % 100000) * 4096); }},
      {"two places",
       [](Random& r, std::uint64_t, std::size_t) { return Bits(static_cast<double>(r() % 100000) / 100); }},
      {"twelve places",
       [](Random& r, std::uint64_t, std::size_t) { return Bits(static_cast<double>(r() % 1000) / 1e12); }},
      {"no decimals",
       [](Random& r, std::uint64_t, std::size_t) { return Bits(std::sin(static_cast<double>(r() % 10000))); }},
      {"any bits", [](Random& r, std::uint64_t, std::size_t) { return r(); }},
      {"NaN payloads", [](Random& r, std::uint64_t, std::size_t) { return 0x7ff0000000000001 | (r() >> 12); }},
      {"a stale marker at the end",
       [](Random& r, std::uint64_t, std::size_t i) {
         return i % 97 == 96 ? kStaleMarkerBits : Bits(static_cast<double>(r() % 10));
       }},
      {"zeros of both signs", [](Random& r, std::uint64_t, std::size_t) { return Bits(r() % 2 == 0 ? 0.0 : -0.0); }},
      {"infinities",
       [](Random& r, std::uint64_t, std::size_t) {
         const double infinity = std::numeric_limits<double>::infinity();
         return Bits(r() % 3 == 0 ? infinity : r() % 2 == 0 ? -infinity : 1.0);
       }},
      {"denormals", [](Random& r, std::uint64_t, std::size_t) { return r() % 1000; }},
      {"edges of exact integers",
       [](Random& r, std::uint64_t, std::size_t) {
         const double edges[] = {0x1p53, 0x1p53 + 2, -0x1p53, 0x1p51, 0x1p51 - 1, 0x1p62, -0x1p62, 0x1p63, 1e300};
         return Bits(edges[r() % 9]);
       }},
      {"one spike", [](Random&, std::uint64_t, std::size_t i) { return Bits(i == 77 ? 1e15 : 3.0); }},
      {"a float among integers",
       [](Random& r, std::uint64_t, std::size_t i) { return i % 40 == 5 ? r() : Bits(static_cast<double>(i)); }},
  };
}

TEST(Codec, ValuesOfEveryFamilyRoundTripBitForBit) {
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  Random random(kSeed);
  for (const Family& family : Families()) {
    for (int round = 0; round < 200; ++round) {
      const std::size_t count = round < 8 ? static_cast<std::size_t>(round) + 1 : 1 + random() % kBlockSamplesMax;
      std::vector<std::uint64_t> values;
      std::uint64_t previous = 0;
      for (std::size_t i = 0; i < count; ++i) values.push_back(previous = family.next(random, previous, i));
      std::string column;
      EncodeValues(values, column);
      EXPECT_LE(column.size(), 1 + count * 8) << family.name;
      std::vector<std::uint64_t> decoded(count);
      ASSERT_TRUE(DecodeValues(AsBytes(column), decoded)) << family.name << " " << count;
      ASSERT_EQ(decoded, values) << family.name << " " << count;
    }
  }
}

TEST(Codec, TimestampsRoundTrip) {
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  Random random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t count = 1 + random() % kBlockSamplesMax;
    std::vector<std::int64_t> timestamps;
    std::int64_t now = Signed(random()) >> (random() % 63);
    const std::uint64_t jitter = random() % 3 == 0 ? 1 : 1 + random() % 100;
    for (std::size_t i = 0; i < count; ++i) {
      timestamps.push_back(now);
      now = Signed(static_cast<std::uint64_t>(now) + (round % 5 == 0 ? random() : 15000 + random() % jitter));
    }
    std::string column;
    EncodeTimestamps(timestamps, column);
    std::vector<std::int64_t> decoded(count);
    ASSERT_TRUE(DecodeTimestamps(AsBytes(column), decoded));
    ASSERT_EQ(decoded, timestamps);
  }
}

TEST(Codec, CommonSeriesAreSmall) {
  const auto bytes = [](const std::function<double(int)>& value) {
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 480; ++i) values.push_back(Bits(value(i)));
    std::string column;
    EncodeValues(values, column);
    return column.size();
  };
  EXPECT_LE(bytes([](int) { return 0.1; }), 9U);
  EXPECT_LE(bytes([](int i) { return i * 3.0 + 1e6; }), 12U);
  EXPECT_LE(bytes([](int i) { return static_cast<double>(i % 8); }), 480U * 3 / 8 + 20);
  EXPECT_LE(bytes([](int i) { return static_cast<double>(i * i % 7) / 100; }), 480U * 4 / 8 + 20);
  std::vector<std::int64_t> timestamps;
  for (int i = 0; i < 480; ++i) timestamps.push_back(1'790'000'000'000 + i * 15000);
  std::string column;
  EncodeTimestamps(timestamps, column);
  EXPECT_LE(column.size(), 12U);
}

TEST(Codec, EveryTruncationAndAnyExtraByteIsRefused) {
  Random random(kSeed);
  for (const Family& family : Families()) {
    std::vector<std::uint64_t> values;
    std::uint64_t previous = 0;
    for (std::size_t i = 0; i < 200; ++i) values.push_back(previous = family.next(random, previous, i));
    std::string column;
    EncodeValues(values, column);
    std::vector<std::uint64_t> decoded(values.size());
    for (std::size_t size = 0; size < column.size(); ++size) {
      EXPECT_FALSE(DecodeValues(AsBytes(column).first(size), decoded)) << family.name << " " << size;
    }
    column.push_back('\0');
    EXPECT_FALSE(DecodeValues(AsBytes(column), decoded)) << family.name;
  }
}

TEST(Codec, FieldsOutOfRangeAreRefused) {
  std::vector<std::uint64_t> out(16);
  const auto refused = [&](std::string bytes) { return !DecodeValues(AsBytes(bytes), out); };
  EXPECT_TRUE(refused(std::string(200, '\x04')));                                  // unknown mode
  EXPECT_TRUE(refused(std::string("\x01\x0d\x00\x00\x02", 5)));                    // exponent 13
  EXPECT_FALSE(refused(std::string("\x01\x0c\x00\x00\x02", 5)));                   // exponent 12
  EXPECT_TRUE(refused(std::string("\x01\x00\x03", 3) + std::string(40, '\0')));    // 3 exceptions of 16 values
  EXPECT_TRUE(refused(std::string("\x01\x00\x01\x10", 4) + std::string(8, '\0') +  // exception at place 16
                      std::string("\x00\x02", 2)));
  EXPECT_TRUE(refused(std::string("\x01\x00\x00\x02\x00\x40\x01", 7) + std::string(2, '\0')));    // shift 64
  EXPECT_TRUE(refused(std::string("\x01\x00\x00\x02\x00\x01\x40", 7) + std::string(128, '\0')));  // shift + width 65
  std::vector<std::uint64_t> too_many(kBlockSamplesMax + 1);
  EXPECT_FALSE(DecodeValues(AsBytes(std::string(9, '\0')), too_many));
  EXPECT_FALSE(DecodeValues(AsBytes(std::string(9, '\0')), {}));
}

TEST(IntegerColumn, LongColumnsRoundTripToo) {
  Random random(kSeed);
  std::vector<std::int64_t> values(5000);
  for (auto& value : values) value = Signed(random());
  std::string column;
  EncodeIntegers(values, column);
  std::vector<std::int64_t> decoded(values.size());
  ByteReader in(AsBytes(column));
  ASSERT_TRUE(DecodeIntegers(in, decoded));
  EXPECT_EQ(decoded, values);
}

TEST(OpenStream, EveryFamilyRoundTripsWithAnySteps) {
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  Random random(kSeed);
  for (const Family& family : Families()) {
    for (int round = 0; round < 50; ++round) {
      Sample first{1'790'000'000'000, family.next(random, 0, 0)};
      StreamState state{first};
      std::vector<Sample> written;
      std::string stream;
      for (std::size_t i = 1; i < 300; ++i) {
        const std::uint64_t kind = random() % 50;
        const std::int64_t step = kind == 0 ? Signed(random() >> 20) + 1 : kind < 5 ? 15001 : 15000;
        const Sample next{state.last.timestamp_ms + step, family.next(random, state.last.value_bits, i)};
        char unit[kUnitBytesMax + 8];
        stream.append(unit, EncodeUnit(state, next, unit));
        written.push_back(next);
      }
      std::vector<Sample> decoded;
      DecodeStream(stream, first, decoded);
      ASSERT_EQ(decoded, written) << family.name;
    }
  }
}

TEST(WalBatch, RoundTripsAndRefusesEveryTruncation) {
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  Random random(kSeed);
  std::vector<SeriesSample> samples;
  for (int i = 0; i < 300; ++i) {
    const auto series = static_cast<SeriesId>(i % 3 == 0 ? random() : static_cast<std::uint64_t>(i));
    samples.push_back({series, {i % 5 == 0 ? Signed(random()) : 1'790'000'000'000, random() << (random() % 64)}});
  }
  const std::vector<std::string> entries = {"", "one", std::string(300, 'x')};
  std::string payload;
  EncodeBatch(entries, samples, payload);
  BatchView batch;
  const auto decodes = [&](Bytes bytes) {
    ByteReader in(bytes);
    return DecodeBatch(in, batch) && in.remaining() == 0;
  };
  ASSERT_TRUE(decodes(AsBytes(payload)));
  ASSERT_EQ(batch.catalogue.size(), entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) EXPECT_EQ(AsText(batch.catalogue[i]), entries[i]);
  ASSERT_EQ(batch.samples.size(), samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(batch.samples[i].series, samples[i].series);
    EXPECT_EQ(batch.samples[i].sample, samples[i].sample);
  }
  for (std::size_t size = 0; size < payload.size(); ++size) {
    EXPECT_FALSE(decodes(AsBytes(payload).first(size))) << size;
  }
}

TEST(WalBatch, AScrapeTakesFewBytesASample) {
  std::vector<SeriesSample> samples;
  for (SeriesId i = 0; i < 2000; ++i) samples.push_back({1000 + i, {1'790'000'000'000, Bits(i * 37 % 100000)}});
  std::string payload;
  EncodeBatch({}, samples, payload);
  EXPECT_LT(payload.size(), 2000U * 6);
}

TEST(Conflict, TheRuleIsATotalOrder) {
  Random random(kSeed);
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<std::uint64_t> ascending = {
      kStaleMarkerBits, 0x7ff0000000000001, 0x7ff8000000000001, 0xfff8000000000000, Bits(-infinity), Bits(-1.0),
      Bits(-0.0),       Bits(0.0),          Bits(5e-324),       Bits(1.0),          Bits(infinity)};
  for (std::size_t a = 0; a < ascending.size(); ++a) {
    for (std::size_t b = 0; b < ascending.size(); ++b) EXPECT_EQ(Outranks(ascending[a], ascending[b]), a > b);
  }
  std::vector<Sample> samples;
  for (int i = 0; i < 1000; ++i) samples.push_back({Signed(random() % 100), ascending[random() % ascending.size()]});
  std::vector<Sample> sorted = samples;
  SortAndResolve(sorted);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(samples.begin(), samples.end(), random);
    std::vector<Sample> other = samples;
    SortAndResolve(other);
    EXPECT_EQ(other, sorted);
    EXPECT_EQ(SortAndResolve(other), 0U);
  }
}

}  // namespace
}  // namespace wiregauge::store
