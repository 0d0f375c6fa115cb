// The room's front door: a Snapshot in, the bytes of a scrape out. Pure; thread-safe.
// Sources: Prometheus exposition formats 0.0.4 and 1.0.0, OpenMetrics 1.0.0, Prometheus' client model, Prometheus
// content negotiation.
#pragma once

#include <string>
#include <string_view>

#include "exporter/aggregate/snapshot.h"

namespace wiregauge::expose {

struct Exposition {
  std::string content_type;
  std::string content_encoding;  // "gzip" or empty
  std::string body;
};

// `accept` and `accept_encoding` are the request's header values, empty when absent. The answer depends on both: send
// "Vary: Accept, Accept-Encoding".
Exposition Render(const aggregate::Snapshot& snapshot, std::string_view accept, std::string_view accept_encoding);

}  // namespace wiregauge::expose
