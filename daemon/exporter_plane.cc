#include "daemon/exporter_plane.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "exporter/explain.h"
#include "exporter/probe/capabilities.h"

namespace wiregauge::daemon {
namespace {

void AddPrograms(const std::vector<probe::ProgramReport>& programs, Report& report) {
  for (const probe::ProgramReport& program : programs) {
    ReportRow row{program.name, program.attached, true, program.purpose};
    if (!program.attached) row.detail = fmt::format("off ({}): {}", program.without, program.error);
    report.push_back(std::move(row));
  }
}

void AddScopes(const std::vector<probe::CgroupScope>& scopes, Report& report) {
  for (const probe::CgroupScope& scope : scopes) {
    report.push_back({"cgroup " + scope.path, true, true, fmt::format("id {}", scope.id)});
  }
}

// What fails nowhere and is still not measured: say so before a user wonders.
void AddBlindSpots(const probe::TlsReport& tls, Report& report) {
  report.push_back({"AF_UNIX sockets", false, false, "not seen: the tap sits where IP packets meet sockets"});
  if (tls.mode == probe::TlsMode::kOff) {
    report.push_back({"TLS", false, false, "connections are counted, requests inside are not read"});
    return;
  }
  report.push_back(
      {"TLS", tls.failed_total + tls.refused_total == 0, false,
       fmt::format("read in {} {} now; not read: programs whose TLS is no OpenSSL, BoringSSL or LibreSSL (Go, "
                   "Java, rustls, GnuTLS), or has no symbols; failed {}, over the limit {}",
                   tls.attached, tls.mode == probe::TlsMode::kLibrary ? "files" : "files of processes",
                   tls.failed_total, tls.refused_total)});
}

}  // namespace

Result<Report> BpfExporterPlane::Start() {
  auto started = exporter::Exporter::Start(options_);
  if (!started) {
    failed_ = probe::Probe::Unattached(started.error().message);
    return started.error();
  }
  exporter_ = *std::move(started);
  Report report;
  AddScopes(exporter_->scopes(), report);
  AddPrograms(exporter_->programs(), report);
  std::string kept;
  for (const std::string& name : exporter_->capabilities_kept()) kept += (kept.empty() ? "" : ",") + name;
  report.push_back({"capabilities kept", true, true, kept.empty() ? "none" : kept});
  return report;
}

void BpfExporterPlane::Collect(aggregate::Snapshot& out) {
  if (exporter_) {
    exporter_->Collect(out);
  } else {
    exporter::CollectPrograms(failed_, out);
  }
}

void BpfExporterPlane::Stop() { exporter_.reset(); }

Report BpfExporterPlane::Doctor() {
  Report report;
  for (const probe::Capability& capability : probe::WantedCapabilities({})) {
    report.push_back({capability.name, capability.held, true, capability.purpose});
  }
  auto probe = probe::Probe::Attach({.cgroups = options_.cgroups, .tls = options_.tls});
  probe::TlsReport tls;
  if (probe) {
    tls = (*probe)->tls();
    AddScopes((*probe)->scopes(), report);
    AddPrograms((*probe)->programs(), report);
  } else {
    report.push_back({"eBPF programs", false, true, probe.error().message});
  }
  AddBlindSpots(tls, report);
  return report;
}

Result<std::string> BpfExporterPlane::Explain(int pid) {
  return exporter::ExplainProcess(pid, options_.cgroups, options_.tls);
}

}  // namespace wiregauge::daemon
