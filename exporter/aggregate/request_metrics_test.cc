#include "exporter/aggregate/request_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <map>
#include <string>
#include <utility>

namespace wiregauge::aggregate {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kStart = 1'000'000 * kMillisecond;

std::string Text(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) text += (text.empty() ? "" : ",") + name + "=" + value;
  return text;
}

class RequestMetricsTest : public testing::Test {
 protected:
  RequestMetricsTest() {
    identity::Service web;
    web.name = "web";
    web_ = services_.Intern(web);
  }

  static match::HttpRequest Request(probe::Role role, std::string_view path, std::uint16_t status,
                                    std::uint64_t duration_ns = kMillisecond) {
    match::HttpRequest request;
    request.role = role;
    request.method = "GET";
    request.path = path;
    request.status = status;
    request.start_ns = kStart;
    request.end_ns = kStart + duration_ns;
    return request;
  }
  static match::HttpRequest Served(std::string_view path, std::uint16_t status) {
    return Request(probe::Role::kServer, path, status);
  }
  static match::HttpRequest Sent(std::string_view path, std::uint16_t status) {
    return Request(probe::Role::kClient, path, status);
  }
  static probe::Endpoint At(const char* address, std::uint16_t port) {
    probe::Endpoint endpoint;
    EXPECT_TRUE(identity::ParseAddress(address, endpoint.address));
    endpoint.port = port;
    return endpoint;
  }

  static Snapshot Collect(RequestMetrics& metrics, std::uint64_t now_ns = kStart) {
    Snapshot snapshot;
    std::unordered_set<identity::ServiceId> in_use;
    metrics.Collect({now_ns, 1'700'000'000'000}, snapshot, in_use);
    return snapshot;
  }
  // Labels -> count, over all families.
  static std::map<std::string, std::uint64_t> Counts(RequestMetrics& metrics) {
    std::map<std::string, std::uint64_t> counts;
    for (const Family& family : Collect(metrics)) {
      for (const Point& point : family.points) {
        EXPECT_TRUE(counts.emplace(Text(point.labels), point.count).second) << "twice: " << Text(point.labels);
      }
    }
    return counts;
  }
  static std::string OneSeries(RequestMetrics& metrics) {
    const auto counts = Counts(metrics);
    EXPECT_EQ(counts.size(), 1U);
    return counts.empty() ? "" : counts.begin()->first;
  }

  identity::ServiceTable services_;
  identity::PeerTable peers_;
  identity::ServiceId web_ = 0;
  RequestMetrics metrics_{services_, peers_};
};

TEST_F(RequestMetricsTest, AServersLabels) {
  metrics_.Add(Served("/users/42", 200), web_, At("10.0.0.1", 80));
  EXPECT_EQ(OneSeries(metrics_),
            "http_request_method=GET,http_response_status_code=200,http_route=/users/{id},network_protocol_version=1.1,"
            "service_name=web");
  const Snapshot snapshot = Collect(metrics_);
  ASSERT_EQ(snapshot.size(), 1U);
  EXPECT_EQ(snapshot[0].name, "http_server_request_duration_seconds");
  EXPECT_EQ(snapshot[0].unit, "seconds");
  EXPECT_EQ(snapshot[0].type, FamilyType::kHistogram);
}

TEST_F(RequestMetricsTest, AClientsLabels) {
  match::HttpRequest request = Sent("/a", 200);
  request.method = "PURGE";
  request.minor_version = 0;
  metrics_.Add(request, web_, At("10.0.0.1", 8080));
  EXPECT_EQ(OneSeries(metrics_),
            "http_request_method=PURGE,http_response_status_code=200,http_route=/a,network_protocol_version=1.0,"
            "server_address=10.0.0.1,server_port=8080,service_name=web");
  EXPECT_EQ(Collect(metrics_)[0].name, "http_client_request_duration_seconds");
}

