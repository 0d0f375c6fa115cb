// Series by integer keys, with budgets that keep totals exact and with expiry. Shared by all families: a family brings
// its Key and its Value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include <absl/container/node_hash_map.h>

#include "exporter/aggregate/clocks.h"
#include "exporter/aggregate/hash.h"
#include "exporter/identity/service.h"

namespace wiregauge::aggregate {

struct SeriesLimits {
  std::size_t family_max = 10'000;  // 7 MB of histograms with all their buckets; 200,000 lines of a scrape
  std::size_t service_max = 1'000;  // a tenth of the family: one service never costs the others their labels
};

// Over its service's budget a series first loses only its open-ended labels (route, address), so that methods, statuses
// and errors stay exact; this many such series a service.
inline constexpr std::size_t kCollapsedMax = 64;
// When even these are taken, a service keeps its totals (all, and errors); this many series for all services together,
// after which services share the totals of "_OTHER".
inline constexpr std::size_t kTotalsMax = 1'000;

// A series that got nothing for this long is dropped, once it has been collected since. Three times Prometheus'
// look-back of 5 minutes: the last increment is inside every rate() window in common use while the series still exists,
// and a job that runs every 10 minutes keeps its counters. Longer only keeps the series of dead containers.
inline constexpr std::uint64_t kSeriesIdleNs = 15ULL * 60 * 1'000'000'000;

// Key: `service`; ==; Hash(); Collapsed(): without open-ended labels; Total(): only what totals keep.
// One thread at a time.
template <typename Key, typename Value>
class SeriesTable {
 public:
  struct Series {
    // Before the value, so that with the key and the value's first fields they are one or two cache lines.
    std::uint64_t used_ns = 0;         // monotonic
    bool collected = false;            // since the last At
    std::int64_t created_unix_ms = 0;  // fixed at the first Collect, so that it never moves; 0 before
    std::uint64_t created_ns = 0;      // monotonic
    Value value{};
  };

  explicit SeriesTable(SeriesLimits limits = {}) : limits_(limits) {}

  // The value to add to: that of the key, or of the overflow series that stands for it. `overflowed`: the caller
  // already had to collapse a label. Valid until the next call.
  Value& At(const Key& key, std::uint64_t now_ns, bool overflowed = false) {
    auto found = series_.find(key);
    if (found == series_.end()) found = Place(key, now_ns, overflowed);
    overflow_total_ += overflowed ? 1 : 0;
    found->second.used_ns = now_ns > found->second.used_ns ? now_ns : found->second.used_ns;
    found->second.collected = false;
    return found->second.value;
  }

  // Drops idle series. True when any was dropped.
  bool Expire(std::uint64_t now_ns) {
    const std::size_t before = series_.size();
    for (auto at = series_.begin(); at != series_.end();) {
      const Series& series = at->second;
      const bool idle = series.collected && now_ns >= series.used_ns + kSeriesIdleNs;
      const auto current = at++;
      if (idle) Erase(current);
    }
    return series_.size() != before;
  }

  // Calls visit(key, series) for each, in no order, and takes them as collected.
  template <typename Visit>
  void Collect(Now now, Visit visit) {
    for (auto& [key, series] : series_) {
      if (series.created_unix_ms == 0) series.created_unix_ms = now.UnixMsOf(series.created_ns);
      series.collected = true;
      visit(key, series);
    }
  }

  template <typename Visit>
  void ForEach(Visit visit) {
    for (auto& [key, series] : series_) visit(key, series.value);
  }

  [[nodiscard]] std::size_t size() const { return series_.size(); }
  // Observations that went to an overflow series, or lost a label on the way.
  [[nodiscard]] std::uint64_t overflow_total() const { return overflow_total_; }

 private:
  struct KeyHash {
    std::size_t operator()(const Key& key) const { return key.Hash(); }
  };
  using Map = absl::node_hash_map<Key, Series, KeyHash>;
  using Iterator = typename Map::iterator;

  Iterator Place(const Key& key, std::uint64_t now_ns, bool& overflowed) {
    if (Fits(key, 0)) return Create(key, now_ns);
    overflowed = true;
    const Key collapsed = key.Collapsed();
    if (const auto found = series_.find(collapsed); found != series_.end()) return found;
    if (Fits(collapsed, kCollapsedMax)) return Create(collapsed, now_ns);
    Key total = key.Total();
    if (const auto found = series_.find(total); found != series_.end()) return found;
    if (totals_ < kTotalsMax) return Create(total, now_ns);
    total.service = identity::kOtherService;
    if (const auto found = series_.find(total); found != series_.end()) return found;
    return Create(total, now_ns);
  }

  bool Fits(const Key& key, std::size_t extra) const {
    if (series_.size() - totals_ >= limits_.family_max) return false;
    const auto found = per_service_.find(key.service);
    return found == per_service_.end() || found->second < limits_.service_max + extra;
  }

  static bool IsTotal(const Key& key) { return key == key.Total(); }

  Iterator Create(const Key& key, std::uint64_t now_ns) {
    if (IsTotal(key)) {
      ++totals_;
    } else {
      ++per_service_[key.service];
    }
    const Iterator created = series_.try_emplace(key).first;
    created->second.created_ns = now_ns;
    return created;
  }

  void Erase(Iterator at) {
    if (IsTotal(at->first)) {
      --totals_;
    } else if (const auto count = per_service_.find(at->first.service); --count->second == 0) {
      per_service_.erase(count);
    }
    series_.erase(at);
  }

  SeriesLimits limits_;
  Map series_;
  std::unordered_map<identity::ServiceId, std::size_t> per_service_;  // without totals
  std::size_t totals_ = 0;
  std::uint64_t overflow_total_ = 0;
};

}  // namespace wiregauge::aggregate
