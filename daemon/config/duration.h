// Durations as Prometheus writes them: "30d", "1h30m", "250ms", "0".
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace wiregauge::config {

// Milliseconds, 0 to 100 years. Units y w d h m s ms, each at most once and from large to small; a year is 365 days.
Result<std::int64_t> ParseDuration(std::string_view text);

// Nanoseconds, 100 us to 1 h: one number, decimals too, and a unit of us ms s m h: "10ms", "0.5s", "250us".
Result<std::uint64_t> ParseLatency(std::string_view text);

}  // namespace wiregauge::config
