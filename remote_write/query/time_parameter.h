// Times as Prometheus' HTTP API takes them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace wiregauge::query {

// What an open end means, and what the two boundary constants of client_golang stand for: beyond every sample.
inline constexpr std::int64_t kMinTimeMs = -(1LL << 62);
inline constexpr std::int64_t kMaxTimeMs = 1LL << 62;

// Milliseconds since the epoch from float seconds ("1435781430.781", rounded to ms), RFC 3339 with any fraction and
// zone, or one of the boundary constants `-292273086-05-16T16:47:06Z` and `+292277025-08-18T07:12:54.999999999Z` (also
// without "+"). Clamped to the range above. Nothing when the text is none of these.
std::optional<std::int64_t> ParseTimeMs(std::string_view text);

}  // namespace wiregauge::query
