// One write as the payload of a log record: catalogue entries, then samples of 2 to 23 bytes each (about 6 on real
// scrapes: ids that follow each other, one timestamp, values whose low bytes are zero). Pure. Byte grammar in
// README.md.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "remote_write/store/sample.h"

namespace wiregauge::store {

// Samples in one record, so that a record's 6 MiB at most stay under kRecordBytesMax and decode into 6 MiB. Larger
// writes become several records.
inline constexpr std::size_t kRecordSamplesMax = 256 * 1024;
// Catalogue bytes in one record, and so the longest entry.
inline constexpr std::size_t kRecordCatalogueBytesMax = 4UL << 20;

// Replaces `out`. At most kRecordSamplesMax samples and kRecordCatalogueBytesMax bytes of entries.
void EncodeBatch(std::span<const std::string> catalogue, std::span<const SeriesSample> samples, std::string& out);

// Borrowed from the payload.
struct BatchView {
  std::vector<Bytes> catalogue;
  std::vector<SeriesSample> samples;
};

// Reads one batch and replaces `out`; what follows stays unread. False on bytes that EncodeBatch does not write.
bool DecodeBatch(ByteReader& in, BatchView& out);

}  // namespace wiregauge::store
