#include "exporter/aggregate/tcp_metrics.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>

namespace wiregauge::aggregate {
namespace {

constexpr std::uint64_t kNow = 1'000'000'000'000;

class TcpMetricsTest : public testing::Test {
 protected:
  TcpMetricsTest() {
    web_ = Intern("web");
    redis_ = Intern("redis");
  }
  identity::ServiceId Intern(const std::string& name) {
    identity::Service service;
    service.name = name;
    return services_.Intern(service);
  }

  // family -> labels -> point
  using Points = std::map<std::string, std::map<std::string, Point>>;
  Points Collect(TcpMetrics& metrics, std::uint64_t now_ns = kNow) {
    Snapshot snapshot;
    in_use_.clear();
    metrics.Collect({now_ns, 1'700'000'000'000}, snapshot, in_use_);
    Points points;
    for (const Family& family : snapshot) {
      for (const Point& point : family.points) {
        std::string text;
        for (const auto& [name, value] : point.labels) text += (text.empty() ? "" : ",") + name + "=" + value;
        EXPECT_TRUE(points[family.name].emplace(text, point).second) << family.name << " twice: " << text;
      }
    }
    return points;
  }

  identity::ServiceTable services_;
  identity::PeerTable peers_;
  identity::ServiceId web_ = 0;
  identity::ServiceId redis_ = 0;
  std::unordered_set<identity::ServiceId> in_use_;
  TcpMetrics metrics_{services_, peers_};
};

TEST_F(TcpMetricsTest, EveryCounterHasItsFamily) {
  probe::TcpCounters delta;
  delta.opened = 1;
  delta.closed = 2;
  delta.active = 3;
  delta.sent_bytes = 4;
  delta.received_bytes = 5;
  delta.sent_segments = 6;
  delta.retransmitted_segments = 7;
  delta.retransmission_timeouts = 8;
  delta.out_of_order_segments = 9;
  delta.resets_sent = 10;
  delta.resets_received = 11;
  metrics_.Add({web_, redis_, identity::kPeerLoopback, probe::Role::kClient}, delta, kNow);
  const Points points = Collect(metrics_);
  const std::string labels = "peer=redis,role=client,service_name=web";
  const std::pair<const char*, double> want[] = {{"connections_opened", 1},     {"connections_closed", 2},
                                                 {"connections_active", 3},     {"sent_bytes", 4},
                                                 {"received_bytes", 5},         {"segments_sent", 6},
                                                 {"retransmitted_segments", 7}, {"retransmission_timeouts", 8},
                                                 {"out_of_order_segments", 9},  {"resets_sent", 10},
                                                 {"resets_received", 11}};
  for (const auto& [name, value] : want) {
    EXPECT_EQ(points.at(std::string("wiregauge_tcp_") + name).at(labels).value, value) << name;
  }
  EXPECT_EQ(points.size(), 13U);
  EXPECT_TRUE(in_use_.contains(web_));
  EXPECT_TRUE(in_use_.contains(redis_));
}

TEST_F(TcpMetricsTest, DeltasAddUpAndActiveIsOfTheLastDrain) {
  probe::TcpCounters delta;
  delta.opened = 2;
  delta.active = 2;
  const TcpPair internet = {web_, identity::kUnknownService, identity::kPeerInternet, probe::Role::kServer};
  metrics_.BeginDrain();
  metrics_.Add(internet, delta, kNow);
  metrics_.Add(internet, delta, kNow);  // another process of the same service
  const std::string labels = "peer=internet,role=server,service_name=web";
  EXPECT_EQ(Collect(metrics_)["wiregauge_tcp_connections_active"].at(labels).value, 4);
  metrics_.BeginDrain();
  metrics_.Add(internet, delta, kNow);
  EXPECT_EQ(Collect(metrics_)["wiregauge_tcp_connections_active"].at(labels).value, 2);
  metrics_.BeginDrain();
  Points points = Collect(metrics_);
  EXPECT_EQ(points["wiregauge_tcp_connections_active"].at(labels).value, 0);
  EXPECT_EQ(points["wiregauge_tcp_connections_opened"].at(labels).value, 6);
  EXPECT_TRUE(points["wiregauge_tcp_connections_opened"].at(labels).created_s);
  EXPECT_FALSE(points["wiregauge_tcp_connections_active"].at(labels).created_s);
}

TEST_F(TcpMetricsTest, HistogramsAreInSecondsAndConnectIsForClients) {
  probe::TcpCounters delta;
  delta.connect_duration.buckets[0] = 2;
  delta.connect_duration.buckets[15] = 1;
  delta.connect_duration.sum_us = 6'000'100;
  delta.rtt.buckets[3] = 5;
  delta.rtt.sum_us = 4'000;
  metrics_.Add({web_, 0, identity::kPeerPrivate, probe::Role::kClient}, delta, kNow);
  metrics_.Add({web_, 0, identity::kPeerPrivate, probe::Role::kServer}, delta, kNow);
  Points points = Collect(metrics_);
  const auto& connect = points["wiregauge_tcp_connect_duration_seconds"];
  ASSERT_EQ(connect.size(), 1U);
  const Point& point = connect.at("peer=private,role=client,service_name=web");
  ASSERT_EQ(point.buckets.size(), probe::kTcpBucketBoundsUs.size() + 1);
  EXPECT_EQ(point.buckets[0].upper_bound, 0.0001);
  EXPECT_EQ(point.buckets[0].cumulative, 2U);
  EXPECT_EQ(point.buckets[14].upper_bound, 5.0);
  EXPECT_EQ(point.buckets[14].cumulative, 2U);
  EXPECT_EQ(point.buckets[15].upper_bound, std::numeric_limits<double>::infinity());
  EXPECT_EQ(point.buckets[15].cumulative, 3U);
  EXPECT_EQ(point.count, 3U);
  EXPECT_EQ(point.sum, 6.0001);
  EXPECT_EQ(points["wiregauge_tcp_rtt_seconds"].size(), 2U);
}

TEST_F(TcpMetricsTest, PeersOverTheBudgetAreOneARole) {
  TcpMetrics metrics(services_, peers_, {.family_max = 100, .service_max = 3});
  probe::TcpCounters delta;
  delta.opened = 1;
  for (int i = 0; i < 10; ++i) {
    const identity::ServiceId peer = Intern("peer" + std::to_string(i));
    metrics.Add({web_, peer, 0, i < 9 ? probe::Role::kClient : probe::Role::kServer}, delta, kNow);
  }
  EXPECT_EQ(metrics.overflow_total(), 7U);
  const auto opened = Collect(metrics)["wiregauge_tcp_connections_opened"];
  EXPECT_EQ(opened.size(), 5U);
  EXPECT_EQ(opened.at("peer=_OTHER,role=client,service_name=web").value, 6);
  EXPECT_EQ(opened.at("peer=_OTHER,role=server,service_name=web").value, 1);
}

TEST_F(TcpMetricsTest, AnOpenConnectionKeepsItsSeries) {
  const TcpPair pair = {web_, 0, identity::kPeerPrivate, probe::Role::kUnknown};
  metrics_.Add(pair, {}, kNow);
  Collect(metrics_);
  metrics_.BeginDrain();
  metrics_.Add(pair, {}, kNow + kSeriesIdleNs - 1);
  EXPECT_FALSE(Collect(metrics_, kNow + kSeriesIdleNs + 1).empty());
  metrics_.BeginDrain();
  EXPECT_TRUE(Collect(metrics_, kNow + 2 * kSeriesIdleNs).empty());
}

}  // namespace
}  // namespace wiregauge::aggregate
