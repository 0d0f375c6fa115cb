// What the daemon asks of its two planes. The daemon owns them, starts them in order, stops them in reverse, and knows
// nothing of what they do.
//
// Threads: Start, RegisterRoutes, Reload and Stop are called by the main thread only, in that order. ready() and
// Collect() may be called from any thread between a successful Start and Stop.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "daemon/http/router.h"
#include "exporter/aggregate/snapshot.h"

namespace wiregauge::daemon {

// One thing that was attached or not: a line of the start log and a row of `wiregauge doctor`.
struct ReportRow {
  std::string name;  // "tap ingress /sys/fs/cgroup"
  bool ok = false;
  bool wanted = true;  // only wanted rows that are not ok make doctor exit 1
  std::string detail;  // when not ok: what is missing and what that turns off
};

using Report = std::vector<ReportRow>;

class ExporterPlane {
 public:
  virtual ~ExporterPlane() = default;

  // Attaches. What could not be attached is in the report, not an error; an Error means that nothing runs, and that
  // Collect says so from then on.
  virtual Result<Report> Start() = 0;
  [[nodiscard]] virtual bool ready() const = 0;
  // Appends families. Must be quick: it runs inside a scrape.
  virtual void Collect(aggregate::Snapshot& out) = 0;
  // Pages and APIs of its own, if any.
  virtual Status RegisterRoutes(http::RouteTable& /*routes*/) { return {}; }
  // Detaches. Idempotent.
  virtual void Stop() = 0;

  // Without Start: for the subcommands. Doctor tries what Start would do and undoes it.
  virtual Report Doctor() = 0;
  virtual Result<std::string> Explain(int pid) = 0;
};

class SinkPlane {
 public:
  virtual ~SinkPlane() = default;

  // Opens the store and begins its replay, which may go on after the return; ready() tells when it is done.
  virtual Status Start() = 0;
  virtual Status RegisterRoutes(http::RouteTable& routes) = 0;
  [[nodiscard]] virtual bool ready() const = 0;
  // Why it is not ready, one sentence, for the body of /-/ready.
  [[nodiscard]] virtual std::string not_ready_reason() const { return "the store is being replayed"; }
  virtual void Collect(aggregate::Snapshot& out) = 0;
  // Flushes and closes. Called after the last request has been answered. Idempotent.
  virtual Status Stop() = 0;
};

}  // namespace wiregauge::daemon
