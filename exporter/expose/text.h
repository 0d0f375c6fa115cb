// A Snapshot as text: the Prometheus text format 0.0.4 (and 1.0.0, the same bytes for our names) and OpenMetrics 1.0.0.
// Pure and deterministic: families by name, points by labels.
#pragma once

#include <string>
#include <string_view>

#include "exporter/aggregate/snapshot.h"

namespace wiregauge::expose {

enum class Dialect { kText, kOpenMetrics };

// Appends the whole exposition. Metric and label names are ours and taken as valid; help texts and label values may be
// any bytes: what is not UTF-8 becomes U+FFFD. Families of the same name are told as one; of different types, that is a
// bug of ours and aborts.
void AppendText(const aggregate::Snapshot& snapshot, Dialect dialect, std::string& out);

}  // namespace wiregauge::expose
