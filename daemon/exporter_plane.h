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
  [[nodiscard]] bool ready() const override { return exporter_ != nullptr; }
  void Collect(aggregate::Snapshot& out) override;
  void Stop() override;
  Report Doctor() override;
  Result<std::string> Explain(int pid) override;

 private:
  exporter::Options options_;
  std::unique_ptr<exporter::Exporter> exporter_;
};

}  // namespace wiregauge::daemon
