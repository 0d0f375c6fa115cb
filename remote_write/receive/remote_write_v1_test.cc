#include "remote_write/receive/remote_write_v1.h"

#include <limits>

#include <gtest/gtest.h>

#include "remote_write/receive/request_builder.h"

namespace wiregauge::receive {
namespace {

using namespace std::string_literals;
using testing::At;

constexpr std::int64_t kNow = 1'790'000'000'000;
constexpr TimeWindow kWindow{kNow - 1'000'000, kNow + kMaxFutureMs};
const testing::Labels kUp = {{"__name__", "up"}, {"job", "node"}};

WriteRequest Decode(const std::string& message, const TimeWindow& window = kWindow) {
  WriteRequest out;
  const Status decoded = DecodeV1(AsBytes(message), window, out);
  EXPECT_TRUE(decoded.has_value());
  return out;
}

TEST(DecodeV1, EmptyRequestIsNothing) {
  const WriteRequest request = Decode("");
  EXPECT_TRUE(request.series.empty() && request.samples.empty() && request.verdicts.empty());
}

TEST(DecodeV1, SeriesKeepTheirRawLabelsAndSamplesTheirBits) {
  const std::vector<Sample> samples = {At(kNow, 1.5), {kNow + 1, 0x7ff0000000000002}, {kNow + 2, 0xfff8dead0000beef}};
  const std::string message = testing::RequestMessage(
      {testing::SeriesMessage(kUp, samples), testing::SeriesMessage({{"__name__", "down"}}, {At(kNow, -0.0)})});
  const WriteRequest request = Decode(message);
  ASSERT_EQ(request.series.size(), 2u);
  EXPECT_EQ(AsText(request.series[0].raw_labels), testing::RawLabels(kUp));
  EXPECT_EQ(request.series[0].sample_count, 3u);
  EXPECT_EQ(request.series[1].first_sample, 3u);
  EXPECT_EQ(std::vector(request.samples.begin(), request.samples.begin() + 3), samples);
  EXPECT_EQ(request.samples[3].value_bits, 0x8000000000000000u);
}

TEST(DecodeV1, TimestampsOfEverySizeComeThrough) {
  constexpr TimeWindow kEverything{std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  for (const std::int64_t ts :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{127}, std::int64_t{128}, (std::int64_t{1} << 35) - 1,
        std::int64_t{1} << 35, (std::int64_t{1} << 42) - 1, std::int64_t{1} << 42, std::int64_t{-1},
        kEverything.oldest_ms, kEverything.newest_ms}) {
    const WriteRequest request =
        Decode(testing::RequestMessage({testing::SeriesMessage(kUp, {At(ts, 1)})}), kEverything);
    ASSERT_EQ(request.samples.size(), 1u);
    EXPECT_EQ(request.samples[0].timestamp_ms, ts);
  }
}

TEST(DecodeV1, WindowIsInclusiveAndRefusesPerSample) {
  const std::string message = testing::RequestMessage(
      {testing::SeriesMessage(kUp, {At(kWindow.oldest_ms - 1, 1), At(kWindow.oldest_ms, 2), At(kWindow.newest_ms, 3),
                                    At(kWindow.newest_ms + 1, 4), At(std::numeric_limits<std::int64_t>::max(), 5),
                                    At(std::numeric_limits<std::int64_t>::min(), 6), At(0, 7), At(-1, 8)})});
  const WriteRequest request = Decode(message);
  ASSERT_EQ(request.samples.size(), 2u);
  EXPECT_EQ(request.samples[0].timestamp_ms, kWindow.oldest_ms);
  EXPECT_EQ(request.samples[1].timestamp_ms, kWindow.newest_ms);
  EXPECT_EQ(request.verdicts.Count(Reason::kTooOld), 4u);
  EXPECT_EQ(request.verdicts.Count(Reason::kTooFarInFuture), 2u);
}

TEST(DecodeV1, SeriesWithoutAnAcceptedSampleAreLeftOut) {
  const WriteRequest request = Decode(testing::RequestMessage(
      {testing::SeriesMessage(kUp, {}), testing::SeriesMessage(kUp, {At(0, 1)}), testing::SeriesMessage({}, {})}));
  EXPECT_TRUE(request.series.empty());
  EXPECT_EQ(request.verdicts.total(), 1u);
}

TEST(DecodeV1, ExemplarsAndHistogramsAreRefusedNotLost) {
  std::string series = testing::SeriesMessage(kUp, {At(kNow, 1)});
  testing::AppendField(series, 3, "exemplar");
  testing::AppendField(series, 4, "histogram");
  testing::AppendField(series, 4, "histogram");
  const WriteRequest request = Decode(testing::RequestMessage({series}));
  EXPECT_EQ(request.samples.size(), 1u);
  EXPECT_EQ(request.verdicts.Count(Reason::kExemplarUnsupported), 1u);
  EXPECT_EQ(request.verdicts.Count(Reason::kHistogramUnsupported), 2u);
}

TEST(DecodeV1, LabelsApartAreGatheredAsIfTheyStoodTogether) {
  std::string series;
  testing::AppendField(series, 2, testing::SampleMessage(At(kNow, 1)));
  series += testing::RawLabels({{"__name__", "up"}});
  testing::AppendField(series, 2, testing::SampleMessage(At(kNow + 1, 2)));
  series += testing::RawLabels({{"job", "node"}});
  const WriteRequest request = Decode(testing::RequestMessage({series, series}));
  ASSERT_EQ(request.series.size(), 2u);
  EXPECT_EQ(AsText(request.series[0].raw_labels), testing::RawLabels(kUp));
  EXPECT_EQ(AsText(request.series[1].raw_labels), testing::RawLabels(kUp));
  EXPECT_EQ(request.series[0].sample_count, 2u);
}

TEST(DecodeV1, UnknownFieldsAndWrongWireTypesAreSteppedOver) {
  std::string sample = testing::SampleMessage(At(1, 1)) + testing::SampleMessage(At(kNow, 2));  // last one wins
  sample += "\x10"s + "\x01"s + testing::SampleMessage(At(kNow, 2));
  sample +=
      "\x0a\x01z\x55"
      "abcd";
  std::string series = testing::RawLabels(kUp);
  testing::AppendField(series, 2, sample);
  testing::AppendField(series, 15, "later version");
  series += "\x08\x07";
  std::string message = "\x08\x07"s + testing::RequestMessage({series});
  testing::AppendField(message, 2, "cortex source");
  const WriteRequest request = Decode(message);
  ASSERT_EQ(request.samples.size(), 1u);
  EXPECT_EQ(request.samples[0], At(kNow, 2));
}

TEST(DecodeV1, MetadataIsRead) {
  std::string metadata = "\x08\x01";
  testing::AppendField(metadata, 2, "http_requests_total");
  testing::AppendField(metadata, 4, "Requests.");
  testing::AppendField(metadata, 5, "requests");
  std::string message;
  testing::AppendField(message, 3, metadata);
  const WriteRequest request = Decode(message);
  ASSERT_EQ(request.metadata.size(), 1u);
  EXPECT_EQ(request.metadata[0].type, 1u);
  EXPECT_EQ(request.metadata[0].family, "http_requests_total");
  EXPECT_EQ(request.metadata[0].help, "Requests.");
  EXPECT_EQ(request.metadata[0].unit, "requests");
}

TEST(DecodeV1, EveryTruncationIsRefusedWithItsOffset) {
  const std::string first = testing::RequestMessage({testing::SeriesMessage(kUp, {At(kNow, 1)})});
  const std::string message = first + first;
  for (std::size_t cut = 1; cut < message.size(); ++cut) {
    WriteRequest out;
    const Status decoded = DecodeV1(AsBytes(message).first(cut), kWindow, out);
    EXPECT_EQ(decoded.has_value(), cut == first.size()) << cut;
    if (!decoded) {
      EXPECT_EQ(decoded.error().code, Code::kInvalidArgument);
    }
  }
  WriteRequest out;
  const Status decoded = DecodeV1(AsBytes(first + "\x0a\x7f"), kWindow, out);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_NE(decoded.error().message.find("byte " + std::to_string(first.size())), std::string::npos);
}

}  // namespace
}  // namespace wiregauge::receive