TEST_F(RequestMetricsTest, Http2HasItsVersionAndItsErrors) {
  match::HttpRequest request = Served("/a", 200);
  request.major_version = 2;
  request.minor_version = 0;
  request.error = "CANCEL";
  request.no_answer = match::NoAnswer::kReset;  // the stream's end says more
  metrics_.Add(request, web_, {});
  EXPECT_EQ(OneSeries(metrics_),
            "error_type=CANCEL,http_request_method=GET,http_response_status_code=200,http_route=/a,"
            "network_protocol_version=2,service_name=web");
}

TEST_F(RequestMetricsTest, ServiceNamespaceIsALabelWhenThereIsOne) {
  identity::Service shop;
  shop.name = "web";
  shop.service_namespace = "shop";
  metrics_.Add(Served("/a", 200), services_.Intern(shop), {});
  EXPECT_NE(OneSeries(metrics_).find("service_name=web,service_namespace=shop"), std::string::npos);
}

TEST_F(RequestMetricsTest, ErrorTypeFollowsTheRole) {
  const auto check = [&](match::HttpRequest request, const std::string& want) {
    RequestMetrics metrics(services_, peers_);
    metrics.Add(request, web_, At("10.0.0.1", 80));
    const std::string labels = OneSeries(metrics);
    const std::string got = labels.starts_with("error_type=") ? labels.substr(11, labels.find(',') - 11) : "";
    EXPECT_EQ(got, want) << labels;
  };
  check(Served("/", 200), "");
  check(Served("/", 399), "");
  check(Served("/", 400), "");
  check(Served("/", 499), "");
  check(Served("/", 500), "500");
  check(Served("/", 599), "599");
  check(Sent("/", 399), "");
  check(Sent("/", 400), "400");
  check(Sent("/", 404), "404");
  check(Sent("/", 503), "503");
  for (const auto& [no_answer, want] :
       {std::pair{match::NoAnswer::kTimeout, "timeout"}, std::pair{match::NoAnswer::kReset, "reset"},
        std::pair{match::NoAnswer::kConnectionClosed, "connection_closed"}}) {
    match::HttpRequest request = Served("/", 0);
    request.no_answer = no_answer;
    check(request, want);
    request.role = probe::Role::kClient;
    check(request, want);
  }
}

TEST_F(RequestMetricsTest, WithoutAnswerThereIsNoStatus) {
  match::HttpRequest request = Served("/a", 0);
  request.no_answer = match::NoAnswer::kTimeout;
  metrics_.Add(request, web_, {});
  EXPECT_EQ(OneSeries(metrics_),
            "error_type=timeout,http_request_method=GET,http_route=/a,network_protocol_version=1.1,service_name=web");
}

TEST_F(RequestMetricsTest, ConnectHasNoRoute) {
  match::HttpRequest request = Served("", 200);
  request.method = "CONNECT";
  metrics_.Add(request, web_, {});
  EXPECT_EQ(OneSeries(metrics_).find("http_route"), std::string::npos);
}

TEST_F(RequestMetricsTest, PublicServersAreOneUnlessNamed) {
  std::vector<identity::PeerRule> rules = identity::BuiltInPeerRules();
  rules.push_back({At("8.8.0.0", 0).address, 112, identity::kFirstNamedPeer, "dns.example"});
  const identity::PeerTable peers(rules);
  RequestMetrics metrics(services_, peers);
  metrics.Add(Sent("/", 200), web_, At("1.1.1.1", 443));
  metrics.Add(Sent("/", 200), web_, At("1.0.0.1", 443));
  metrics.Add(Sent("/", 200), web_, At("8.8.8.8", 443));
  metrics.Add(Sent("/", 200), web_, At("8.8.4.4", 443));
  metrics.Add(Sent("/", 200), web_, At("::1", 443));
  const auto counts = Counts(metrics);
  const auto count_of = [&](const std::string& address) {
    return counts.at(
        "http_request_method=GET,http_response_status_code=200,http_route=/,network_protocol_version=1.1,"
        "server_address=" +
        address + ",server_port=443,service_name=web");
  };
  EXPECT_EQ(counts.size(), 3U);
  EXPECT_EQ(count_of("internet"), 2U);
  EXPECT_EQ(count_of("dns.example"), 2U);
  EXPECT_EQ(count_of("::1"), 1U);
}

