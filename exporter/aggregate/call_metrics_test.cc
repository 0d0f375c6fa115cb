#include "exporter/aggregate/call_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

namespace wiregauge::aggregate {
namespace {

using match::NoAnswer;
using match::System;
using probe::Role;

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kStart = 1'000'000 * kMillisecond;

std::string Text(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) text += (text.empty() ? "" : ",") + name + "=" + value;
  return text;
}

class CallMetricsTest : public testing::Test {
 protected:
  CallMetricsTest() {
    identity::Service app;
    app.name = "app";
    app.service_namespace = "shop";
    app_ = services_.Intern(app);
    EXPECT_TRUE(identity::ParseAddress("10.0.0.1", server_.address));
    server_.port = 6379;
  }

  static match::Call Call(System system, Role role, std::string_view operation, std::string_view code = "",
                          std::string_view error = "") {
    match::Call call;
    call.system = system;
    call.role = role;
    call.operation = operation;
    call.code = code;
    call.error = error;
    call.start_ns = kStart;
    call.end_ns = kStart + kMillisecond;
    return call;
  }

  static Snapshot Collect(CallMetrics& metrics, std::uint64_t now_ns = kStart) {
    Snapshot snapshot;
    std::unordered_set<identity::ServiceId> in_use;
    metrics.Collect({now_ns, 1'700'000'000'000}, snapshot, in_use);
    return snapshot;
  }
  // "family{labels}" -> count.
  static std::map<std::string, std::uint64_t> Counts(CallMetrics& metrics) {
    std::map<std::string, std::uint64_t> counts;
    for (const Family& family : Collect(metrics)) {
      for (const Point& point : family.points) {
        const std::string name = family.name + "{" + Text(point.labels) + "}";
        EXPECT_TRUE(counts.emplace(name, point.count).second) << "twice: " << name;
      }
    }
    return counts;
  }
  static std::string OneSeries(CallMetrics& metrics) {
    const auto counts = Counts(metrics);
    EXPECT_EQ(counts.size(), 1U);
    return counts.empty() ? "" : counts.begin()->first;
  }
  std::string SeriesOf(const match::Call& call, const Options& options = {}) {
    CallMetrics metrics(services_, peers_, options);
    metrics.Add(call, app_, server_);
    return OneSeries(metrics);
  }

