// Which planes this program has: the one place that knows both.
#pragma once

#include <memory>

#include "daemon/config/settings.h"
#include "daemon/plane.h"

namespace wiregauge::daemon {

struct Planes {
  std::unique_ptr<ExporterPlane> exporter;  // null: switched off
  std::unique_ptr<SinkPlane> sink;          // null: switched off
};

Planes MakePlanes(const config::Settings& settings);

}  // namespace wiregauge::daemon
