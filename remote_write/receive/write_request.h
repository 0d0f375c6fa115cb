// What the room gives: one write request as series and samples that borrow the decoded body, whatever protocol it came
// in. Labels stay raw here: encode knows most of them by their bytes, and only the rest is parsed (labels.h).
//
// Raw labels: the labels of remote write 1.0 as they stand on the wire, a row of
//   0x0a uvarint(size) { 0x0a uvarint(size) name-bytes, 0x12 uvarint(size) value-bytes }
// Other protocols write the same form (AppendRawLabel).
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "remote_write/receive/raw_key.h"
#include "remote_write/receive/verdicts.h"

namespace wiregauge::receive {

struct Sample {
  std::int64_t timestamp_ms = 0;
  std::uint64_t value_bits = 0;  // of the double, untouched
  bool operator==(const Sample&) const = default;
};

// Samples [first_sample, first_sample + sample_count) of the request; at least one. Borrows the body.
struct Series {
  Bytes raw_labels;
  RawKey key;  // of raw_labels
  std::uint32_t first_sample = 0;
  std::uint32_t sample_count = 0;
};

// A metric family's description. Borrows the body.
struct Metadata {
  std::uint64_t type =
      0;  // 0 unknown, 1 counter, 2 gauge, 3 histogram, 4 gaugehistogram, 5 summary, 6 info, 7 stateset
  std::string_view family;
  std::string_view help;
  std::string_view unit;
};

// Reused from request to request so that a warm one allocates nothing. One thread.
struct WriteRequest {
  std::vector<Series> series;
  std::vector<Sample> samples;
  std::vector<Metadata> metadata;
  Verdicts verdicts;
  std::deque<std::string> gathered;  // raw labels that did not stand in one piece in the body

  void Clear() {
    series.clear();
    samples.clear();
    metadata.clear();
    verdicts.Clear();
    gathered.clear();
  }
};

// Timestamps that are accepted, both ends included. Bounding the future matters as much as the past: one sample dated
// int64-max otherwise poisons a store for good.
struct TimeWindow {
  std::int64_t oldest_ms = 0;
  std::int64_t newest_ms = 0;
};

// How far ahead of our clock a sample may be: Prometheus' and Mimir's grace.
inline constexpr std::int64_t kMaxFutureMs = 10LL * 60 * 1000;

}  // namespace wiregauge::receive
