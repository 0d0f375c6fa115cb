// The store behind store.h: a write-ahead log and a head for what is new, parts for the rest, one maintenance thread.
// Split over embedded_store.cc (writing, reading), maintenance.cc (flush, merge, retention), recovery.cc (opening).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "remote_write/store/catalogue.h"
#include "remote_write/store/files.h"
#include "remote_write/store/head.h"
#include "remote_write/store/manifest.h"
#include "remote_write/store/page_cache.h"
#include "remote_write/store/part.h"
#include "remote_write/store/store.h"
#include "remote_write/store/wal.h"
#include "remote_write/store/wal_batch.h"

namespace wiregauge::store {

// What tests replace.
struct Environment {
  FileSystem* files = nullptr;                  // borrowed, outlives the store
  std::function<std::int64_t()> now_ms;         // for retention and closing partitions
  bool background = true;                       // maintenance thread; without it Maintain() is called by hand
  std::uint64_t head_bytes_min = 16U << 20;     // a head is flushed when it is over this...
  std::uint64_t head_bytes_per_series = 192;    // ...and over this a series: the store's memory is about twice that
  std::uint64_t head_wal_bytes_max = 1U << 30;  // or when this much log must be replayed after a crash
  // When flushes cannot keep up (or fail) memory stops growing at this many times that; writers are told to come back.
  std::uint64_t head_overrun = 4;
  std::int64_t head_age_ms = 2LL * 3600 * 1000;          // or at this age
  std::size_t page_cache_bytes = std::size_t{16} << 20;  // uncompressed pages of recent reads
};

Environment DefaultEnvironment();

class EmbeddedStore final : public Store {
 public:
  static Result<std::unique_ptr<EmbeddedStore>> Open(const Options& options, Environment environment,
                                                     const std::function<Status(Bytes)>& on_catalogue);
  ~EmbeddedStore() override;

  Status Append(const Batch& batch) override;
  Status Read(SeriesId series, std::int64_t first_ms, std::int64_t last_ms, std::vector<Sample>& out) const override;
  std::vector<SeriesId> SeriesInRange(std::span<const SeriesId> series, std::int64_t first_ms,
                                      std::int64_t last_ms) const override;
  std::int64_t OldestAccepted(std::int64_t now_ms) const override { return now_ms - options_.retention_ms; }
  Stats GetStats() const override;
  Status Flush() override;

  // One round of what the maintenance thread does: flush when due, merge one group of parts, drop expired parts.
  Status Maintain();

 private:
  // What a reader sees. Immutable; replaced whole.
  struct View {
    std::shared_ptr<Head> head;
    std::shared_ptr<Head> flushing;  // or null
    std::vector<std::shared_ptr<Part>> parts;
  };

  // A log segment to replay.
  struct SegmentPlace {
    std::uint64_t number = 0;
    bool last = false;
    std::uint64_t bytes = 0;  // its final length as the next one says; 0: not known
  };

  EmbeddedStore(const Options& options, Environment environment);

  // recovery.cc
  Status Recover(const std::function<Status(Bytes)>& on_catalogue);
  Result<bool> LoadManifest();
  Status OpenParts(bool rebuilt);
  Status RemoveLeftovers(bool rebuilt);
  Status LoadCatalogue(bool rebuilt, const std::function<Status(Bytes)>& on_catalogue);
  Status ReplayLog(const std::function<Status(Bytes)>& on_catalogue);
  Result<std::uint64_t> ReplaySegment(const SegmentPlace& place, const std::function<Status(Bytes)>& on_catalogue);
  Status ReplayRecord(Bytes payload, const std::function<Status(Bytes)>& on_catalogue);
  Status ReplayBatch(const BatchView& batch, const std::function<Status(Bytes)>& on_catalogue);
  Status FlushDuringReplay(std::uint64_t first_segment);
  void ReportDamage(const std::string& what, std::uint64_t ranges);

  // maintenance.cc; the caller holds work_mutex_
  void MaintenanceLoop(const std::stop_token& stop);
  void SyncLoop(const std::stop_token& stop);
  bool FlushDue() const;
  Status FlushHead();
  Status FinishFlush();
  Status WriteParts(const Head& head, std::vector<std::shared_ptr<Part>>& written);
  Result<std::int64_t> WritePartsBetween(const Head& head, std::int64_t first_partition,
                                         std::vector<std::shared_ptr<Part>>& written);
  Result<bool> MergeOnce();
  Status CommitMerge(const std::vector<std::shared_ptr<Part>>& inputs, std::shared_ptr<Part> output,
                     const std::vector<std::uint64_t>& damaged);
  Status DropExpired();
  Status WriteManifest(const Manifest& next);
  void SetView(std::shared_ptr<Head> head, std::shared_ptr<Head> flushing, std::vector<std::shared_ptr<Part>> parts);
  std::string QuarantinePath(const std::string& name);

  // embedded_store.cc
  std::shared_ptr<const View> CurrentView() const;
  Status CheckWritable() const;
  Status CheckBatch(const Batch& batch);
  Status AppendRecord(std::span<const std::string> entries, std::span<const SeriesSample> samples);
  Status ReadPart(const Part& part, SeriesId series, std::int64_t first_ms, std::int64_t last_ms,
                  std::vector<Sample>& out) const;
  std::uint64_t HeadBytesMax(const Head& head) const;

  const Options options_;
  const Environment environment_;
  FileSystem& files_;
  const std::string wal_folder_, catalogue_folder_, parts_folder_, quarantine_folder_;

  std::unique_ptr<File> lock_;
  Catalogue catalogue_;
  Wal wal_;
  mutable PageCache cache_;

  mutable std::mutex view_mutex_;
  std::shared_ptr<const View> view_;

  std::mutex work_mutex_;  // one flush, merge or retention at a time; guards the members up to the blank line
  Manifest manifest_;
  std::uint64_t flushed_until_segment_ = 0;                // what manifest_.first_segment becomes after FinishFlush
  std::map<std::uint64_t, std::string> damaged_segments_;  // number -> path in quarantine
  std::int64_t head_since_ms_ = 0;
  std::uint64_t head_since_wal_bytes_ = 0;

  std::atomic<SeriesId> largest_series_{0};
  std::atomic<std::uint64_t> replayed_records_{0}, conflicts_{0}, quarantined_{0}, damaged_ranges_{0}, torn_bytes_{0},
      flushes_{0}, merges_{0};
  mutable std::atomic<std::uint64_t> damaged_pages_{0};
  std::atomic<bool> stopping_{false};

  std::mutex wake_mutex_;
  std::condition_variable_any wake_;
  bool woken_ = false;                 // guarded by wake_mutex_
  std::vector<std::jthread> threads_;  // last: they use everything above
};

}  // namespace wiregauge::store
