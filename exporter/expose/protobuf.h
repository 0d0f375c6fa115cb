// A Snapshot as delimited protobuf messages, io.prometheus.client.MetricFamily (proto/metrics.proto): the format that
// has native histograms. Written by hand, since a scrape is most of what the exporter does on its own; the tests read
// it with generated code. Pure and deterministic: families by name, points by labels.
#pragma once

#include <string>

#include "exporter/aggregate/snapshot.h"

namespace wiregauge::expose {

// Appends every family, each behind its length as a varint. Text values as AppendText.
void AppendProtobuf(const aggregate::Snapshot& snapshot, std::string& out);

}  // namespace wiregauge::expose
