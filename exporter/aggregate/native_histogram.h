// Durations in Prometheus' native histogram: exponential buckets with exact integer counts, few bytes where few of them
// are used. Bucket i of schema s holds the durations above 2^((i-1)/2^s) seconds up to and with 2^(i/2^s) seconds.
// Sources: Prometheus' native histogram specification and the comments of its client model.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "exporter/aggregate/snapshot.h"

namespace wiregauge::aggregate {

// One thread at a time.
class NativeHistogram {
 public:
  // Eight buckets an octave: a bucket's bounds are 9 % apart, so a quantile is off by 4.4 % at most, which is finer
  // than anybody alerts on; and the counts of an octave fill one cache line.
  static constexpr int kSchemaMax = 3;
  // Beyond so many buckets the resolution is halved: Prometheus' own clients recommend this limit. At the first schema,
  // 20 octaves: 1 us to 1 s.
  static constexpr std::size_t kBucketsMax = 160;
  // What is not longer is counted as zero: 2^-20 s, 954 ns, less than a hook's own clock is good for.
  static constexpr int kZeroOctave = -20;
  static constexpr std::uint64_t kZeroNs = 953;

  // Allocates only when the duration is in an octave that had none before.
  void Observe(std::uint64_t duration_ns);

  // Buckets with a count, ascending.
  [[nodiscard]] NativeBuckets Buckets() const;

  [[nodiscard]] int schema() const { return schema_; }
  [[nodiscard]] std::size_t buckets_kept() const { return Octaves() << schema_; }  // of 8 bytes

 private:
  [[nodiscard]] std::size_t Octaves() const { return static_cast<std::size_t>(std::popcount(octaves_)); }
  void AddOctave(unsigned octave);
  void HalveResolution();

  std::uint64_t octaves_ = 0;  // bit i: durations above 2^(i + kZeroOctave) s, up to twice that, have counts
  std::unique_ptr<std::uint64_t[]> counts_;  // 2^schema_ for each octave that has some, in order
  std::uint64_t zero_count_ = 0;
  std::uint8_t schema_ = kSchemaMax;
};

}  // namespace wiregauge::aggregate
