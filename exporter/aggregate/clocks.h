// The two clocks at one moment; both come from the caller.
#pragma once

#include <cstdint>

namespace wiregauge::aggregate {

struct Now {
  std::uint64_t monotonic_ns = 0;
  std::int64_t unix_ms = 0;

  // The Unix time of a monotonic one; what lies ahead is now.
  [[nodiscard]] std::int64_t UnixMsOf(std::uint64_t at_ns) const {
    const std::uint64_t age_ns = monotonic_ns > at_ns ? monotonic_ns - at_ns : 0;
    return unix_ms - static_cast<std::int64_t>(age_ns / 1'000'000);
  }
};

}  // namespace wiregauge::aggregate
