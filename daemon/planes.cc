#include "daemon/planes.h"

#include <algorithm>

#include "daemon/exporter_plane.h"
#include "daemon/sink_routes.h"
#include "daemon/version.h"

namespace wiregauge::daemon {

namespace {

store::Durability DurabilityOf(config::Durability durability) {
  switch (durability) {
    case config::Durability::kAlways: return store::Durability::kAlways;
    case config::Durability::kInterval: return store::Durability::kInterval;
    case config::Durability::kNone: return store::Durability::kNone;
  }
  Bug("durability out of range");
}

std::unique_ptr<SinkPlane> MakeSinkOf(const config::Settings& settings) {
  SinkOptions options;
  options.store.path = settings.storage_path;
  options.store.durability = DurabilityOf(settings.durability);
  options.store.retention_ms = settings.retention_ms;
  options.version = std::string(Version());
  return MakeSink(std::move(options), &store::Store::Open);
}

probe::TlsMode TlsModeOf(config::Tls tls) {
  switch (tls) {
    case config::Tls::kOff: return probe::TlsMode::kOff;
    case config::Tls::kAuto: return probe::TlsMode::kAuto;
    case config::Tls::kLibrary: return probe::TlsMode::kLibrary;
    case config::Tls::kProcess: return probe::TlsMode::kProcess;
  }
  Bug("TlsModeOf: no such mode");
}

match::ProtocolOptions MatchOptions(const config::Settings& settings) {
  match::Options common;
  for (std::size_t i = 0; i < match::Protocols().size(); ++i) {
    const auto named = std::find(settings.protocols.begin(), settings.protocols.end(), match::Protocols()[i].name);
    if (!settings.protocols.empty() && named == settings.protocols.end()) common.protocols_off |= 1U << i;
  }
  match::ProtocolOptions options(common);
  for (const auto& [name, timeout_ns] : settings.answer_timeouts_ns) {
    if (const auto protocol = match::FindProtocol(name)) options.SetAnswerTimeout(*protocol, timeout_ns);
  }
  return options;
}

exporter::Options ExporterOptions(const config::Settings& settings) {
  exporter::Options options;
  options.cgroups = settings.cgroups;
  options.match = MatchOptions(settings);
  options.aggregate = {
      .slow = settings.slow, .routes = settings.routes, .dns_question_name = settings.dns_question_name};
  options.ring_bytes = settings.ring_bytes;
  options.capture_burst_bytes = settings.capture_burst_bytes;
  options.tls = TlsModeOf(settings.tls);
  options.run_time_statistics = settings.bpf_statistics;
  return options;
}

}  // namespace

Planes MakePlanes(const config::Settings& settings) {
  Planes planes;
  if (settings.exporter) {
    // A privileged port is bound before; a reload never binds another.
    planes.exporter = std::make_unique<BpfExporterPlane>(ExporterOptions(settings));
  }
  if (settings.remote_write) planes.sink = MakeSinkOf(settings);
  return planes;
}

}  // namespace wiregauge::daemon
