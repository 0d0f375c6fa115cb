#include "daemon/planes.h"

#include "daemon/exporter_plane.h"

namespace wiregauge::daemon {

Planes MakePlanes(const config::Settings& settings) {
  Planes planes;
  if (settings.exporter) {
    // A privileged port is bound before; a reload never binds another.
    planes.exporter = std::make_unique<BpfExporterPlane>(exporter::Options{.cgroups = settings.cgroups});
  }
  return planes;
}

}  // namespace wiregauge::daemon
