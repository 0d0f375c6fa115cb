// For tests and benchmarks only: a store in memory, with faults at will. Thread-safe.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "remote_write/store/store.h"

namespace wiregauge::encode::testing {

class FakeStore : public store::Store {
 public:
  // Called with each batch before it is stored; an error refuses the batch.
  std::function<Status(const store::Batch&)> on_append;
  std::int64_t oldest_accepted_ms = 0;

  Status Append(const store::Batch& batch) override {
    if (on_append) {
      Status allowed = on_append(batch);
      if (!allowed) return allowed;
    }
    const std::lock_guard lock(mutex_);
    log_.push_back(batch);
    for (const auto& [series, sample] : batch.samples) samples_[series][sample.timestamp_ms] = sample.value_bits;
    return {};
  }

  Status Read(store::SeriesId series, std::int64_t first_ms, std::int64_t last_ms,
              std::vector<store::Sample>& out) const override {
    const std::lock_guard lock(mutex_);
    const auto found = samples_.find(series);
    if (found == samples_.end()) return {};
    const auto& points = found->second;
    for (auto it = points.lower_bound(first_ms); it != points.end() && it->first <= last_ms; ++it) {
      out.push_back({it->first, it->second});
    }
    return {};
  }

  std::vector<store::SeriesId> SeriesInRange(std::span<const store::SeriesId> series, std::int64_t first_ms,
                                             std::int64_t last_ms) const override {
    std::vector<store::SeriesId> out;
    std::vector<store::Sample> points;
    for (const store::SeriesId id : series) {
      points.clear();
      if (Read(id, first_ms, last_ms, points) && !points.empty()) out.push_back(id);
    }
    return out;
  }

  std::int64_t OldestAccepted(std::int64_t) const override { return oldest_accepted_ms; }
  store::Stats GetStats() const override { return {}; }
  Status Flush() override { return {}; }

  // Every batch that was stored, in order.
  [[nodiscard]] std::vector<store::Batch> Log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<store::Batch> log_;
  std::map<store::SeriesId, std::map<std::int64_t, std::uint64_t>> samples_;
};

// Takes everything and keeps nothing.
class NullStore : public store::Store {
 public:
  Status Append(const store::Batch&) override { return {}; }
  Status Read(store::SeriesId, std::int64_t, std::int64_t, std::vector<store::Sample>&) const override { return {}; }
  std::vector<store::SeriesId> SeriesInRange(std::span<const store::SeriesId>, std::int64_t,
                                             std::int64_t) const override {
    return {};
  }
  std::int64_t OldestAccepted(std::int64_t) const override { return 0; }
  store::Stats GetStats() const override { return {}; }
  Status Flush() override { return {}; }
};

}  // namespace wiregauge::encode::testing
