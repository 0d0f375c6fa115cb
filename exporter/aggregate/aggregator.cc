#include "exporter/aggregate/aggregator.h"

#include <string>
#include <string_view>
#include <utility>

#include "exporter/aggregate/points.h"

namespace wiregauge::aggregate {
namespace {

std::string_view BaseName(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

Aggregator::Aggregator(const identity::ServiceTable& services, const identity::PeerTable& peers, const Options& options)
    : services_(services),
      slow_(options.slow),
      requests_(services, peers, options),
      calls_(services, peers, options),
      tcp_(services, peers, options.limits),
      coverage_(services, options.limits) {}

Snapshot Aggregator::Collect(Now now) {
  Snapshot snapshot;
  services_in_use_.clear();
  requests_.Collect(now, snapshot, services_in_use_);
  calls_.Collect(now, snapshot, services_in_use_);
  tcp_.Collect(now, snapshot, services_in_use_);
  coverage_.Collect(now, snapshot, services_in_use_);
  CollectTargets(snapshot);
  CollectThresholds(snapshot);
  CollectOwn(snapshot);
  return snapshot;
}

void Aggregator::CollectTargets(Snapshot& snapshot) const {
  Family target = MakeFamily("target", "", FamilyType::kInfo, "What is known of a service.");
  for (const identity::ServiceId id : services_in_use_) {
    if (id == identity::kUnknownService || id == identity::kOtherService) continue;
    const identity::Service& service = services_.Of(id);
    Point point;
    AddLabel("container_id", service.container_id, point.labels);
    AddLabel("k8s_pod_uid", service.pod_uid, point.labels);
    AddLabel("process_executable_name", BaseName(service.executable), point.labels);
    AddLabel("process_executable_path", service.executable, point.labels);
    AddLabel("service_name", service.name, point.labels);
    AddLabel("service_namespace", service.service_namespace, point.labels);
    AddLabel("systemd_unit", service.systemd_unit, point.labels);
    point.value = 1;
    target.points.push_back(std::move(point));
  }
  if (target.points.empty()) return;
  SortAndMerge(target);
  snapshot.push_back(std::move(target));
}

void Aggregator::CollectThresholds(Snapshot& snapshot) const {
  Family thresholds = MakeFamily("wiregauge_slow_threshold_seconds", "seconds", FamilyType::kGauge,
                                 "From which duration on a call is slow; a bound of its histogram's buckets.");
  for (std::size_t i = 0; i < kSlowProtocols.size(); ++i) {
    Point point;
    AddLabel("protocol", kSlowProtocols[i], point.labels);
    point.value = static_cast<double>(slow_.ns[i]) / 1e9;
    thresholds.points.push_back(std::move(point));
  }
  SortAndMerge(thresholds);
  snapshot.push_back(std::move(thresholds));
}

void Aggregator::CollectOwn(Snapshot& snapshot) const {
  Family series =
      MakeFamily("wiregauge_series", "", FamilyType::kGauge,
                 "Label sets in memory, overflow ones included; wiregauge_tcp stands for all wiregauge_tcp_ "
                 "families.");
  Family overflow =
      MakeFamily("wiregauge_series_overflow", "", FamilyType::kCounter,
                 "Additions that lost a label or went to an overflow series because a budget was used up.");
  const auto add = [&](std::string_view name, std::size_t size, std::uint64_t overflow_total) {
    Point point;
    AddLabel("family", name, point.labels);
    point.value = static_cast<double>(size);
    series.points.push_back(point);
    point.value = static_cast<double>(overflow_total);
    overflow.points.push_back(std::move(point));
  };
  using probe::Role;
  add("http_client_request_duration_seconds", requests_.series(Role::kClient), requests_.overflow_total(Role::kClient));
  add("http_server_request_duration_seconds", requests_.series(Role::kServer), requests_.overflow_total(Role::kServer));
  calls_.ForEachFamily(add);
  add("wiregauge_capture_completeness_ratio", coverage_.series(), coverage_.overflow_total());
  add("wiregauge_tcp", tcp_.series(), tcp_.overflow_total());
  snapshot.push_back(std::move(series));
  snapshot.push_back(std::move(overflow));
}

}  // namespace wiregauge::aggregate
