#include "daemon/self_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <limits>

#include "daemon/version.h"

namespace wiregauge::daemon {
namespace {

using aggregate::Family;
using aggregate::FamilyType;
using aggregate::Point;

FamilyType TypeOf(prometheus::MetricType type) {
  switch (type) {
    case prometheus::MetricType::Counter: return FamilyType::kCounter;
    case prometheus::MetricType::Gauge: return FamilyType::kGauge;
    case prometheus::MetricType::Summary: return FamilyType::kSummary;
    case prometheus::MetricType::Histogram: return FamilyType::kHistogram;
    case prometheus::MetricType::Untyped: return FamilyType::kUnknown;
  }
  return FamilyType::kUnknown;
}

std::string WithoutTotal(std::string name, FamilyType type) {
  constexpr std::string_view kTotal = "_total";
  if (type == FamilyType::kCounter && name.ends_with(kTotal)) name.resize(name.size() - kTotal.size());
  return name;
}

std::string UnitOf(std::string_view name) {
  for (const std::string_view unit : {"seconds", "bytes"}) {
    if (name.ends_with(std::string("_").append(unit))) return std::string(unit);
  }
  return {};
}

Point ToPoint(const prometheus::ClientMetric& metric, FamilyType type) {
  Point point;
  for (const auto& label : metric.label) {
    if (!label.value.empty()) point.labels.emplace_back(label.name, label.value);
  }
  std::sort(point.labels.begin(), point.labels.end());
  switch (type) {
    case FamilyType::kCounter: point.value = metric.counter.value; break;
    case FamilyType::kGauge: point.value = metric.gauge.value; break;
    case FamilyType::kInfo:  // prometheus-cpp 1.0 has none
    case FamilyType::kUnknown: point.value = metric.untyped.value; break;
    case FamilyType::kSummary:
      point.count = metric.summary.sample_count;
      point.sum = metric.summary.sample_sum;
      for (const auto& q : metric.summary.quantile) point.quantiles.push_back({q.quantile, q.value});
      break;
    case FamilyType::kHistogram:
      point.count = metric.histogram.sample_count;
      point.sum = metric.histogram.sample_sum;
      for (const auto& b : metric.histogram.bucket) point.buckets.push_back({b.upper_bound, b.cumulative_count});
      break;
  }
  return point;
}

void AddSimple(aggregate::Snapshot& out, std::string name, std::string help, FamilyType type, double value) {
  Family family{.name = std::move(name), .help = std::move(help), .unit = {}, .type = type, .points = {}};
  family.unit = UnitOf(family.name);
  family.points.push_back(Point{.labels = {}, .value = value});
  out.push_back(std::move(family));
}

// Scrapes and queries from a millisecond to the scraper's own deadline.
const prometheus::Histogram::BucketBoundaries kDurationBuckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                                  0.1,   0.25,   0.5,   1,    2.5,   10};

}  // namespace

aggregate::Snapshot ToSnapshot(const std::vector<prometheus::MetricFamily>& families) {
  aggregate::Snapshot out;
  for (const auto& family : families) {
    const FamilyType type = TypeOf(family.type);
    Family converted{
        .name = WithoutTotal(family.name, type), .help = family.help, .unit = {}, .type = type, .points = {}};
    converted.unit = UnitOf(converted.name);
    for (const auto& metric : family.metric) converted.points.push_back(ToPoint(metric, type));
    if (!converted.points.empty()) out.push_back(std::move(converted));
  }
  return out;
}

struct SelfMetrics::State {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("wiregauge_http_requests_total")
                                                          .Help(
                                                              "HTTP requests answered, by the path of their route and "
                                                              "status; path is \"other\" where nothing is served.")
                                                          .Register(registry);
  prometheus::Gauge& in_flight = prometheus::BuildGauge()
                                     .Name("wiregauge_http_requests_in_flight")
                                     .Help("HTTP requests being read, handled or answered.")
                                     .Register(registry)
                                     .Add({});
  prometheus::Family<prometheus::Histogram>& durations =
      prometheus::BuildHistogram()
          .Name("wiregauge_http_request_duration_seconds")
          .Help("From the request's header to the last byte of the answer given to the kernel.")
          .Register(registry);
  prometheus::Gauge& reload_ok = prometheus::BuildGauge()
                                     .Name("wiregauge_config_last_reload_successful")
                                     .Help("Whether the last attempt to read the configuration succeeded.")
                                     .Register(registry)
                                     .Add({});
  prometheus::Gauge& reload_time = prometheus::BuildGauge()
                                       .Name("wiregauge_config_last_reload_success_timestamp_seconds")
                                       .Help("When the configuration was last read successfully, Unix time.")
                                       .Register(registry)
                                       .Add({});
};

SelfMetrics::SelfMetrics() : state_(std::make_unique<State>()) {
  prometheus::BuildGauge()
      .Name("wiregauge_build_info")
      .Help("What was built, from what, by what; always 1.")
      .Register(state_->registry)
      .Add({{"version", std::string(Version())},
            {"branch", std::string(Branch())},
            {"revision", std::string(Revision())},
            {"compiler", std::string(Compiler())}})
      .Set(1);
}

SelfMetrics::~SelfMetrics() = default;

void SelfMetrics::Began() { state_->in_flight.Increment(); }

void SelfMetrics::Answered(const http::Route* route, int status, double seconds) {
  const std::string path = route == nullptr ? "other" : route->path;
  state_->in_flight.Decrement();
  state_->requests.Add({{"path", path}, {"code", std::to_string(status)}}).Increment();
  if (route != nullptr) state_->durations.Add({{"path", path}}, kDurationBuckets).Observe(seconds);
}

void SelfMetrics::Reloaded(bool successful, std::int64_t now_ms) {
  state_->reload_ok.Set(successful ? 1 : 0);
  if (successful) state_->reload_time.Set(static_cast<double>(now_ms) / 1000);
}

void SelfMetrics::Collect(aggregate::Snapshot& out, const http::Connections* connections) const {
  aggregate::Snapshot own = ToSnapshot(state_->registry.Collect());
  out.insert(out.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
  CollectProcess(out);
  if (connections == nullptr) return;
  AddSimple(out, "wiregauge_http_connections", "Connections open to the HTTP server.", FamilyType::kGauge,
            static_cast<double>(connections->size()));
  AddSimple(out, "wiregauge_http_connections_accepted", "Connections accepted.", FamilyType::kCounter,
            static_cast<double>(connections->accepted_total()));
  AddSimple(out, "wiregauge_http_connections_expired", "Connections closed because a client was too slow or idle.",
            FamilyType::kCounter, static_cast<double>(connections->expired_total()));
  AddSimple(out, "wiregauge_http_connections_evicted",
            "Idle connections closed to make room: web.max-connections was reached.", FamilyType::kCounter,
            static_cast<double>(connections->evicted_total()));
}

}  // namespace wiregauge::daemon
