#include "daemon/planes.h"

namespace wiregauge::daemon {

Planes MakePlanes(const config::Settings& /*settings*/) { return {}; }

}  // namespace wiregauge::daemon
