// The sink's own metric families, as interface.md promises them. Pure: reads counters, writes families.
#pragma once

#include "daemon/sink_write.h"
#include "exporter/aggregate/snapshot.h"
#include "remote_write/encode/dictionary.h"
#include "remote_write/store/store.h"

namespace wiregauge::daemon {

// Appends the families. Quick: no table is walked.
void CollectSink(const WriteCounters& counters, const encode::Dictionary& dictionary, const store::Store& store,
                 aggregate::Snapshot& out);

}  // namespace wiregauge::daemon
