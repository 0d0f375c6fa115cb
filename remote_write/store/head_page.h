// The open samples of 512 neighbouring series, compact: a 40-byte state a series and a byte stream of what changed in
// 32-byte nodes from a pool of the page. In order, a sample whose value and time step repeat costs no byte at all.
// Samples at or before a series' last one go to a list and are sorted in when the page is read. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "remote_write/store/sample.h"

namespace wiregauge::store {

inline constexpr unsigned kPageSeriesBits = 9;
// Small, because after months of churn the living series lie scattered in runs of a target's size.
inline constexpr std::size_t kPageSeries = std::size_t{1} << kPageSeriesBits;

class HeadPage {
 public:
  // What an Insert changed, for the owner's totals.
  struct Growth {
    std::size_t bytes = 0;
    std::size_t samples = 0;
    std::size_t series = 0;
    std::size_t conflicts = 0;
  };

  HeadPage();
  HeadPage(const HeadPage&) = delete;
  HeadPage& operator=(const HeadPage&) = delete;

  // All of `samples` belong to this page.
  Growth Insert(std::span<const SeriesSample> samples);

  // Appends the samples of one series, in no order and possibly with repetitions.
  void Collect(std::size_t slot, std::vector<Sample>& out) const;

  // Whether the series may have a sample at or after `first_ms`.
  [[nodiscard]] bool MayReach(std::size_t slot, std::int64_t first_ms) const;

 private:
  static constexpr std::uint32_t kNodeBytes = 28;
  static constexpr std::uint32_t kSlabNodes = 128;
  static constexpr std::uint8_t kNotDecimal = 0xff;

  struct Node {
    std::uint32_t next = 0;
    std::array<char, kNodeBytes> bytes;
  };
  using Slab = std::array<Node, kSlabNodes>;

  struct Series {
    std::int64_t last_ms = 0;
    std::uint64_t last_bits = 0;
    std::uint32_t count = 0;  // samples in the stream, pending ones included
    std::uint32_t first_node = 0;
    std::uint32_t last_node = 0;
    std::int32_t step_ms = 0;    // between the last two; 0 when it did not fit
    std::uint16_t repeats = 0;   // samples at the stream's end that repeat step and value and are not written yet
    std::uint8_t node_used = 0;  // bytes of last_node
    std::uint8_t exponent = 0;   // of ten, at which the values were integers so far; or kNotDecimal
    bool late = false;           // has samples in late_
  };
  static_assert(sizeof(Series) == 40);

  struct LateSample {
    std::uint32_t slot = 0;
    Sample sample;
  };

  void InsertOne(std::size_t slot, const Sample& sample, Growth& growth);
  void Begin(Series& series, const Sample& sample);
  void InsertLate(std::size_t slot, const Sample& sample, Growth& growth);
  void SortLate(Growth& growth);
  void WriteRepeats(Series& series);
  void Put(Series& series, const char* bytes, std::size_t count);
  std::uint32_t NewNode();
  Node& NodeAt(std::uint32_t index) { return (*slabs_[index / kSlabNodes])[index % kSlabNodes]; }
  const Node& NodeAt(std::uint32_t index) const { return (*slabs_[index / kSlabNodes])[index % kSlabNodes]; }
  std::string StreamOf(const Series& series) const;
  void CollectLate(std::size_t slot, std::vector<Sample>& out) const;

  mutable std::mutex mutex_;
  std::array<Series, kPageSeries> series_;
  std::vector<std::unique_ptr<Slab>> slabs_;
  std::uint32_t nodes_used_ = 0;
  std::vector<LateSample> late_;  // the first late_sorted_ by (slot, timestamp), each once; then as they came
  std::size_t late_sorted_ = 0;
};

}  // namespace wiregauge::store
