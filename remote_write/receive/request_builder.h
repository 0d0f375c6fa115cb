// For tests and benchmarks only: remote-write 1.0 messages by hand, right or wrong at will.
#pragma once

#include <bit>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "remote_write/receive/labels.h"
#include "remote_write/receive/write_request.h"

namespace wiregauge::receive::testing {

using Labels = std::vector<std::pair<std::string, std::string>>;

inline void AppendField(std::string& out, unsigned field, std::string_view bytes) {
  AppendVarint(out, field << 3 | 2);
  AppendVarint(out, bytes.size());
  out.append(bytes);
}

inline std::string SampleMessage(const Sample& sample) {
  std::string out = "\x09";
  AppendRaw(out, sample.value_bits);
  out.push_back('\x10');
  AppendVarint(out, static_cast<std::uint64_t>(sample.timestamp_ms));
  return out;
}

inline std::string RawLabels(const Labels& labels) {
  std::string raw;
  for (const auto& [name, value] : labels) AppendRawLabel(raw, name, value);
  return raw;
}

inline std::string SeriesMessage(const Labels& labels, const std::vector<Sample>& samples) {
  std::string out = RawLabels(labels);
  for (const Sample& sample : samples) AppendField(out, 2, SampleMessage(sample));
  return out;
}

inline std::string RequestMessage(const std::vector<std::string>& series) {
  std::string out;
  for (const std::string& message : series) AppendField(out, 1, message);
  return out;
}

inline Sample At(std::int64_t timestamp_ms, double value) {
  return {timestamp_ms, std::bit_cast<std::uint64_t>(value)};
}

}  // namespace wiregauge::receive::testing