  identity::ServiceTable services_;
  identity::PeerTable peers_;
  identity::ServiceId app_ = 0;
  probe::Endpoint server_;
};

TEST_F(CallMetricsTest, EachSystemHasItsFamilyAndLabels) {
  EXPECT_EQ(SeriesOf(Call(System::kGrpc, Role::kServer, "pkg.Greeter/Hello", "OK")),
            "rpc_server_call_duration_seconds{rpc_method=pkg.Greeter/Hello,rpc_response_status_code=OK,"
            "rpc_system_name=grpc,service_name=app,service_namespace=shop}");
  EXPECT_EQ(SeriesOf(Call(System::kGrpc, Role::kClient, "pkg.Greeter/Hello", "UNAVAILABLE", "UNAVAILABLE")),
            "rpc_client_call_duration_seconds{error_type=UNAVAILABLE,rpc_method=pkg.Greeter/Hello,"
            "rpc_response_status_code=UNAVAILABLE,rpc_system_name=grpc,server_address=10.0.0.1,server_port=6379,"
            "service_name=app,service_namespace=shop}");
  EXPECT_EQ(SeriesOf(Call(System::kRedis, Role::kServer, "GET")),
            "db_server_operation_duration_seconds{db_operation_name=GET,db_system_name=redis,service_name=app,"
            "service_namespace=shop}");
  EXPECT_EQ(SeriesOf(Call(System::kMemcached, Role::kServer, "get")),
            "db_server_operation_duration_seconds{db_operation_name=get,db_system_name=memcached,service_name=app,"
            "service_namespace=shop}");
  match::Call select = Call(System::kMysql, Role::kClient, "SELECT", "1064", "1064");
  select.destination = "orders";
  EXPECT_EQ(SeriesOf(select),
            "db_client_operation_duration_seconds{db_collection_name=orders,db_operation_name=SELECT,"
            "db_response_status_code=1064,db_system_name=mysql,error_type=1064,server_address=10.0.0.1,"
            "server_port=6379,service_name=app,service_namespace=shop}");
  EXPECT_NE(SeriesOf(Call(System::kPostgresql, Role::kServer, "SELECT")).find("db_system_name=postgresql"),
            std::string::npos);
  match::Call publish = Call(System::kKafka, Role::kServer, "Produce", "0");
  publish.destination = "events";
  EXPECT_EQ(SeriesOf(publish),
            "messaging_server_operation_duration_seconds{messaging_destination_name=events,"
            "messaging_operation_name=Produce,messaging_system=kafka,service_name=app,service_namespace=shop}");
  publish.system = System::kMqtt;
  publish.role = Role::kClient;
  EXPECT_TRUE(SeriesOf(publish).starts_with("messaging_client_operation_duration_seconds{")) << SeriesOf(publish);
  EXPECT_NE(SeriesOf(publish).find("messaging_system=mqtt,server_address=10.0.0.1"), std::string::npos);
}

TEST_F(CallMetricsTest, DnsNamesTheQuestionOnlyWhenAsked) {
  match::Call lookup = Call(System::kDns, Role::kClient, "A", "NXDOMAIN", "NXDOMAIN");
  lookup.destination = "example.com";
  EXPECT_EQ(SeriesOf(lookup),
            "dns_lookup_duration_seconds{dns_response_code=NXDOMAIN,error_type=NXDOMAIN,service_name=app,"
            "service_namespace=shop}");
  EXPECT_EQ(SeriesOf(lookup, {.dns_question_name = true}),
            "dns_lookup_duration_seconds{dns_question_name=example.com,dns_response_code=NXDOMAIN,"
            "error_type=NXDOMAIN,service_name=app,service_namespace=shop}");
  lookup.role = Role::kServer;
  EXPECT_TRUE(SeriesOf(lookup).starts_with("dns_server_lookup_duration_seconds{"));
}

TEST_F(CallMetricsTest, NoAnswerIsTheErrorType) {
  const auto check = [&](NoAnswer no_answer, const std::string& want) {
    match::Call call = Call(System::kRedis, Role::kServer, "GET");
    call.no_answer = no_answer;
    EXPECT_NE(SeriesOf(call).find("error_type=" + want + ","), std::string::npos) << SeriesOf(call);
  };
  check(NoAnswer::kTimeout, "timeout");
  check(NoAnswer::kReset, "reset");
  check(NoAnswer::kConnectionClosed, "connection_closed");
  EXPECT_EQ(SeriesOf(Call(System::kRedis, Role::kServer, "GET")).find("error_type"), std::string::npos);
  EXPECT_NE(SeriesOf(Call(System::kRedis, Role::kServer, "GET", "", "WRONGTYPE")).find("error_type=WRONGTYPE"),
            std::string::npos);
}

TEST_F(CallMetricsTest, QuickAnswersHaveBuckets) {
  const auto first_bound = [&](System system) {
    CallMetrics metrics(services_, peers_);
    metrics.Add(Call(system, Role::kServer, "x"), app_, server_);
    return Collect(metrics).at(0).points.at(0).buckets.at(0).upper_bound;
  };
  EXPECT_EQ(first_bound(System::kGrpc), 0.0005);
  EXPECT_EQ(first_bound(System::kRedis), 0.0001);
  EXPECT_EQ(first_bound(System::kKafka), 0.0001);
  EXPECT_EQ(first_bound(System::kDns), 0.0001);
}

TEST_F(CallMetricsTest, AThresholdIsABoundOfItsFamily) {
  Options options;
  options.slow.ns[SlowThresholds::IndexOf(System::kRedis)] = 7'000'000;
  options.slow.ns[SlowThresholds::IndexOf(System::kMysql)] = 123'456'789;
  CallMetrics metrics(services_, peers_, options);
  metrics.Add(Call(System::kRedis, Role::kServer, "x"), app_, server_);
  metrics.Add(Call(System::kGrpc, Role::kServer, "x"), app_, server_);
  for (const Family& family : Collect(metrics)) {
    const std::vector<Bucket>& buckets = family.points.at(0).buckets;
    const bool db = family.name.starts_with("db_");
    for (const double bound : {0.007, 0.123456789}) {
      const auto found = std::count_if(buckets.begin(), buckets.end(),
                                       [bound](const Bucket& bucket) { return bucket.upper_bound == bound; });
      EXPECT_EQ(found, db ? 1 : 0) << family.name << bound;
    }
    EXPECT_EQ(buckets.size(), db ? kQuickBoundsNs.size() + 3 : kRequestBoundsNs.size() + 1);
  }
}

TEST_F(CallMetricsTest, CountsAndSumAreExact) {
  CallMetrics metrics(services_, peers_);
  for (std::uint64_t i = 1; i <= 1'000; ++i) {
    match::Call call = Call(System::kRedis, Role::kServer, "GET");
    call.end_ns = call.start_ns + i * 100'000;
    metrics.Add(call, app_, server_);
  }
  const Snapshot snapshot = Collect(metrics);
  const Point& point = snapshot.at(0).points.at(0);
  EXPECT_EQ(point.count, 1'000U);
  EXPECT_DOUBLE_EQ(point.sum, 50.05);
  for (const Bucket& bucket : point.buckets) {
    const double want = std::min(1'000.0, bucket.upper_bound * 1e4 + 1e-6);
    EXPECT_EQ(bucket.cumulative, static_cast<std::uint64_t>(want)) << bucket.upper_bound;
  }
}

TEST_F(CallMetricsTest, TextsOverTheirBudgetAreOtherAndNothingIsLost) {
  CallMetrics metrics(services_, peers_);
  for (int i = 0; i < 300; ++i) {
    const std::string name = "t" + std::to_string(i);
    match::Call call = Call(System::kMysql, Role::kServer, "SELECT", i < 200 ? "" : "1146", i < 200 ? "" : "1146");
    call.destination = name;
    metrics.Add(call, app_, server_);
  }
  const auto counts = Counts(metrics);
  EXPECT_EQ(counts.size(), CallMetrics::kDestinationsMax + 2);
  std::uint64_t total = 0;
  std::uint64_t errors = 0;
  for (const auto& [labels, count] : counts) {
    total += count;
    if (labels.find("error_type=1146") != std::string::npos) errors += count;
  }
  EXPECT_EQ(total, 300U);
  EXPECT_EQ(errors, 100U);
  metrics.ForEachFamily([](std::string_view name, std::size_t, std::uint64_t overflow) {
    EXPECT_EQ(overflow, name == "db_server_operation_duration_seconds" ? 200U : 0U) << name;
  });
}

TEST_F(CallMetricsTest, WhoGuessesNamesGetsAQuarterOfTheBudget) {
  CallMetrics metrics(services_, peers_);
  const auto add = [&](const std::string& table, std::string_view error) {
    match::Call call = Call(System::kMysql, Role::kServer, "SELECT", error, error);
    call.destination = table;
    metrics.Add(call, app_, server_);
  };
  for (int i = 0; i < 300; ++i) add("guess" + std::to_string(i), "1146");
  add("real", "");
  EXPECT_EQ(Counts(metrics).size(), CallMetrics::kDestinationsMax / CallMetrics::kDoubtfulPart + 2);
}

TEST_F(CallMetricsTest, ManyServicesFallBackToTotalsWithErrorsApart) {
  CallMetrics metrics(services_, peers_, {.limits = {.family_max = 10, .service_max = 5}});
  constexpr std::uint32_t kServices = 1'500;
  for (std::uint32_t i = 0; i < kServices; ++i) {
    identity::Service service;
    service.name = "s" + std::to_string(i);
    const identity::ServiceId id = services_.Intern(service);
    metrics.Add(Call(System::kRedis, Role::kServer, "GET"), id, {});
    metrics.Add(Call(System::kRedis, Role::kServer, "GET", "ERR", "ERR"), id, {});
    match::Call timeout = Call(System::kRedis, Role::kServer, "SET");
    timeout.no_answer = NoAnswer::kTimeout;
    metrics.Add(timeout, id, {});
  }
  std::uint64_t total = 0;
  std::uint64_t errors = 0;
  const auto counts = Counts(metrics);
  for (const auto& [labels, count] : counts) {
    total += count;
    if (labels.find("error_type=") != std::string::npos) errors += count;
  }
  EXPECT_EQ(total, 3 * kServices);
  EXPECT_EQ(errors, 2 * kServices);
  EXPECT_LE(counts.size(), 10 + kTotalsMax + 2);
  EXPECT_TRUE(counts.contains(
      "db_server_operation_duration_seconds{db_operation_name=_OTHER,db_system_name=redis,service_name=_OTHER}"));
  EXPECT_TRUE(counts.contains(
      "db_server_operation_duration_seconds{db_operation_name=_OTHER,db_system_name=redis,error_type=_OTHER,"
      "service_name=_OTHER}"));
}

TEST_F(CallMetricsTest, ExpiryGivesTextsFree) {
  CallMetrics metrics(services_, peers_);
  const auto add = [&](const std::string& table) {
    match::Call call = Call(System::kMysql, Role::kServer, "SELECT");
    call.destination = table;
    metrics.Add(call, app_, server_);
  };
  for (std::size_t i = 0; i < CallMetrics::kDestinationsMax + 1; ++i) add("t" + std::to_string(i));
  EXPECT_EQ(Counts(metrics).size(), CallMetrics::kDestinationsMax + 1);
  EXPECT_TRUE(Collect(metrics, kStart + kMillisecond + kSeriesIdleNs).empty());
  add("t100");
  EXPECT_NE(OneSeries(metrics).find("db_collection_name=t100"), std::string::npos);
}

TEST_F(CallMetricsTest, OtherAsTheDecoderSaysIsNoOverflow) {
  CallMetrics metrics(services_, peers_);
  metrics.Add(Call(System::kRedis, Role::kServer, "_OTHER"), app_, server_);
  EXPECT_NE(OneSeries(metrics).find("db_operation_name=_OTHER"), std::string::npos);
  metrics.ForEachFamily([](std::string_view, std::size_t, std::uint64_t overflow) { EXPECT_EQ(overflow, 0U); });
}

TEST_F(CallMetricsTest, ACallWithoutRoleIsCountedApart) {
  CallMetrics metrics(services_, peers_);
  metrics.Add(Call(System::kRedis, Role::kUnknown, "GET"), app_, server_);
  EXPECT_EQ(metrics.roleless_total(), 1U);
  EXPECT_TRUE(Collect(metrics).empty());
}

}  // namespace
}  // namespace wiregauge::aggregate
