// A page of a part: the blocks of neighbouring series, as one unit of compression, checksum and reading. Pure. Byte
// grammar in README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "remote_write/store/codec.h"
#include "remote_write/store/sample.h"

namespace wiregauge::store {

// Uncompressed bytes at which a page is closed: larger pages gain under 2 % and make reading one series dearer.
inline constexpr std::size_t kPageBytesWanted = 64 * 1024;
// What a page can reach with one more block, directory included; bounds what damaged bytes make a reader allocate.
inline constexpr std::size_t kPageBytesMax = 128 * 1024;

// Samples that a new block gets while there are more.
inline constexpr std::size_t kBlockSamplesWanted = 480;

// One block: samples of one series, sorted, each timestamp once. The columns are borrowed.
struct Block {
  SeriesId series = 0;
  std::uint32_t samples = 0;  // 1 to kBlockSamplesMax
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  Bytes timestamps;
  Bytes values;
};

// Appends the block's samples to `out`. False, with `out` as it was, when the columns do not decode to what the block
// says: increasing timestamps from first_ms to last_ms.
bool DecodeBlock(const Block& block, std::vector<Sample>& out);

// Collects blocks, by ascending (series, first_ms), and lays them out. One thread.
class PageBuilder {
 public:
  void Add(const Block& block);
  [[nodiscard]] bool empty() const { return blocks_ == 0; }
  [[nodiscard]] bool full() const { return bytes() >= kPageBytesWanted; }
  [[nodiscard]] std::size_t bytes() const { return directory_.size() + timestamps_.size() + values_.size(); }
  // Replaces `out` with the page's uncompressed bytes and starts anew.
  void Finish(std::string& out);

 private:
  std::string directory_;
  std::string timestamps_;
  std::string values_;
  std::string last_timestamps_;  // a block with the same column refers to it: a scrape's series share theirs
  SeriesId last_series_ = 0;
  std::int64_t last_first_ms_ = 0;
  std::size_t blocks_ = 0;
};

// A page in memory. Immutable; the blocks borrow from it.
class Page {
 public:
  // Takes the uncompressed bytes. kCorrupt when they are no page.
  static Result<std::shared_ptr<const Page>> Parse(std::string bytes);

  [[nodiscard]] std::span<const Block> blocks() const { return blocks_; }
  [[nodiscard]] std::span<const Block> BlocksOf(SeriesId series) const;
  [[nodiscard]] std::size_t memory_bytes() const { return bytes_.size() + blocks_.size() * sizeof(Block); }

 private:
  bool ParseDirectory();

  std::string bytes_;
  std::vector<Block> blocks_;
};

}  // namespace wiregauge::store