TEST_F(RequestMetricsTest, BucketsAreInclusiveAndSumsExact) {
  for (const std::uint64_t duration_ns : {0 * kMillisecond, kMillisecond / 2, kMillisecond / 2 + 1, kMillisecond,
                                          10'000 * kMillisecond, 10'000 * kMillisecond + 1}) {
    metrics_.Add(Request(probe::Role::kServer, "/", 200, duration_ns), web_, {});
  }
  const Snapshot snapshot = Collect(metrics_);
  const Point& point = snapshot.at(0).points.at(0);
  ASSERT_EQ(point.buckets.size(), kRequestBoundsNs.size() + 1);
  EXPECT_EQ(point.buckets[0].upper_bound, 0.0005);
  EXPECT_EQ(point.buckets[0].cumulative, 2U);
  EXPECT_EQ(point.buckets[1].upper_bound, 0.001);
  EXPECT_EQ(point.buckets[1].cumulative, 4U);
  EXPECT_EQ(point.buckets[16].upper_bound, 10.0);
  EXPECT_EQ(point.buckets[16].cumulative, 5U);
  EXPECT_EQ(point.buckets[17].upper_bound, std::numeric_limits<double>::infinity());
  EXPECT_EQ(point.buckets[17].cumulative, 6U);
  EXPECT_EQ(point.count, 6U);
  EXPECT_EQ(point.sum, 20.002000002);
}

TEST_F(RequestMetricsTest, BucketsContainWhatOpenTelemetryAdvises) {
  for (const double bound : {.005, .01, .025, .05, .075, .1, .25, .5, .75, 1.0, 2.5, 5.0, 7.5, 10.0}) {
    EXPECT_TRUE(std::find(kRequestBoundsNs.begin(), kRequestBoundsNs.end(),
                          static_cast<std::uint64_t>(bound * 1e9 + 0.5)) != kRequestBoundsNs.end())
        << bound;
  }
  EXPECT_TRUE(std::is_sorted(kRequestBoundsNs.begin(), kRequestBoundsNs.end()));
}

TEST_F(RequestMetricsTest, AnEndBeforeItsStartIsZero) {
  match::HttpRequest request = Served("/", 200);
  request.end_ns = request.start_ns - 1;
  metrics_.Add(request, web_, {});
  EXPECT_EQ(Collect(metrics_).at(0).points.at(0).sum, 0);
}

TEST_F(RequestMetricsTest, TemplatesComeBeforeTheFolding) {
  Options options;
  options.routes = {{"web", "/teams/{team}"}, {"other", "/a/{b}"}, {"*", "/files/*"}};
  RequestMetrics metrics(services_, peers_, options);
  metrics.Add(Served("/teams/red", 404), web_, {});
  metrics.Add(Served("/teams/blue", 404), web_, {});
  metrics.Add(Served("/files/a/b/c", 404), web_, {});
  metrics.Add(Served("/a/b", 404), web_, {});
  metrics.Add(Served("/a/17", 404), web_, {});
  std::map<std::string, std::uint64_t> routes;
  const Snapshot snapshot = Collect(metrics);
  for (const Point& point : snapshot.at(0).points) {
    for (const auto& [name, value] : point.labels) {
      if (name == "http_route") routes[value] += point.count;
    }
  }
  EXPECT_EQ(routes,
            (std::map<std::string, std::uint64_t>{{"/teams/{team}", 2}, {"/files/*", 1}, {"/a/b", 1}, {"/a/{id}", 1}}));
}

