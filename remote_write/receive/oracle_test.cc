// Our decoder against generated code and libsnappy, on random requests and on damaged ones: the same verdict on the
// bytes, the same content. The seed is fixed, WIREGAUGE_SEED=N replays another.
#include <cstdlib>
#include <limits>
#include <random>

#include <gtest/gtest.h>
#include <snappy.h>

#include "remote_v1.pb.h"
#include "remote_write/receive/body.h"
#include "remote_write/receive/labels.h"
#include "remote_write/receive/remote_write_v1.h"

namespace wiregauge::receive {
namespace {

constexpr TimeWindow kEverything{std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};

std::uint64_t Seed() {
  const char* seed = std::getenv("WIREGAUGE_SEED");
  return seed == nullptr ? 20260101 : std::strtoull(seed, nullptr, 10);
}

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

  std::string Bytes(std::size_t longest) {
    std::string out(Below(longest + 1), '\0');
    for (char& c : out) c = static_cast<char>(Below(4) == 0 ? Below(256) : 'a' + Below(26));
    return out;
  }

  testdata::WriteRequest Request() {
    testdata::WriteRequest request;
    for (std::uint64_t n = Below(5); n > 0; --n) FillSeries(*request.add_timeseries());
    for (std::uint64_t n = Below(3); n > 0; --n) {
      testdata::MetricMetadata& metadata = *request.add_metadata();
      metadata.set_type(Below(9));
      metadata.set_metric_family_name(Bytes(20));
      metadata.set_help(Bytes(300));
      metadata.set_unit(Bytes(5));
    }
    return request;
  }

  // Flips, drops, doubles or inserts bytes.
  std::string Damage(std::string bytes) {
    for (std::uint64_t n = 1 + Below(4); n > 0 && !bytes.empty(); --n) {
      const std::size_t at = Below(bytes.size());
      switch (Below(4)) {
        case 0: bytes[at] = static_cast<char>(Below(256)); break;
        case 1: bytes.erase(at, 1 + Below(4)); break;
        case 2: bytes.insert(at, bytes.substr(Below(bytes.size()), Below(16))); break;
        default: bytes.insert(at, Bytes(3)); break;
      }
    }
    return bytes;
  }

 private:
  void FillSeries(testdata::TimeSeries& series) {
    for (std::uint64_t n = Below(14); n > 0; --n) {
      testdata::Label& label = *series.add_labels();
      label.set_name(Bytes(12));
      label.set_value(Bytes(Below(8) == 0 ? 300 : 12));
    }
    for (std::uint64_t n = Below(4); n > 0; --n) {
      testdata::Sample& sample = *series.add_samples();
      sample.set_value(std::bit_cast<double>(random_()));
      sample.set_timestamp(static_cast<std::int64_t>(random_() >> Below(64)));
    }
    if (Below(6) == 0) series.add_exemplars(Bytes(9));
    if (Below(6) == 0) series.add_histograms(Bytes(9));
  }

  std::mt19937_64 random_;
};

void ExpectSameLabels(const testdata::TimeSeries& want, Bytes raw) {
  std::vector<Label> labels;
  ASSERT_TRUE(ParseLabels(raw, labels).has_value());
  ASSERT_EQ(labels.size(), static_cast<std::size_t>(want.labels_size()));
  for (int i = 0; i < want.labels_size(); ++i) {
    EXPECT_EQ(labels[static_cast<std::size_t>(i)].name, want.labels(i).name());
    EXPECT_EQ(labels[static_cast<std::size_t>(i)].value, want.labels(i).value());
  }
}

void ExpectSameContent(const testdata::WriteRequest& want, const WriteRequest& got) {
  std::size_t at = 0;
  std::uint64_t exemplars = 0;
  std::uint64_t histograms = 0;
  for (const auto& series : want.timeseries()) {
    exemplars += static_cast<std::uint64_t>(series.exemplars_size());
    histograms += static_cast<std::uint64_t>(series.histograms_size());
    if (series.samples_size() == 0) continue;
    ASSERT_LT(at, got.series.size());
    const Series& ours = got.series[at++];
    ExpectSameLabels(series, ours.raw_labels);
    ASSERT_EQ(ours.sample_count, static_cast<std::uint32_t>(series.samples_size()));
    for (std::uint32_t i = 0; i < ours.sample_count; ++i) {
      const auto& sample = series.samples(static_cast<int>(i));
      EXPECT_EQ(got.samples[ours.first_sample + i].timestamp_ms, sample.timestamp());
      EXPECT_EQ(got.samples[ours.first_sample + i].value_bits, std::bit_cast<std::uint64_t>(sample.value()));
    }
  }
  EXPECT_EQ(at, got.series.size());
  EXPECT_EQ(got.verdicts.Count(Reason::kExemplarUnsupported), exemplars);
  EXPECT_EQ(got.verdicts.Count(Reason::kHistogramUnsupported), histograms);
  ASSERT_EQ(got.metadata.size(), static_cast<std::size_t>(want.metadata_size()));
  for (int i = 0; i < want.metadata_size(); ++i) {
    const Metadata& ours = got.metadata[static_cast<std::size_t>(i)];
    EXPECT_EQ(ours.type, want.metadata(i).type());
    EXPECT_EQ(ours.family, want.metadata(i).metric_family_name());
    EXPECT_EQ(ours.help, want.metadata(i).help());
    EXPECT_EQ(ours.unit, want.metadata(i).unit());
  }
}

// True when the message is wholly well formed for us: the decoder leaves the labels of series with samples to encode.
bool OursAccepts(Bytes message, WriteRequest& out) {
  if (!DecodeV1(message, kEverything, out)) return false;
  std::vector<Label> labels;
  return std::all_of(out.series.begin(), out.series.end(),
                     [&](const Series& series) { return ParseLabels(series.raw_labels, labels).has_value(); });
}

TEST(Oracle, WellFormedRequestsDecodeToTheSame) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("WIREGAUGE_SEED=" + std::to_string(seed));
  Generator generator(seed);
  DecodeBuffer buffer;
  for (int round = 0; round < 3000; ++round) {
    const testdata::WriteRequest want = generator.Request();
    const std::string plain = want.SerializeAsString();
    std::string body;
    snappy::Compress(plain.data(), plain.size(), &body);
    const auto declared = DeclaredSize(AsBytes(body));
    ASSERT_TRUE(declared.has_value());
    const auto message = buffer.Uncompress(AsBytes(body), *declared);
    ASSERT_TRUE(message.has_value());
    WriteRequest got;
    ASSERT_TRUE(OursAccepts(*message, got));
    ExpectSameContent(want, got);
    if (HasFailure()) return;
  }
}

TEST(Oracle, DamagedRequestsGetTheSameVerdict) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("WIREGAUGE_SEED=" + std::to_string(seed));
  Generator generator(seed + 1);
  int accepted = 0;
  for (int round = 0; round < 40000; ++round) {
    const std::string bytes = generator.Damage(generator.Request().SerializeAsString());
    testdata::WriteRequest want;
    const bool theirs = want.ParseFromString(bytes);
    WriteRequest got;
    ASSERT_EQ(OursAccepts(AsBytes(bytes), got), theirs) << "round " << round << ": " << ::testing::PrintToString(bytes);
    if (theirs) ExpectSameContent(want, got);
    if (HasFailure()) return;
    accepted += theirs ? 1 : 0;
  }
  EXPECT_GT(accepted, 4000);
  EXPECT_LT(accepted, 36000);
}

}  // namespace
}  // namespace wiregauge::receive
