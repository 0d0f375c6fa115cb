// Two properties: decoding any bytes neither crashes nor allocates beyond its output, and what was encoded decodes to
// the same bits. The first byte chooses the decoder, the next two the number of values.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "remote_write/store/codec.h"
#include "remote_write/store/page.h"
#include "remote_write/store/record_log.h"
#include "remote_write/store/wal_batch.h"

namespace wiregauge::store {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void RoundTrip(const std::vector<std::uint64_t>& values) {
  std::string column;
  EncodeValues(values, column);
  std::vector<std::uint64_t> decoded(values.size());
  Require(DecodeValues(AsBytes(column), decoded) && decoded == values);
  std::vector<std::int64_t> timestamps;
  for (const std::uint64_t value : values) timestamps.push_back(static_cast<std::int64_t>(value));
  column.clear();
  EncodeTimestamps(timestamps, column);
  std::vector<std::int64_t> decoded_timestamps(values.size());
  Require(DecodeTimestamps(AsBytes(column), decoded_timestamps) && decoded_timestamps == timestamps);
}

void Values(ByteReader& in, std::size_t count) {
  std::vector<std::uint64_t> values(count);
  if (DecodeValues(in.Take(in.remaining()), values)) RoundTrip(values);
}

void Raw(ByteReader& in) {
  std::vector<std::uint64_t> values;
  while (in.remaining() >= 8 && values.size() < kBlockSamplesMax) values.push_back(in.Read<std::uint64_t>());
  if (!values.empty()) RoundTrip(values);
}

void WholePage(ByteReader& in) {
  const auto page = Page::Parse(std::string(AsText(in.Take(in.remaining()))));
  if (!page) return;
  std::vector<Sample> samples;
  for (const Block& block : (*page)->blocks()) {
    samples.clear();
    static_cast<void>(DecodeBlock(block, samples));
    Require(samples.size() <= kBlockSamplesMax);
  }
}

void Batch(ByteReader& in) {
  BatchView batch;
  if (!DecodeBatch(in, batch)) return;
  std::vector<std::string> entries;
  for (const Bytes entry : batch.catalogue) entries.emplace_back(AsText(entry));
  std::string payload;
  EncodeBatch(entries, batch.samples, payload);
  BatchView again;
  ByteReader encoded(AsBytes(payload));
  Require(DecodeBatch(encoded, again) && again.samples.size() == batch.samples.size());
}

void Segment(ByteReader& in) {
  std::size_t bytes = 0;
  const Bytes segment = in.Take(in.remaining());
  const auto visit = [&](Bytes payload) -> Status {
    bytes += payload.size();
    return {};
  };
  const auto scan = ScanSegment(segment, LogKind::kWal, 1, visit);
  Require(scan.has_value() && bytes + scan->damaged_bytes + scan->torn_bytes <= segment.size());
}

}  // namespace
}  // namespace wiregauge::store

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::store;
  wiregauge::ByteReader in({data, size});
  const auto kind = in.Read<std::uint8_t>();
  const std::size_t count = in.Read<std::uint16_t>() % (kBlockSamplesMax + 2);
  if (!in.ok()) return 0;
  switch (kind % 5) {
    case 0: Values(in, count); break;
    case 1: Raw(in); break;
    case 2: WholePage(in); break;
    case 3: Batch(in); break;
    default: Segment(in); break;
  }
  return 0;
}
