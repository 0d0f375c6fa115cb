#include "base/clock.h"

#include <time.h>

#include <algorithm>

#include <fmt/format.h>

namespace wiregauge {
namespace {

std::uint64_t Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

std::int64_t UnixMilliseconds() { return static_cast<std::int64_t>(Read(CLOCK_REALTIME) / 1'000'000U); }

std::uint64_t MonotonicNanoseconds() { return Read(CLOCK_MONOTONIC); }

std::string FormatRfc3339(std::int64_t unix_ms) {
  constexpr std::int64_t kFirst = -62135596800000;  // 0001-01-01T00:00:00Z
  constexpr std::int64_t kLast = 253402300799999;   // 9999-12-31T23:59:59.999Z
  unix_ms = std::clamp(unix_ms, kFirst, kLast);
  std::int64_t seconds = unix_ms / 1000;
  std::int64_t milliseconds = unix_ms % 1000;
  if (milliseconds < 0) {
    milliseconds += 1000;
    --seconds;
  }
  tm parts{};
  const time_t when = seconds;
  gmtime_r(&when, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, milliseconds);
}

}  // namespace wiregauge
