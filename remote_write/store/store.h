// The embedded store: integer samples in, integer samples out. It knows no label: `catalogue` entries are opaque bytes
// that encode writes and reads back at start, kept in order and made durable before or together with the samples that
// need them.
//
// Threads: every public function may be called from any thread at any time after Open.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "remote_write/store/sample.h"

namespace wiregauge::store {

enum class Durability { kAlways, kInterval, kNone };

struct Options {
  std::string path;  // created when absent
  Durability durability = Durability::kAlways;
  std::int64_t retention_ms = 30LL * 24 * 3600 * 1000;
  std::uint64_t min_free_bytes = 64ULL << 20;  // below it the store is read-only: 503 before damage
};

// One write: what a request, or several, put together. Catalogue entries come first on disk.
struct Batch {
  std::vector<std::string> catalogue;
  std::vector<SeriesSample> samples;
};

struct Stats {
  std::uint64_t wal_bytes = 0;
  std::uint64_t wal_syncs_total = 0;
  std::uint64_t wal_replayed_records = 0;
  std::uint64_t chunk_bytes = 0;
  std::uint64_t catalogue_bytes = 0;
  std::uint64_t open_samples = 0;               // in memory, not yet in a part
  std::uint64_t conflicting_samples_total = 0;  // same series and timestamp, other value; counted when one is dropped
  std::uint64_t quarantined_files = 0;          // in the folder `quarantine`, since ever
  std::uint64_t damaged_ranges = 0;             // found at Open in log, catalogue and parts; what was in them is lost
  std::uint64_t damaged_pages_total = 0;        // met by reads and merges
  std::uint64_t torn_bytes = 0;                 // cut off the log's end at Open: writes that were never acknowledged
  std::uint64_t parts = 0;
  std::uint64_t flushes_total = 0;
  std::uint64_t merges_total = 0;
  std::uint64_t active_series = 0;  // with samples since the last flush began
  SeriesId largest_series = 0;      // of any sample; ids that encode gives out are above it, even if entries were lost
  bool read_only = false;
  std::string read_only_reason;
};

class Store {
 public:
  // Opens or creates the folder, replays the log, calls `on_catalogue` for every catalogue entry in the order it was
  // appended (entries may repeat after a crash; the reader must be idempotent). kIo, kCorrupt or kUnavailable (locked
  // by another process) with the path.
  static Result<std::unique_ptr<Store>> Open(const Options& options,
                                             const std::function<Status(Bytes entry)>& on_catalogue);
  virtual ~Store() = default;

  // Returns when the batch is as durable as configured. Writing the same samples again changes nothing; of two values
  // for one (series, timestamp) the same one wins in whatever order they come (DECISIONS.md). kUnavailable when the
  // store is read-only or closing: then nothing of the batch is promised. kInvalidArgument, with nothing written, for
  // ids outside 1..2^28-1, timestamps beyond year 9999 either way, catalogue entries over 4 MiB.
  virtual Status Append(const Batch& batch) = 0;

  // Samples of one series with first_ms <= timestamp <= last_ms, sorted by timestamp, each timestamp once. Appends to
  // `out`. A damaged block is skipped and counted; kCorrupt is returned with what could be read in `out`.
  virtual Status Read(SeriesId series, std::int64_t first_ms, std::int64_t last_ms, std::vector<Sample>& out) const = 0;

  // Those of `series` (sorted ascending) that may have a sample in the range: no false negatives, cheap.
  virtual std::vector<SeriesId> SeriesInRange(std::span<const SeriesId> series, std::int64_t first_ms,
                                              std::int64_t last_ms) const = 0;

  // Oldest timestamp that Append accepts, at `now_ms`: older samples are the caller's to refuse.
  virtual std::int64_t OldestAccepted(std::int64_t now_ms) const = 0;

  virtual Stats GetStats() const = 0;

  // Writes what is open in memory to parts and syncs. For a clean stop; the destructor calls it.
  virtual Status Flush() = 0;
};

}  // namespace wiregauge::store
