// The whole way of a body from outside: snappy block, then the 1.0 decoder, then its labels. The same bytes are tried
// as a plain message too, so that the fuzzer need not learn snappy to reach the decoder.
#include <limits>

#include "base/error.h"
#include "remote_write/receive/body.h"
#include "remote_write/receive/labels.h"
#include "remote_write/receive/remote_write_v1.h"

namespace {

using namespace wiregauge;
using namespace wiregauge::receive;

void Decode(Bytes message) {
  WriteRequest request;
  const TimeWindow window{0, std::numeric_limits<std::int64_t>::max() / 2};
  if (!DecodeV1(message, window, request)) return;
  std::vector<Label> labels;
  std::size_t samples = 0;
  for (const Series& series : request.series) {
    if (series.sample_count == 0) Bug("a series without samples");
    samples += series.sample_count;
    if (!ParseLabels(series.raw_labels, labels)) return;
    if (const auto refusal = Canonicalise(labels)) {
      request.verdicts.Refuse(refusal->reason, series.sample_count, series.raw_labels, refusal->detail);
    } else if (labels.empty() || labels.size() > kMaxLabels) {
      Bug("a canonical label set of a wrong size");
    }
  }
  if (samples != request.samples.size()) Bug("samples that belong to no series");
  if (request.verdicts.Report(samples).size() > 2048) Bug("a report that is too long");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes body{data, size};
  Decode(body);
  const auto declared = DeclaredSize(body);
  if (!declared) return 0;
  DecodeBuffer buffer;
  const auto message = buffer.Uncompress(body, *declared);
  if (message) Decode(*message);
  return 0;
}
