#include "daemon/planes.h"

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

}  // namespace

Planes MakePlanes(const config::Settings& settings) {
  Planes planes;
  if (settings.exporter) {
    // A privileged port is bound before; a reload never binds another.
    planes.exporter =
        std::make_unique<BpfExporterPlane>(exporter::Options{.cgroups = settings.cgroups,
                                                             .ring_bytes = settings.ring_bytes,
                                                             .capture_burst_bytes = settings.capture_burst_bytes,
                                                             .run_time_statistics = settings.bpf_statistics});
  }
  if (settings.remote_write) planes.sink = MakeSinkOf(settings);
  return planes;
}

}  // namespace wiregauge::daemon
