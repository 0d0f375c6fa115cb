// A token bucket over all requests: one token an interval, at most `burst` saved up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <mutex>

namespace wiregauge::security {

// Thread-safe.
class RateLimiter {
 public:
  // interval_ns > 0, burst > 0. Begins full.
  RateLimiter(std::int64_t interval_ns, std::int64_t burst) : interval_ns_(interval_ns), burst_(burst) {}

  // Whether a request at `now_ns` (any monotonic clock) may pass; takes its token.
  bool Take(std::int64_t now_ns) {
    const std::lock_guard lock(mutex_);
    // The bucket as a time: when the oldest token that nobody has taken fell due. A full bucket's is burst - 1
    // intervals ago, which may be before the clock began.
    const std::int64_t due = std::max(due_ns_, now_ns - interval_ns_ * (burst_ - 1));
    if (due > now_ns) return false;
    due_ns_ = due + interval_ns_;
    return true;
  }

 private:
  const std::int64_t interval_ns_;
  const std::int64_t burst_;
  std::mutex mutex_;
  std::int64_t due_ns_ = std::numeric_limits<std::int64_t>::min();
};

}  // namespace wiregauge::security
