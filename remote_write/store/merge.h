// Makes one part of several of the same partition: full blocks that touch no other are copied as they are, the rest is
// decoded, resolved and encoded anew.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "remote_write/store/part.h"
#include "remote_write/store/part_writer.h"

namespace wiregauge::store {

struct MergeReport {
  std::uint64_t conflicts = 0;               // samples that lost (conflict.h)
  std::vector<std::uint64_t> damaged_parts;  // numbers of inputs with a page that could not be read
  std::uint64_t damaged_pages = 0;
};

// Writes all samples of `inputs` to `output` without finishing it. Memory: a page for each input and the samples of one
// series. kCanceled when `stop` becomes true.
Result<MergeReport> MergeParts(std::span<const std::shared_ptr<Part>> inputs, PartWriter& output,
                               const std::atomic<bool>& stop);

// What to merge next, by these rules: kMergeWidth parts of one partition and level, so that a partition holds at most
// that many a level; all parts of a partition that is over (ended before `closed_before_ms`), unless that would rewrite
// a large one for a few small ones. Empty: nothing.
inline constexpr std::size_t kMergeWidth = 4;
inline constexpr std::size_t kMergeInputsMax = 32;
std::vector<std::shared_ptr<Part>> PickMerge(std::span<const std::shared_ptr<Part>> parts,
                                             std::int64_t closed_before_ms);

// Length of a partition. A day: retention goes by it, and a part of it is a good size from 100 to 10 million series.
inline constexpr std::int64_t kPartitionMs = 24LL * 3600 * 1000;
constexpr std::int64_t PartitionOf(std::int64_t timestamp_ms) {
  return timestamp_ms / kPartitionMs - (timestamp_ms % kPartitionMs < 0 ? 1 : 0);
}

}  // namespace wiregauge::store
