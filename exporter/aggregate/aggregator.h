// The room's front door: everything that is counted about services, and one Snapshot of it. Integers come in, plain
// families go out; no clock, no files. Sources of its rules: OpenTelemetry semantic conventions 1.44, Prometheus'
// naming practices.
#pragma once

#include <unordered_set>

#include "exporter/aggregate/call_metrics.h"
#include "exporter/aggregate/coverage_metrics.h"
#include "exporter/aggregate/options.h"
#include "exporter/aggregate/request_metrics.h"
#include "exporter/aggregate/series_table.h"
#include "exporter/aggregate/snapshot.h"
#include "exporter/aggregate/tcp_metrics.h"

namespace wiregauge::aggregate {

// Not thread-safe: the pipeline holds one lock over Adds and Collect. `services` and `peers` outlive it.
class Aggregator {
 public:
  Aggregator(const identity::ServiceTable& services, const identity::PeerTable& peers, const Options& options = {});

  RequestMetrics& requests() { return requests_; }
  CallMetrics& calls() { return calls_; }
  TcpMetrics& tcp() { return tcp_; }
  CoverageMetrics& coverage() { return coverage_; }

  // Drops idle series, then gives all families that have points, with target_info and the room's own counters.
  Snapshot Collect(Now now);

  // Whether the last Collect used the service as a label: what Identity::Expire asks, under the same lock.
  [[nodiscard]] bool Uses(identity::ServiceId service) const { return services_in_use_.contains(service); }

 private:
  void CollectTargets(Snapshot& snapshot) const;
  void CollectThresholds(Snapshot& snapshot) const;
  void CollectOwn(Snapshot& snapshot) const;

  const identity::ServiceTable& services_;
  SlowThresholds slow_;
  RequestMetrics requests_;
  CallMetrics calls_;
  TcpMetrics tcp_;
  CoverageMetrics coverage_;
  std::unordered_set<identity::ServiceId> services_in_use_;
};

}  // namespace wiregauge::aggregate
