// What an operator may choose of the room.
#pragma once

#include <vector>

#include "exporter/aggregate/route_rules.h"
#include "exporter/aggregate/series_table.h"
#include "exporter/aggregate/slow.h"

namespace wiregauge::aggregate {

struct Options {
  SeriesLimits limits;  // of each family
  SlowThresholds slow;
  std::vector<RouteRule> routes;
  bool dns_question_name = false;  // the label dns_question_name: one series a name that was asked for
};

}  // namespace wiregauge::aggregate
