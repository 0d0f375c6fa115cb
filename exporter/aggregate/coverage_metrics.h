// How much of what the network carried the decoders understood, by service: the L4 plane is the witness of the L7
// plane.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "exporter/aggregate/series_table.h"
#include "exporter/aggregate/snapshot.h"
#include "exporter/identity/service.h"

namespace wiregauge::aggregate {

// Payload bytes of one service since the last Add, in any order. The ratio is cut at 1: what was sent and never
// acknowledged is parsed and not carried.
struct CoverageDelta {
  std::uint64_t carried_bytes = 0;  // by the kernel's own count, both directions
  std::uint64_t parsed_bytes = 0;   // of messages that were decoded
};

// One thread at a time. `services` outlives it.
class CoverageMetrics {
 public:
  static constexpr std::size_t kReasonsMax = 16;  // reasons are constants of the decoders; the rest is "other"

  explicit CoverageMetrics(const identity::ServiceTable& services, SeriesLimits limits = {});

  void Add(identity::ServiceId service, const CoverageDelta& delta, std::uint64_t now_ns);
  // `reason` is a snake_case constant of the decoder that gave the bytes up: "unknown_protocol", "gap", "upgraded".
  void AddUnparsed(identity::ServiceId service, std::string_view reason, std::uint64_t bytes, std::uint64_t now_ns);

  // Drops idle series and appends wiregauge_capture_completeness_ratio and wiregauge_unparsed_bytes.
  void Collect(Now now, Snapshot& snapshot, std::unordered_set<identity::ServiceId>& services_in_use);

  [[nodiscard]] std::size_t series() const { return series_.size(); }
  [[nodiscard]] std::uint64_t overflow_total() const { return series_.overflow_total(); }

 private:
  struct Key {
    identity::ServiceId service = 0;

    bool operator==(const Key&) const = default;
    [[nodiscard]] std::size_t Hash() const { return service; }
    [[nodiscard]] Key Collapsed() const { return {identity::kOtherService}; }
    [[nodiscard]] Key Total() const { return {identity::kOtherService}; }
  };
  struct Value {
    CoverageDelta sum;
    std::array<std::uint64_t, kReasonsMax> unparsed{};  // by index in reasons_
  };

  const identity::ServiceTable& services_;
  SeriesTable<Key, Value> series_;
  std::vector<std::string> reasons_{"other"};
};

}  // namespace wiregauge::aggregate
