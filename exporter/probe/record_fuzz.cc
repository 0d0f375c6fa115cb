// Arbitrary ring-buffer bytes: no crash, and whatever is decoded lies inside the input.
#include <cstdint>
#include <cstdlib>

#include "exporter/probe/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using wiregauge::probe::DatagramRecord;
  using wiregauge::probe::DataRecord;
  const auto record = wiregauge::probe::DecodeRecord({data, size});
  unsigned sum = 0;
  if (record && std::holds_alternative<DatagramRecord>(*record)) {
    const auto& datagram = std::get<DatagramRecord>(*record);
    for (const std::uint8_t byte : datagram.captured) sum += byte;
    if (datagram.captured.size() > datagram.length) std::abort();
  }
  if (!record || !std::holds_alternative<DataRecord>(*record)) return static_cast<int>(sum & 0);
  const auto& segment = std::get<DataRecord>(*record);
  for (const std::uint8_t byte : segment.captured) sum += byte;  // asan sees a view that is too long
  for (const std::uint8_t byte : segment.tail) sum += byte;
  if (segment.captured.size() > segment.length || segment.tail.size() > 8) std::abort();
  return static_cast<int>(sum & 0);
}
