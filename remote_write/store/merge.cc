#include "remote_write/store/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/log.h"
#include "remote_write/store/conflict.h"

namespace wiregauge::store {
namespace {

// A block with at least this many samples is copied as it is when it overlaps no other.
constexpr std::uint32_t kFullBlockSamples = kBlockSamplesWanted / 2;
// A closed partition's largest part is rewritten only for others that are together this fraction of it...
constexpr std::uint64_t kRewriteFraction = 4;
// ...or this many.
constexpr std::size_t kClosedPartsMax = 8;

void CountDamage(std::uint64_t part, const std::string& what, MergeReport& report) {
  ++report.damaged_pages;
  auto& parts = report.damaged_parts;
  if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
  log::Error("store", "Damage left out of a merge", {{"error", what}});
}

// Walks the blocks of one part in order; damaged pages are skipped and counted.
class BlockCursor {
 public:
  BlockCursor(const Part& part, MergeReport& report) : part_(part), report_(report) { LoadPage(); }

  [[nodiscard]] bool done() const { return page_ == nullptr; }
  [[nodiscard]] const Block& block() const { return page_->blocks()[block_]; }
  [[nodiscard]] const std::shared_ptr<const Page>& page() const { return page_; }
  [[nodiscard]] std::uint64_t part() const { return part_.facts().number; }
  void Advance() {
    if (++block_ == page_->blocks().size()) LoadPage();
  }

 private:
  void LoadPage() {
    block_ = 0;
    for (page_ = nullptr; page_ == nullptr && next_page_ < part_.pages().size(); ++next_page_) {
      auto page = part_.ReadPage(next_page_);
      if (page) {
        page_ = std::move(*page);
        continue;
      }
      CountDamage(part_.facts().number, page.error().message, report_);
    }
  }

  const Part& part_;
  MergeReport& report_;
  std::size_t next_page_ = 0;
  std::size_t block_ = 0;
  std::shared_ptr<const Page> page_;
};

// A block and the page that it borrows from.
struct HeldBlock {
  Block block;
  std::shared_ptr<const Page> page;
  std::uint64_t part = 0;  // its number
};

// Writes the blocks of one series.
class SeriesMerger {
 public:
  SeriesMerger(PartWriter& output, MergeReport& report) : output_(output), report_(report) {}

  Status Merge(std::vector<HeldBlock>& blocks) {
    std::sort(blocks.begin(), blocks.end(),
              [](const HeldBlock& a, const HeldBlock& b) { return a.block.first_ms < b.block.first_ms; });
    series_ = blocks[0].block.series;
    std::int64_t reached_ms = blocks[0].block.first_ms - 1;  // last timestamp of what came before
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const HeldBlock& held = blocks[i];
      const Block& block = held.block;
      const bool apart =
          block.first_ms > reached_ms && (i + 1 == blocks.size() || blocks[i + 1].block.first_ms > block.last_ms);
      if (auto done = apart ? AddApart(held) : AddDecoded(held); !done) return done;
      reached_ms = std::max(reached_ms, block.last_ms);
    }
    return FlushPending();
  }

 private:
  Status AddApart(const HeldBlock& held) {
    const bool whole = held.block.samples >= kFullBlockSamples;
    if (whole || pending_.size() >= kBlockSamplesWanted) {
      if (auto done = FlushPending(); !done) return done;
    }
    return whole ? output_.AddBlock(held.block) : AddDecoded(held);
  }

  Status AddDecoded(const HeldBlock& held) {
    if (!DecodeBlock(held.block, pending_)) {
      CountDamage(held.part, fmt::format("part {}: a block of series {} does not decode", held.part, series_), report_);
    }
    return {};
  }

  Status FlushPending() {
    if (pending_.empty()) return {};
    report_.conflicts += SortAndResolve(pending_);
    auto done = output_.AddSamples(series_, pending_);
    pending_.clear();
    return done;
  }

  PartWriter& output_;
  MergeReport& report_;
  SeriesId series_ = 0;
  std::vector<Sample> pending_;
};

bool Closed(const Part& part, std::int64_t closed_before_ms) {
  return (part.facts().partition + 1) * kPartitionMs <= closed_before_ms;
}

std::vector<std::shared_ptr<Part>> PickOfPartition(std::vector<std::shared_ptr<Part>> parts, bool closed) {
  std::sort(parts.begin(), parts.end(),
            [](const auto& a, const auto& b) { return a->facts().bytes < b->facts().bytes; });
  if (parts.size() > kMergeInputsMax) parts.resize(kMergeInputsMax);
  if (closed && parts.size() > 1) {
    std::uint64_t small_bytes = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) small_bytes += parts[i]->facts().bytes;
    const bool worth = small_bytes * kRewriteFraction >= parts.back()->facts().bytes;
    if (worth || parts.size() >= kClosedPartsMax) return parts;
  }
  std::map<std::uint32_t, std::vector<std::shared_ptr<Part>>> levels;
  for (auto& part : parts) levels[part->facts().level].push_back(part);
  for (auto& [level, same] : levels) {
    if (same.size() >= kMergeWidth) return same;
  }
  return {};
}

}  // namespace

Result<MergeReport> MergeParts(std::span<const std::shared_ptr<Part>> inputs, PartWriter& output,
                               const std::atomic<bool>& stop) {
  MergeReport report;
  std::vector<BlockCursor> cursors;
  for (const auto& part : inputs) cursors.emplace_back(*part, report);
  SeriesMerger merger(output, report);
  std::vector<HeldBlock> blocks;
  while (!stop) {
    SeriesId series = 0;  // the smallest one left; 0: none
    for (const BlockCursor& cursor : cursors) {
      if (!cursor.done() && (series == 0 || cursor.block().series < series)) series = cursor.block().series;
    }
    if (series == 0) return report;
    blocks.clear();
    for (BlockCursor& cursor : cursors) {
      for (; !cursor.done() && cursor.block().series == series; cursor.Advance()) {
        blocks.push_back({cursor.block(), cursor.page(), cursor.part()});
      }
    }
    if (auto done = merger.Merge(blocks); !done) return done.error();
  }
  return Error{Code::kCanceled, "merge: the store is closing"};
}

std::vector<std::shared_ptr<Part>> PickMerge(std::span<const std::shared_ptr<Part>> parts,
                                             std::int64_t closed_before_ms) {
  std::map<std::int64_t, std::vector<std::shared_ptr<Part>>> partitions;
  for (const auto& part : parts) partitions[part->facts().partition].push_back(part);
  for (auto& [partition, members] : partitions) {
    const bool closed = Closed(*members[0], closed_before_ms);
    auto picked = PickOfPartition(std::move(members), closed);
    if (!picked.empty()) return picked;
  }
  return {};
}

}  // namespace wiregauge::store
