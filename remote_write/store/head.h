// All samples that came since the last flush: the head. A store has one that takes writes and at most one that is
// being written to a part. Each head belongs to a run of log segments, which can go when its part is durable.
// Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/result.h"
#include "remote_write/store/head_page.h"
#include "remote_write/store/sample.h"

namespace wiregauge::store {

// Ids are dense, so a head finds a series by two array look-ups; this many series need 4 KiB + 4 KiB per 262,144.
inline constexpr SeriesId kSeriesIdMax = (SeriesId{1} << 28) - 1;

class Head {
 public:
  Head();
  ~Head();
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  // Ids are 1 to kSeriesIdMax.
  void Insert(std::span<const SeriesSample> samples);

  // Appends the samples of one series with first_ms <= timestamp <= last_ms, in no order, possibly repeated.
  void Collect(SeriesId series, std::int64_t first_ms, std::int64_t last_ms, std::vector<Sample>& out) const;

  // No false negatives.
  [[nodiscard]] bool MayHave(SeriesId series, std::int64_t first_ms, std::int64_t last_ms) const;

  // Calls `visit` for every series that has samples, by ascending id, with its samples in no order.
  Status ForEachSeries(const std::function<Status(SeriesId, std::vector<Sample>&)>& visit) const;

  // Writers announce themselves before they insert, so that a flush can wait for the last of them.
  void Enter() { writers_.fetch_add(1); }
  void Leave();
  void WaitForWriters() const;

  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t samples() const { return samples_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t series() const { return series_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t conflicts() const { return conflicts_.load(std::memory_order_relaxed); }
  // Of what came so far; first > last when nothing did.
  [[nodiscard]] std::int64_t first_ms() const { return first_ms_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t last_ms() const { return last_ms_.load(std::memory_order_relaxed); }

 private:
  static constexpr unsigned kMiddleBits = 9;
  static constexpr std::size_t kMiddlePages = std::size_t{1} << kMiddleBits;
  static constexpr std::size_t kRootSize = (std::size_t{kSeriesIdMax} + 1) >> (kMiddleBits + kPageSeriesBits);
  using Middle = std::array<std::atomic<HeadPage*>, kMiddlePages>;

  HeadPage& PageFor(SeriesId series);
  const HeadPage* FindPage(SeriesId series) const;
  void Widen(std::span<const SeriesSample> samples);

  std::array<std::atomic<Middle*>, kRootSize> root_;
  std::mutex create_mutex_;  // guards creation of middles and pages; finding them takes no lock
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> samples_{0};
  std::atomic<std::uint64_t> series_{0};
  std::atomic<std::uint64_t> conflicts_{0};
  std::atomic<std::int64_t> first_ms_;
  std::atomic<std::int64_t> last_ms_;
  std::atomic<std::uint32_t> writers_{0};
};

}  // namespace wiregauge::store
