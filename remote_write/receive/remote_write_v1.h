// Remote write 1.0: the decoder of `prometheus.WriteRequest`. Takes the uncompressed message, gives a WriteRequest.
//   WriteRequest   1 timeseries (rep), 3 metadata (rep)
//   TimeSeries     1 labels (rep), 2 samples (rep), 3 exemplars (rep), 4 histograms (rep)
//   Sample         1 double value, 2 int64 timestamp in ms
//   MetricMetadata 1 type, 2 metric_family_name, 4 help, 5 unit
// Unknown fields, and known ones with a wrong wire type, are stepped over, as generated code does.
// Pure: no clock, no allocation beyond the growth of `out`.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "remote_write/receive/write_request.h"

namespace wiregauge::receive {

// Replaces `out`, which borrows `message`. kInvalidArgument with a byte offset when the message is no protobuf: then
// nothing of it may be stored. Samples outside `window`, exemplars and histograms (not stored yet) are refused in
// out.verdicts; labels are not looked at here.
Status DecodeV1(Bytes message, const TimeWindow& window, WriteRequest& out);

}  // namespace wiregauge::receive
