// The exporter plane as the daemon sees it: exporter/ behind daemon/plane.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/plane.h"
#include "exporter/exporter.h"

namespace wiregauge::daemon {

// Threads: as plane.h says.
class BpfExporterPlane final : public ExporterPlane {
 public:
  explicit BpfExporterPlane(exporter::Options options) : options_(std::move(options)) {}

  Result<Report> Start() override;
  // An exporter that could not attach keeps nobody waiting: it says so in its metrics.
  [[nodiscard]] bool ready() const override { return exporter_ != nullptr || !failed_.empty(); }
  void Collect(aggregate::Snapshot& out) override;
  void Stop() override;
  Report Doctor() override;
  Result<std::string> Explain(int pid) override;

 private:
  exporter::Options options_;
  std::unique_ptr<exporter::Exporter> exporter_;
  std::vector<probe::ProgramReport> failed_;  // when Start could not attach
};

}  // namespace wiregauge::daemon