// A path that is remembered is told as one that is folded: by service, by side, after expiry, found after a 404.
TEST_F(RequestMetricsTest, RememberedPathsHaveTheirRoutes) {
  identity::Service shop;
  shop.name = "shop";
  const identity::ServiceId shop_id = services_.Intern(shop);
  std::string longest;  // that is remembered
  while (longest.size() + 5 <= RouteMemo::kPathBytesMax) longest += "/part";
  longest.resize(RouteMemo::kPathBytesMax, 's');
  const std::string longer = longest + "s";
  const std::string paths[] = {"/users/1", "/users/2", "/a", longest, longer};
  std::uint64_t sent = 0;
  for (int round = 0; round < 3; ++round) {
    for (const std::string& path : paths) {
      for (const std::uint16_t status : std::initializer_list<std::uint16_t>{404, 200}) {
        metrics_.Add(Served(path, status), web_, {});
        metrics_.Add(Served(path, status), shop_id, {});
        metrics_.Add(Sent(path, status), web_, {});
        sent += 3;
      }
    }
  }
  std::map<std::string, std::uint64_t> routes;
  std::uint64_t total = 0;
  for (const auto& [labels, count] : Counts(metrics_)) {
    const std::size_t begin = labels.find("http_route=") + 11;
    routes[labels.substr(begin, labels.find(',', begin) - begin)] += count;
    total += count;
  }
  EXPECT_EQ(total, sent);
  EXPECT_EQ(routes, (std::map<std::string, std::uint64_t>{
                        {"/users/{id}", 2 * sent / 5}, {"/a", sent / 5}, {longest, sent / 5}, {longer, sent / 5}}));
  EXPECT_TRUE(Collect(metrics_, kStart + kMillisecond + kSeriesIdleNs).empty());
  metrics_.Add(Served("/new", 200), web_, {});
  metrics_.Add(Served("/a", 200), web_, {});
  EXPECT_EQ(Counts(metrics_).size(), 2U);
}

TEST_F(RequestMetricsTest, AThresholdIsABound) {
  Options options;
  options.slow.ns[0] = 300'000'000;
  RequestMetrics metrics(services_, peers_, options);
  metrics.Add(Request(probe::Role::kServer, "/", 200, 300'000'000), web_, {});
  metrics.Add(Request(probe::Role::kServer, "/", 200, 300'000'001), web_, {});
  const Snapshot snapshot = Collect(metrics);
  for (const Bucket& bucket : snapshot.at(0).points.at(0).buckets) {
    EXPECT_EQ(bucket.cumulative, bucket.upper_bound < 0.3 ? 0U : bucket.upper_bound > 0.3 ? 2U : 1U);
  }
  EXPECT_EQ(snapshot.at(0).points.at(0).buckets.size(), kRequestBoundsNs.size() + 2);
}

TEST_F(RequestMetricsTest, RoutesOverTheBudgetAreOneAndNothingIsLost) {
  for (int i = 0; i < 300; ++i) {
    const std::string path = std::string("/r") + static_cast<char>('a' + i % 26) + static_cast<char>('a' + i / 26);
    metrics_.Add(Served(path, 200), web_, {});
    metrics_.Add(Served(path, 500), web_, {});
    // 100 routes, then "_OTHER".
    const std::size_t routes = std::min<std::size_t>(static_cast<std::size_t>(i) + 1, RequestMetrics::kRoutesMax + 1);
    EXPECT_EQ(metrics_.series(probe::Role::kServer), 2 * routes);
  }
  std::uint64_t total = 0;
  std::uint64_t errors = 0;
  const auto counts = Counts(metrics_);
  for (const auto& [labels, count] : counts) {
    total += count;
    if (labels.starts_with("error_type=500")) errors += count;
  }
  EXPECT_EQ(counts.size(), 2 * 101U);
  EXPECT_EQ(total, 600U);
  EXPECT_EQ(errors, 300U);
  EXPECT_EQ(counts.at("http_request_method=GET,http_response_status_code=200,http_route=_OTHER,"
                      "network_protocol_version=1.1,service_name=web"),
            200U);
  EXPECT_EQ(metrics_.overflow_total(probe::Role::kServer), 400U);
  EXPECT_EQ(metrics_.overflow_total(probe::Role::kClient), 0U);
}

