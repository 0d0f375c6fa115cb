#include "exporter/aggregate/aggregator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

namespace wiregauge::aggregate {
namespace {

constexpr std::uint64_t kNow = 1'000'000'000'000;

class AggregatorTest : public testing::Test {
 protected:
  identity::ServiceId Intern(const std::string& name) {
    identity::Service service;
    service.name = name;
    service.systemd_unit = name + ".service";
    service.executable = "/usr/sbin/" + name;
    return services_.Intern(service);
  }
  void Serve(identity::ServiceId service) {
    match::HttpRequest request;
    request.role = probe::Role::kServer;
    request.method = "GET";
    request.path = "/";
    request.status = 200;
    request.start_ns = kNow;
    request.end_ns = kNow;
    aggregator_.requests().Add(request, service, {});
  }
  // "family{labels}" -> value
  std::map<std::string, double> Values(std::uint64_t now_ns = kNow) {
    std::map<std::string, double> values;
    for (const Family& family : aggregator_.Collect({now_ns, 1'700'000'000'000})) {
      for (const Point& point : family.points) {
        std::string text;
        for (const auto& [name, value] : point.labels) text += (text.empty() ? "" : ",") + name + "=" + value;
        EXPECT_TRUE(values.emplace(family.name + "{" + text + "}", point.value).second);
      }
    }
    return values;
  }

  identity::ServiceTable services_;
  identity::PeerTable peers_;
  Aggregator aggregator_{services_, peers_};
};

TEST_F(AggregatorTest, TargetInfoIsThereForEachServiceWithSeries) {
  const identity::ServiceId web = Intern("web");
  const identity::ServiceId redis = Intern("redis");
  const identity::ServiceId idle = Intern("idle");
  Serve(web);
  Serve(identity::kUnknownService);
  aggregator_.tcp().Add({web, redis, 0, probe::Role::kClient}, {}, kNow);
  const auto values = Values();
  EXPECT_EQ(values.at("target{process_executable_name=web,process_executable_path=/usr/sbin/web,service_name=web,"
                      "systemd_unit=web.service}"),
            1);
  EXPECT_TRUE(
      values.contains("target{process_executable_name=redis,process_executable_path=/usr/sbin/redis,"
                      "service_name=redis,systemd_unit=redis.service}"));
  std::size_t targets = 0;
  for (const auto& [name, value] : values) targets += name.starts_with("target{") ? 1 : 0;
  EXPECT_EQ(targets, 2U);
  EXPECT_TRUE(aggregator_.Uses(web));
  EXPECT_TRUE(aggregator_.Uses(redis));
  EXPECT_FALSE(aggregator_.Uses(idle));
}

TEST_F(AggregatorTest, CompletenessIsParsedOverCarried) {
  const identity::ServiceId web = Intern("web");
  aggregator_.coverage().Add(web, {.carried_bytes = 1'000, .parsed_bytes = 0}, kNow);
  aggregator_.coverage().Add(web, {.carried_bytes = 0, .parsed_bytes = 750}, kNow);
  aggregator_.coverage().AddUnparsed(web, "gap", 200, kNow);
  aggregator_.coverage().AddUnparsed(web, "gap", 30, kNow);
  aggregator_.coverage().AddUnparsed(web, "upgraded", 20, kNow);
  aggregator_.coverage().AddUnparsed(Intern("new"), "gap", 7, kNow);  // nothing carried yet: no ratio
  const auto values = Values();
  EXPECT_EQ(values.at("wiregauge_capture_completeness_ratio{service_name=web}"), 0.75);
  EXPECT_FALSE(values.contains("wiregauge_capture_completeness_ratio{service_name=new}"));
  EXPECT_EQ(values.at("wiregauge_unparsed_bytes{reason=gap,service_name=web}"), 230);
  EXPECT_EQ(values.at("wiregauge_unparsed_bytes{reason=upgraded,service_name=web}"), 20);
  EXPECT_EQ(values.at("wiregauge_unparsed_bytes{reason=gap,service_name=new}"), 7);
}

TEST_F(AggregatorTest, ThresholdsAreToldByProtocol) {
  const auto values = Values();
  EXPECT_EQ(values.at("wiregauge_slow_threshold_seconds{protocol=http}"), 0.5);
  EXPECT_EQ(values.at("wiregauge_slow_threshold_seconds{protocol=redis}"), 0.01);
  EXPECT_EQ(values.at("wiregauge_slow_threshold_seconds{protocol=dns}"), 0.1);
  EXPECT_EQ(SlowThresholds::IndexOf("dns"), SlowThresholds::IndexOf(match::System::kDns));
  EXPECT_EQ(SlowThresholds::IndexOf("nothing"), std::nullopt);
  // A default needs no bound of its own.
  const SlowThresholds slow;
  for (std::size_t i = 0; i < slow.ns.size(); ++i) {
    const bool is_request = i <= SlowThresholds::IndexOf(match::System::kGrpc);
    const bool in_quick = std::find(kQuickBoundsNs.begin(), kQuickBoundsNs.end(), slow.ns[i]) != kQuickBoundsNs.end();
    const bool in_request =
        std::find(kRequestBoundsNs.begin(), kRequestBoundsNs.end(), slow.ns[i]) != kRequestBoundsNs.end();
    EXPECT_TRUE(is_request ? in_request : in_quick) << kSlowProtocols[i];
  }
}

TEST_F(AggregatorTest, ReasonsAreBounded) {
  const identity::ServiceId web = Intern("web");
  for (std::size_t i = 0; i < 2 * CoverageMetrics::kReasonsMax; ++i) {
    aggregator_.coverage().AddUnparsed(web, "r" + std::to_string(i), 1, kNow);
  }
  const auto values = Values();
  EXPECT_EQ(values.at("wiregauge_unparsed_bytes{reason=other,service_name=web}"),
            static_cast<double>(CoverageMetrics::kReasonsMax + 1));
  EXPECT_EQ(values.at("wiregauge_unparsed_bytes{reason=r14,service_name=web}"), 1);
}

TEST_F(AggregatorTest, ItCountsItsOwnSeries) {
  const identity::ServiceId web = Intern("web");
  Serve(web);
  aggregator_.tcp().Add({web, 0, identity::kPeerPrivate, probe::Role::kServer}, {}, kNow);
  auto values = Values();
  EXPECT_EQ(values.at("wiregauge_series{family=http_server_request_duration_seconds}"), 1);
  EXPECT_EQ(values.at("wiregauge_series{family=http_client_request_duration_seconds}"), 0);
  EXPECT_EQ(values.at("wiregauge_series{family=wiregauge_tcp}"), 1);
  EXPECT_EQ(values.at("wiregauge_series_overflow{family=wiregauge_tcp}"), 0);
  for (int i = 0; i < 150; ++i) {
    match::HttpRequest request;
    request.role = probe::Role::kServer;
    const std::string path = std::string("/x") + static_cast<char>('a' + i % 26) + static_cast<char>('a' + i / 26);
    request.path = path;
    request.end_ns = kNow;
    aggregator_.requests().Add(request, web, {});
  }
  values = Values();
  EXPECT_EQ(values.at("wiregauge_series_overflow{family=http_server_request_duration_seconds}"), 51);
  values = Values(kNow + kSeriesIdleNs);
  EXPECT_EQ(values.at("wiregauge_series{family=http_server_request_duration_seconds}"), 0);
  EXPECT_EQ(values.at("wiregauge_series_overflow{family=http_server_request_duration_seconds}"), 51);
  EXPECT_FALSE(aggregator_.Uses(web));
}

}  // namespace
}  // namespace wiregauge::aggregate
