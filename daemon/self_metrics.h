// The daemon's metrics about itself, kept by prometheus-cpp and handed on in the form that everything else is exposed
// in. Names: the process_* family is the one every Prometheus client library exports.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <prometheus/metric_family.h>

#include "daemon/http/server.h"
#include "exporter/aggregate/snapshot.h"

namespace wiregauge::daemon {

// prometheus-cpp's families in our form: counters lose their _total, labels are sorted, empty labels dropped.
aggregate::Snapshot ToSnapshot(const std::vector<prometheus::MetricFamily>& families);

// process_*: CPU seconds, open and most open descriptors, resident and virtual memory, start time, threads. What
// /proc refuses to tell is left out.
void CollectProcess(aggregate::Snapshot& out);

class SelfMetrics final : public http::Observer {
 public:
  SelfMetrics();
  ~SelfMetrics() override;

  void Began() override;
  void Answered(const http::Route* route, int status, double seconds) override;
  void Reloaded(bool successful, std::int64_t now_ms);

  // `connections` may be null: before the server runs.
  void Collect(aggregate::Snapshot& out, const http::Connections* connections) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wiregauge::daemon