TEST_F(RequestMetricsTest, ServersOverTheBudgetAreOneAndErrorsStayExact) {
  RequestMetrics metrics(services_, peers_, {.limits = {.family_max = 1'000, .service_max = 20}});
  for (int i = 0; i < 200; ++i) {
    const std::string address = "10.0.0." + std::to_string(i);
    metrics.Add(Sent("/", 200), web_, At(address.c_str(), 80));
    metrics.Add(Sent("/", 503), web_, At(address.c_str(), 80));
  }
  const auto counts = Counts(metrics);
  EXPECT_EQ(counts.size(), 22U);
  EXPECT_EQ(counts.at("http_request_method=GET,http_response_status_code=200,http_route=_OTHER,"
                      "network_protocol_version=1.1,server_address=_OTHER,service_name=web"),
            190U);
  EXPECT_EQ(counts.at("error_type=503,http_request_method=GET,http_response_status_code=503,http_route=_OTHER,"
                      "network_protocol_version=1.1,server_address=_OTHER,service_name=web"),
            190U);
}

TEST_F(RequestMetricsTest, ManyServicesFallBackToTotalsWithErrorsApart) {
  RequestMetrics metrics(services_, peers_, {.limits = {.family_max = 10, .service_max = 5}});
  constexpr std::uint32_t kServices = 1'500;
  for (std::uint32_t i = 0; i < kServices; ++i) {
    identity::Service service;
    service.name = "s" + std::to_string(i);
    const identity::ServiceId id = services_.Intern(service);
    metrics.Add(Served("/a", 200), id, {});
    metrics.Add(Served("/b", 500), id, {});
  }
  std::uint64_t total = 0;
  std::uint64_t errors = 0;
  for (const auto& [labels, count] : Counts(metrics)) {
    total += count;
    if (labels.starts_with("error_type=")) errors += count;
  }
  EXPECT_EQ(total, 2 * kServices);
  EXPECT_EQ(errors, kServices);
  EXPECT_LE(metrics.series(probe::Role::kServer), 10 + kTotalsMax + 2);
  const auto counts = Counts(metrics);
  EXPECT_TRUE(counts.contains("error_type=_OTHER,http_request_method=_OTHER,http_route=_OTHER,service_name=_OTHER"));
  EXPECT_TRUE(counts.contains("http_request_method=_OTHER,http_route=_OTHER,service_name=_OTHER"));
}

TEST_F(RequestMetricsTest, ExpiryGivesRoutesFree) {
  RequestMetrics metrics(services_, peers_, {}, 2);
  metrics.Add(Served("/a", 200), web_, {});
  metrics.Add(Served("/b", 200), web_, {});
  metrics.Add(Served("/c", 200), web_, {});
  EXPECT_EQ(Counts(metrics).size(), 3U);
  EXPECT_TRUE(Collect(metrics, kStart + kMillisecond + kSeriesIdleNs).empty());
  metrics.Add(Served("/c", 200), web_, {});
  EXPECT_NE(OneSeries(metrics).find("http_route=/c"), std::string::npos);
}

TEST_F(RequestMetricsTest, ServicesWhoseNamesAreGoneAreAddedUp) {
  const identity::ServiceId gone = 4'000'000;
  metrics_.Add(Served("/a", 200), gone, {});
  metrics_.Add(Served("/a", 200), gone + 1, {});
  const auto counts = Counts(metrics_);  // fails when a label set comes twice
  EXPECT_EQ(counts.begin()->second, 2U);
}

TEST_F(RequestMetricsTest, ARequestWithoutRoleIsCountedApart) {
  metrics_.Add(Request(probe::Role::kUnknown, "/", 200), web_, {});
  EXPECT_EQ(metrics_.roleless_total(), 1U);
  EXPECT_TRUE(Collect(metrics_).empty());
}

TEST_F(RequestMetricsTest, MethodsAreBounded) {
  MethodTable methods;
  EXPECT_EQ(methods.TextOf(methods.IdOf("GET")), "GET");
  EXPECT_EQ(methods.TextOf(methods.IdOf("_OTHER")), "_OTHER");
  EXPECT_EQ(methods.TextOf(methods.IdOf("")), "_OTHER");
  for (int i = 0; i < 200; ++i) methods.IdOf("M" + std::to_string(i));
  EXPECT_EQ(methods.TextOf(methods.IdOf("M0")), "M0");
  EXPECT_EQ(methods.TextOf(methods.IdOf("M199")), "_OTHER");
}

}  // namespace
}  // namespace wiregauge::aggregate
