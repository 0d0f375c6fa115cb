#include "daemon/self_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/client_metric.h>

#include <limits>

namespace wiregauge::daemon {
namespace {

using aggregate::FamilyType;

const aggregate::Family* Find(const aggregate::Snapshot& snapshot, std::string_view name) {
  for (const auto& family : snapshot) {
    if (family.name == name) return &family;
  }
  return nullptr;
}

TEST(SelfMetrics, CountersLoseTotalAndLabelsAreSorted) {
  prometheus::MetricFamily family{.name = "x_bytes_total", .help = "h", .type = prometheus::MetricType::Counter};
  prometheus::ClientMetric metric;
  metric.label = {{"z", "1"}, {"a", "2"}, {"empty", ""}};
  metric.counter.value = 7;
  family.metric.push_back(metric);
  const auto snapshot = ToSnapshot({family});
  ASSERT_EQ(snapshot.size(), 1U);
  EXPECT_EQ(snapshot[0].name, "x_bytes");
  EXPECT_EQ(snapshot[0].unit, "bytes");
  EXPECT_EQ(snapshot[0].type, FamilyType::kCounter);
  EXPECT_EQ(snapshot[0].points.at(0).labels, (aggregate::Labels{{"a", "2"}, {"z", "1"}}));
  EXPECT_EQ(snapshot[0].points.at(0).value, 7);
}

TEST(SelfMetrics, HistogramsKeepTheirBuckets) {
  prometheus::MetricFamily family{.name = "x_seconds", .help = "h", .type = prometheus::MetricType::Histogram};
  prometheus::ClientMetric metric;
  metric.histogram.sample_count = 3;
  metric.histogram.sample_sum = 1.5;
  metric.histogram.bucket = {{1, 0.5}, {3, std::numeric_limits<double>::infinity()}};
  family.metric.push_back(metric);
  const auto snapshot = ToSnapshot({family});
  const auto& point = snapshot.at(0).points.at(0);
  EXPECT_EQ(point.count, 3U);
  EXPECT_EQ(point.buckets.at(0).upper_bound, 0.5);
  EXPECT_EQ(point.buckets.at(0).cumulative, 1U);
  EXPECT_EQ(point.buckets.at(1).cumulative, 3U);
}

TEST(SelfMetrics, FamiliesWithoutPointsAreLeftOut) {
  EXPECT_TRUE(ToSnapshot({{.name = "x", .help = "h", .type = prometheus::MetricType::Gauge, .metric = {}}}).empty());
}

TEST(SelfMetrics, RequestsAndReloads) {
  SelfMetrics metrics;
  const http::Route route{.path = "/metrics"};
  metrics.Began();
  metrics.Began();
  metrics.Answered(&route, 200, 0.25);
  metrics.Reloaded(true, 5000);
  metrics.Reloaded(false, 9000);
  aggregate::Snapshot snapshot;
  metrics.Collect(snapshot, nullptr);
  EXPECT_EQ(Find(snapshot, "wiregauge_http_requests_in_flight")->points.at(0).value, 1);
  EXPECT_EQ(Find(snapshot, "wiregauge_http_requests")->points.at(0).labels,
            (aggregate::Labels{{"code", "200"}, {"path", "/metrics"}}));
  EXPECT_EQ(Find(snapshot, "wiregauge_config_last_reload_successful")->points.at(0).value, 0);
  EXPECT_EQ(Find(snapshot, "wiregauge_config_last_reload_success_timestamp_seconds")->points.at(0).value, 5);
  EXPECT_EQ(Find(snapshot, "wiregauge_build_info")->points.at(0).value, 1);
}

TEST(SelfMetrics, ProcessFamiliesHaveSensibleValues) {
  aggregate::Snapshot snapshot;
  CollectProcess(snapshot);
  for (const char* name : {"process_cpu_seconds", "process_threads", "process_start_time_seconds", "process_open_fds",
                           "process_max_fds", "process_virtual_memory_bytes", "process_resident_memory_bytes"}) {
    ASSERT_NE(Find(snapshot, name), nullptr) << name;
  }
  EXPECT_GT(Find(snapshot, "process_resident_memory_bytes")->points.at(0).value, 1e6);
  EXPECT_LT(Find(snapshot, "process_resident_memory_bytes")->points.at(0).value,
            Find(snapshot, "process_virtual_memory_bytes")->points.at(0).value);
  EXPECT_GT(Find(snapshot, "process_start_time_seconds")->points.at(0).value, 1.5e9);
}

}  // namespace
}  // namespace wiregauge::daemon
