#include "exporter/aggregate/coverage_metrics.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "exporter/aggregate/points.h"

namespace wiregauge::aggregate {

CoverageMetrics::CoverageMetrics(const identity::ServiceTable& services, SeriesLimits limits)
    : services_(services), series_(limits) {}

void CoverageMetrics::Add(identity::ServiceId service, const CoverageDelta& delta, std::uint64_t now_ns) {
  CoverageDelta& sum = series_.At({service}, now_ns).sum;
  sum.carried_bytes += delta.carried_bytes;
  sum.parsed_bytes += delta.parsed_bytes;
}

void CoverageMetrics::AddUnparsed(identity::ServiceId service, std::string_view reason, std::uint64_t bytes,
                                  std::uint64_t now_ns) {
  auto known = std::find(reasons_.begin(), reasons_.end(), reason);
  if (known == reasons_.end()) {
    known = reasons_.size() < kReasonsMax ? reasons_.insert(reasons_.end(), std::string(reason)) : reasons_.begin();
  }
  series_.At({service}, now_ns).unparsed[static_cast<std::size_t>(known - reasons_.begin())] += bytes;
}

void CoverageMetrics::Collect(Now now, Snapshot& snapshot, std::unordered_set<identity::ServiceId>& services_in_use) {
  series_.Expire(now.monotonic_ns);
  Family ratio = MakeFamily("wiregauge_capture_completeness_ratio", "", FamilyType::kGauge,
                            "Payload bytes that were parsed, of those that the kernel carried.");
  Family unparsed = MakeFamily("wiregauge_unparsed_bytes", "bytes", FamilyType::kCounter,
                               "Payload bytes that no decoder understood.");
  series_.Collect(now, [&](const Key& key, const auto& series) {
    const identity::Service& service = services_.Of(key.service);
    services_in_use.insert(key.service);
    const CoverageDelta& sum = series.value.sum;
    if (sum.carried_bytes > 0) {
      Point point;
      AddLabel("service_name", service.name, point.labels);
      AddLabel("service_namespace", service.service_namespace, point.labels);
      // Bytes that were sent and never acknowledged are parsed and not carried.
      point.value = std::min(1.0, static_cast<double>(sum.parsed_bytes) / static_cast<double>(sum.carried_bytes));
      ratio.points.push_back(std::move(point));
    }
    for (std::size_t i = 0; i < reasons_.size(); ++i) {
      if (series.value.unparsed[i] == 0) continue;
      Point point;
      AddLabel("reason", reasons_[i], point.labels);
      AddLabel("service_name", service.name, point.labels);
      AddLabel("service_namespace", service.service_namespace, point.labels);
      point.value = static_cast<double>(series.value.unparsed[i]);
      point.created_s = static_cast<double>(series.created_unix_ms) / 1e3;
      unparsed.points.push_back(std::move(point));
    }
  });
  for (Family* family : {&ratio, &unparsed}) {
    if (family->points.empty()) continue;
    SortAndMerge(*family);
    snapshot.push_back(std::move(*family));
  }
}

}  // namespace wiregauge::aggregate
