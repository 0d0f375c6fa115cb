// An immutable file of compressed blocks: the samples of one time partition that one flush or merge wrote, sorted by
// series. Thread-safe. Byte grammar in README.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "remote_write/store/files.h"
#include "remote_write/store/page.h"
#include "remote_write/store/sample.h"

struct roaring_bitmap_s;

namespace wiregauge::store {

// What a part's footer, and the manifest, say about it.
struct PartFacts {
  std::uint64_t number = 0;
  std::int64_t partition = 0;  // day since 1970
  std::uint32_t level = 0;     // merges behind its samples
  std::uint64_t bytes = 0;     // of the file
  std::uint64_t samples = 0;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
};

// Where a page is; the index holds one each, by series.
struct PageEntry {
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;
  std::uint32_t raw_bytes = 0;
  std::uint64_t checksum = 0;
  SeriesId first_series = 0;
  SeriesId last_series = 0;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
};
static_assert(sizeof(PageEntry) == 48);

// A set of series ids.
class SeriesSet {
 public:
  SeriesSet();
  explicit SeriesSet(roaring_bitmap_s* owned);
  ~SeriesSet();
  SeriesSet(SeriesSet&& other) noexcept;
  SeriesSet& operator=(SeriesSet&& other) noexcept;

  void Add(SeriesId series);
  [[nodiscard]] bool Contains(SeriesId series) const;
  void Serialize(std::string& out);
  static std::optional<SeriesSet> Parse(Bytes bytes);

 private:
  roaring_bitmap_s* bitmap_;
};

// "0000000000000012.part"
std::string PartName(std::uint64_t number);
inline constexpr std::uint32_t kPartVersion = 1;
inline constexpr std::size_t kPartHeaderBytes = 32;
inline constexpr std::size_t kPartFooterBytes = 80;
std::string EncodePartHeader(std::uint64_t number);
std::string EncodePartFooter(const PartFacts& facts, std::uint64_t index_offset, std::uint64_t pages,
                             std::uint64_t index_checksum);

class Part {
 public:
  // Reads footer and index. kCorrupt when they fail; pages are checked when they are read.
  static Result<std::shared_ptr<Part>> Open(FileSystem& files, const std::string& folder, std::uint64_t number);
  ~Part();
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  [[nodiscard]] const PartFacts& facts() const { return facts_; }
  [[nodiscard]] std::span<const PageEntry> pages() const { return pages_; }
  [[nodiscard]] bool Overlaps(std::int64_t first_ms, std::int64_t last_ms) const {
    return facts_.first_ms <= last_ms && facts_.last_ms >= first_ms;
  }
  [[nodiscard]] bool Contains(SeriesId series) const { return series_.Contains(series); }

  // Reads, checks and unpacks a page. kCorrupt, with path and page, when it fails.
  [[nodiscard]] Result<std::shared_ptr<const Page>> ReadPage(std::size_t index) const;

  // The file goes when the last reader lets the part go: at `remove` for good, else to `quarantine_path`.
  void RemoveWhenUnused() { end_ = End::kRemove; }
  void QuarantineWhenUnused(std::string quarantine_path);

 private:
  enum class End { kKeep, kRemove, kQuarantine };

  Part(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  Status Load(std::uint64_t number);

  FileSystem& files_;
  const std::string path_;
  std::unique_ptr<File> file_;
  PartFacts facts_;
  std::vector<PageEntry> pages_;
  SeriesSet series_;
  std::atomic<End> end_{End::kKeep};
  std::string quarantine_path_;
};

}  // namespace wiregauge::store
