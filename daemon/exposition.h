// The page of /metrics, until the expose room renders it.
#pragma once

#include <string>
#include <string_view>

#include "exporter/aggregate/snapshot.h"

namespace wiregauge::expose {

struct Exposition {
  std::string content_type;
  std::string content_encoding;  // empty: none
  std::string body;
};

Exposition Render(const aggregate::Snapshot& snapshot, std::string_view accept, std::string_view accept_encoding);

}  // namespace wiregauge::expose
