#include "exporter/expose/protobuf.h"

#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <sstream>
#include <string>

#include "exporter/expose/sample_snapshot.h"
#include "metrics.pb.h"

namespace wiregauge::expose {
namespace {

namespace client = io::prometheus::client;

// Reads with generated code, to the last byte; nothing of it is unknown to the schema.
std::map<std::string, client::MetricFamily> ReadBack(const aggregate::Snapshot& snapshot) {
  std::string bytes;
  AppendProtobuf(snapshot, bytes);
  std::istringstream stream(bytes);
  google::protobuf::io::IstreamInputStream input(&stream);
  std::map<std::string, client::MetricFamily> families;
  std::string last;
  for (;;) {
    client::MetricFamily family;
    bool clean_end = false;
    if (!google::protobuf::util::ParseDelimitedFromZeroCopyStream(&family, &input, &clean_end)) {
      EXPECT_TRUE(clean_end);
      return families;
    }
    EXPECT_EQ(family.unknown_fields().field_count(), 0);
    EXPECT_LT(last, family.name()) << "not in order";
    last = family.name();
    families[last] = family;
  }
}

std::map<std::string, std::string> LabelsOf(const google::protobuf::RepeatedPtrField<client::LabelPair>& pairs) {
  std::map<std::string, std::string> labels;
  for (const client::LabelPair& pair : pairs) labels[pair.name()] = pair.value();
  return labels;
}

double Seconds(const google::protobuf::Timestamp& timestamp) {
  return static_cast<double>(timestamp.seconds()) + timestamp.nanos() / 1e9;
}

// The counts by index that spans and deltas stand for, as a reader adds them up.
std::map<std::int32_t, std::int64_t> CountsOf(const client::Histogram& histogram) {
  std::map<std::int32_t, std::int64_t> counts;
  std::int32_t index = 0;
  std::int64_t count = 0;
  int at = 0;
  for (const client::BucketSpan& span : histogram.positive_span()) {
    index += span.offset();
    for (std::uint32_t i = 0; i < span.length(); ++i) counts[index++] = count += histogram.positive_delta(at++);
  }
  EXPECT_EQ(at, histogram.positive_delta_size());
  return counts;
}

TEST(AppendProtobuf, EveryTypeOfFamily) {
  const auto families = ReadBack(SampleSnapshot());
  ASSERT_EQ(families.size(), 6U);
  const client::MetricFamily& counter = families.at("bytes_sent_bytes_total");
  EXPECT_EQ(counter.type(), client::COUNTER);
  EXPECT_EQ(counter.help(), "Back\\slash \"quoted\"\nline.");
  EXPECT_EQ(counter.unit(), "bytes");
  ASSERT_EQ(counter.metric_size(), 2);
  EXPECT_EQ(counter.metric(0).label(0).value(), kAwkwardValue);
  EXPECT_EQ(counter.metric(0).counter().value(), 1e15);
  EXPECT_FALSE(counter.metric(0).counter().has_created_timestamp());
  EXPECT_EQ(Seconds(counter.metric(1).counter().created_timestamp()), 1795158851.0);
  const client::MetricFamily& gauge = families.at("a_ratio");
  EXPECT_EQ(gauge.type(), client::GAUGE);
  EXPECT_EQ(gauge.metric(0).gauge().value(), 0.25);
  EXPECT_TRUE(std::isnan(gauge.metric(2).gauge().value()));
  EXPECT_EQ(families.at("target_info").type(), client::GAUGE);
  EXPECT_EQ(families.at("target_info").metric(0).gauge().value(), 1);
  const client::MetricFamily& summary = families.at("scrape_time_seconds");
  EXPECT_EQ(summary.type(), client::SUMMARY);
  EXPECT_EQ(summary.metric(0).summary().sample_count(), 3U);
  EXPECT_EQ(summary.metric(0).summary().quantile(1).value(), 0.02);
  EXPECT_EQ(families.at("old_thing").type(), client::UNTYPED);
  EXPECT_EQ(families.at("old_thing").metric(0).untyped().value(), 7);
}

TEST(AppendProtobuf, AHistogramInBothKindsOfBuckets) {
  const auto families = ReadBack(SampleSnapshot());
  const client::MetricFamily& family = families.at("http_server_request_duration_seconds");
  EXPECT_EQ(family.type(), client::HISTOGRAM);
  ASSERT_EQ(family.metric_size(), 1);
  EXPECT_EQ(LabelsOf(family.metric(0).label()),
            (std::map<std::string, std::string>{{"http_route", "/a"}, {"service_name", "web"}}));
  const client::Histogram& histogram = family.metric(0).histogram();
  EXPECT_EQ(histogram.sample_count(), 4U);
  EXPECT_EQ(histogram.sample_sum(), 12.5);
  EXPECT_NEAR(Seconds(histogram.created_timestamp()), 1795158851.493, 1e-6);
  ASSERT_EQ(histogram.bucket_size(), 3);
  EXPECT_EQ(histogram.bucket(1).cumulative_count(), 3U);
  EXPECT_EQ(histogram.bucket(1).upper_bound(), 1);
  EXPECT_EQ(histogram.bucket(2).upper_bound(), std::numeric_limits<double>::infinity());
  EXPECT_FALSE(histogram.bucket(1).has_exemplar());
  const client::Exemplar& exemplar = histogram.bucket(0).exemplar();
  EXPECT_EQ(LabelsOf(exemplar.label()),
            (std::map<std::string, std::string>{{"span_id", "00000000000000b1"}, {"trace_id", kAwkwardValue}}));
  EXPECT_EQ(exemplar.value(), 0.00025);
  EXPECT_EQ(Seconds(exemplar.timestamp()), 1795158860.25);
  EXPECT_EQ(histogram.bucket(2).exemplar().value(), 12);
  EXPECT_EQ(histogram.schema(), 3);
  EXPECT_EQ(histogram.zero_threshold(), 0.0001);
  EXPECT_EQ(histogram.zero_count(), 1U);
  // -17 follows -20 in its span over two empty ones; -13 and 5 are too far away.
  EXPECT_EQ(CountsOf(histogram),
            (std::map<std::int32_t, std::int64_t>{{-20, 1}, {-19, 0}, {-18, 0}, {-17, 3}, {-13, 2}, {5, 1}}));
  EXPECT_EQ(histogram.positive_span_size(), 3);
}

TEST(AppendProtobuf, NoObservationsAreANativeHistogramToo) {
  aggregate::Snapshot snapshot = SampleSnapshot();
  snapshot[0].points[0].native->buckets.clear();
  const client::Histogram histogram =
      ReadBack(snapshot).at("http_server_request_duration_seconds").metric(0).histogram();
  EXPECT_EQ(histogram.positive_span_size(), 0);
  EXPECT_GT(histogram.zero_threshold(), 0);
}

TEST(AppendProtobuf, OnlyAClassicHistogramWhereThereIsNoOther) {
  aggregate::Snapshot snapshot = SampleSnapshot();
  snapshot[0].points[0].native.reset();
  const client::Histogram histogram =
      ReadBack(snapshot).at("http_server_request_duration_seconds").metric(0).histogram();
  EXPECT_FALSE(histogram.has_zero_threshold());
  EXPECT_FALSE(histogram.has_schema());
}

TEST(AppendProtobuf, LengthsOfEverySizeAndTextOfAnyBytes) {
  for (const std::size_t size : {0U, 1U, 100U, 127U, 128U, 129U, 16'000U, 16'383U, 16'384U, 3'000'000U}) {
    aggregate::Family family = SampleFamily("f", "", aggregate::FamilyType::kGauge, "Help.");
    family.points = {SamplePoint({{"a", std::string(size, 'x') + "\xff"}}, 1), SamplePoint({{"b", "c"}}, 2)};
    const auto families = ReadBack({family});
    ASSERT_EQ(families.at("f").metric_size(), 2);
    EXPECT_EQ(families.at("f").metric(0).label(0).value(), std::string(size, 'x') + "\xef\xbf\xbd");
    EXPECT_EQ(families.at("f").metric(1).gauge().value(), 2);
  }
}

TEST(AppendProtobuf, NothingForNothing) {
  std::string bytes;
  AppendProtobuf({}, bytes);
  EXPECT_EQ(bytes, "");
}

}  // namespace
}  // namespace wiregauge::expose
