// Where time comes from. Only I/O ends of the program call these; middle rooms take the time as an argument.
#pragma once

#include <cstdint>
#include <string>

namespace wiregauge {

// Milliseconds since 1970-01-01T00:00:00Z, as samples carry them.
std::int64_t UnixMilliseconds();

// Nanoseconds of CLOCK_MONOTONIC: the clock of bpf_ktime_get_ns().
std::uint64_t MonotonicNanoseconds();

// "2026-11-20T07:14:11.493Z". Years 0001 to 9999; others are clamped.
std::string FormatRfc3339(std::int64_t unix_ms);

}  // namespace wiregauge
