// What a request costs on its way into a series, and what a scrape costs: our exposition against prometheus-cpp's
// serializer with the same series. Run the release build: build/release/bench/metrics_bench.
#include <benchmark/benchmark.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "exporter/aggregate/aggregator.h"
#include "exporter/expose/expose.h"

namespace wiregauge {
namespace {

constexpr int kServices = 50;
constexpr std::size_t kMade = 8192;  // requests made beforehand, so that making them is not timed

struct Requests {
  identity::ServiceTable services;
  identity::PeerTable peers;
  std::vector<identity::ServiceId> ids;
  std::vector<std::string> paths;

  Requests() {
    for (int i = 0; i < kServices; ++i) {
      identity::Service service;
      service.name = "service-" + std::to_string(i);
      ids.push_back(services.Intern(service));
    }
    for (int i = 0; i < 40; ++i) {
      const std::string resource = std::string("resource") + static_cast<char>('a' + i % 26) + (i < 26 ? "s" : "es");
      paths.push_back("/api/v1/" + resource + "/" + std::to_string(1000 + 37 * i) + "/details");
    }
  }

  match::HttpRequest Make(std::size_t i, probe::Role role) const {
    static constexpr std::uint16_t kStatus[] = {200, 200, 200, 201, 204, 304, 404, 500, 200, 200, 503};
    match::HttpRequest request;
    request.role = role;
    request.method = i % 3 == 0 ? "POST" : "GET";
    request.path = paths[i * 7 % paths.size()];
    request.status = kStatus[i % 11];
    request.start_ns = 1'000'000'000 + i;
    request.end_ns = request.start_ns + 300'000 + i % 1000 * 10'000;
    return request;
  }
};

// One request into its series, in 50 services.
void AddRequest(benchmark::State& state) {
  const Requests requests;
  const auto role = state.range(0) == 0 ? probe::Role::kServer : probe::Role::kClient;
  aggregate::Aggregator aggregator(requests.services, requests.peers);
  probe::Endpoint server;
  identity::ParseAddress("10.0.0.1", server.address);
  server.port = 80;
  std::vector<match::HttpRequest> made;
  std::vector<identity::ServiceId> owners;
  for (std::size_t k = 0; k < kMade; ++k) {
    made.push_back(requests.Make(k, role));
    owners.push_back(requests.ids[k * 13 % kServices]);
  }
  std::size_t i = 0;
  for (auto _ : state) {
    aggregator.requests().Add(made[i % kMade], owners[i % kMade], server);
    ++i;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(i));
  state.counters["series"] = static_cast<double>(aggregator.requests().series(role));
}
BENCHMARK(AddRequest)->Arg(0)->Arg(1)->ArgName("client");

// One call into its series, in 50 services: a database with 8 tables each.
void AddCall(benchmark::State& state) {
  static constexpr std::string_view kVerbs[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "SELECT", "SELECT", "COMMIT"};
  const Requests requests;
  const auto role = state.range(0) == 0 ? probe::Role::kServer : probe::Role::kClient;
  aggregate::Aggregator aggregator(requests.services, requests.peers);
  probe::Endpoint server;
  identity::ParseAddress("10.0.0.1", server.address);
  server.port = 5432;
  std::vector<std::string> tables;
  for (int i = 0; i < 8; ++i) tables.push_back("table_of_things_" + std::to_string(i));
  std::vector<match::Call> made;
  std::vector<identity::ServiceId> owners;
  for (std::size_t k = 0; k < kMade; ++k) {
    match::Call& call = made.emplace_back();
    call.role = role;
    call.system = match::System::kPostgresql;
    call.operation = kVerbs[k % 7];
    call.destination = k % 7 == 6 ? std::string_view() : tables[k * 11 % tables.size()];
    call.code = k % 50 == 0 ? "42P01" : "";
    call.error = call.code;
    call.start_ns = 1'000'000'000 + k;
    call.end_ns = call.start_ns + 100'000 + k % 1000 * 10'000;
    owners.push_back(requests.ids[k * 13 % kServices]);
  }
  std::size_t i = 0;
  for (auto _ : state) {
    aggregator.calls().Add(made[i % kMade], owners[i % kMade], server);
    ++i;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(i));
  const std::string_view family =
      role == probe::Role::kServer ? "db_server_operation_duration_seconds" : "db_client_operation_duration_seconds";
  aggregator.calls().ForEachFamily([&](std::string_view name, std::size_t series, std::uint64_t) {
    if (name == family) state.counters["series"] = static_cast<double>(series);
  });
}
BENCHMARK(AddCall)->Arg(0)->Arg(1)->ArgName("client");

void FoldRoute(benchmark::State& state) {
  const Requests requests;
  aggregate::RouteBuffer buffer;
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(aggregate::FoldRoute(requests.paths[i & 31], false, buffer));
    ++i;
  }
}
BENCHMARK(FoldRoute);

// `lines` sample lines: histograms of 20 lines with the labels of a server family, the rest counters.
aggregate::Snapshot MakeSnapshot(int lines) {
  aggregate::Snapshot snapshot(2);
  snapshot[0].name = "http_server_request_duration_seconds";
  snapshot[0].help = "Time to answer.";
  snapshot[0].unit = "seconds";
  snapshot[0].type = aggregate::FamilyType::kHistogram;
  snapshot[1].name = "wiregauge_tcp_sent_bytes";
  snapshot[1].help = "Payload sent.";
  snapshot[1].unit = "bytes";
  snapshot[1].type = aggregate::FamilyType::kCounter;
  for (int i = 0; i < lines / 2; ++i) {
    aggregate::Point point;
    const std::string service = "service-" + std::to_string(i % kServices);
    if (i % 20 == 0) {
      point.labels = {{"http_request_method", "GET"},
                      {"http_response_status_code", std::to_string(200 + i / 20 % 40)},
                      {"http_route", "/api/v1/resource" + std::to_string(i) + "/{id}"},
                      {"network_protocol_version", "1.1"},
                      {"service_name", service}};
      std::uint64_t cumulative = 0;
      for (const std::uint64_t bound : aggregate::kRequestBoundsNs) {
        cumulative += static_cast<std::uint64_t>(i) * 7919 % 1000;
        point.buckets.push_back({static_cast<double>(bound) / 1e9, cumulative});
      }
      point.buckets.push_back({std::numeric_limits<double>::infinity(), cumulative});
      point.native = aggregate::NativeBuckets{.schema = 3, .zero_threshold = 1e-6, .zero_count = 0, .buckets = {}};
      for (int k = 0; k < 30; ++k) point.native->buckets.push_back({k - 60, static_cast<std::uint64_t>(k + i)});
      point.count = cumulative;
      point.sum = static_cast<double>(cumulative) * 0.00123;
      snapshot[0].points.push_back(point);
      point.buckets.clear();
      point.native.reset();
    }
    point.labels = {{"peer", "service-" + std::to_string(i)}, {"role", "client"}, {"service_name", service}};
    point.value = static_cast<double>(i) * 1234;
    snapshot[1].points.push_back(point);
  }
  for (aggregate::Family& family : snapshot) {
    std::sort(family.points.begin(), family.points.end(),
              [](const auto& a, const auto& b) { return a.labels < b.labels; });
  }
  return snapshot;
}

std::vector<prometheus::MetricFamily> ToPrometheusCpp(const aggregate::Snapshot& snapshot) {
  std::vector<prometheus::MetricFamily> families;
  for (const aggregate::Family& family : snapshot) {
    prometheus::MetricFamily& out = families.emplace_back();
    const bool histogram = family.type == aggregate::FamilyType::kHistogram;
    out.name = histogram ? family.name : family.name + "_total";
    out.help = family.help;
    out.type = histogram ? prometheus::MetricType::Histogram : prometheus::MetricType::Counter;
    for (const aggregate::Point& point : family.points) {
      prometheus::ClientMetric& metric = out.metric.emplace_back();
      for (const auto& [name, value] : point.labels) metric.label.push_back({name, value});
      metric.counter.value = point.value;
      metric.histogram.sample_count = point.count;
      metric.histogram.sample_sum = point.sum;
      for (const aggregate::Bucket& bucket : point.buckets) {
        metric.histogram.bucket.push_back({bucket.cumulative, bucket.upper_bound});
      }
    }
  }
  return families;
}

void ScrapeText(benchmark::State& state) {
  const aggregate::Snapshot snapshot = MakeSnapshot(static_cast<int>(state.range(0)));
  std::size_t bytes = 0;
  for (auto _ : state) bytes = expose::Render(snapshot, "", "").body.size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(ScrapeText)->Arg(100'000)->Unit(benchmark::kMillisecond);

void ScrapeOpenMetrics(benchmark::State& state) {
  const aggregate::Snapshot snapshot = MakeSnapshot(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(expose::Render(snapshot, "application/openmetrics-text", ""));
}
BENCHMARK(ScrapeOpenMetrics)->Arg(100'000)->Unit(benchmark::kMillisecond);

void ScrapeProtobuf(benchmark::State& state) {
  const aggregate::Snapshot snapshot = MakeSnapshot(static_cast<int>(state.range(0)));
  constexpr char kAccept[] =
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
  std::size_t bytes = 0;
  for (auto _ : state) bytes = expose::Render(snapshot, kAccept, "").body.size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(ScrapeProtobuf)->Arg(100'000)->Unit(benchmark::kMillisecond);

void ScrapeTextGzip(benchmark::State& state) {
  const aggregate::Snapshot snapshot = MakeSnapshot(static_cast<int>(state.range(0)));
  std::size_t bytes = 0;
  for (auto _ : state) bytes = expose::Render(snapshot, "", "gzip").body.size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(ScrapeTextGzip)->Arg(100'000)->Unit(benchmark::kMillisecond);

void ScrapePrometheusCpp(benchmark::State& state) {
  const auto families = ToPrometheusCpp(MakeSnapshot(static_cast<int>(state.range(0))));
  const prometheus::TextSerializer serializer;
  std::size_t bytes = 0;
  for (auto _ : state) bytes = serializer.Serializer::Serialize(families).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(ScrapePrometheusCpp)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Points from integers: what a scrape does before it renders; every series of AddRequest.
void Collect(benchmark::State& state) {
  const Requests requests;
  aggregate::Aggregator aggregator(requests.services, requests.peers);
  for (std::size_t i = 0; i < 100'000; ++i) {
    aggregator.requests().Add(requests.Make(i, probe::Role::kServer), requests.ids[i * 13 % kServices], {});
  }
  for (auto _ : state) benchmark::DoNotOptimize(aggregator.Collect({2'000'000'000, 1'700'000'000'000}));
  state.counters["series"] = static_cast<double>(aggregator.requests().series(probe::Role::kServer));
}
BENCHMARK(Collect)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace wiregauge

BENCHMARK_MAIN();
