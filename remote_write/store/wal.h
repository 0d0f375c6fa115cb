// The write-ahead log: records of concurrent writers go to disk in groups, one write and one fdatasync each (the first
// writer that finds no leader leads). Thread-safe.
//
// Failure: a full disk ends the segment; the next write tries a new one. A failed sync, or a write that leaves the
// segment in doubt, ends the log for this process: nothing is ever retried on that file.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "base/result.h"
#include "remote_write/store/catalogue.h"
#include "remote_write/store/files.h"
#include "remote_write/store/head.h"
#include "remote_write/store/record_log.h"
#include "remote_write/store/store.h"

namespace wiregauge::store {

class Wal {
 public:
  Wal(FileSystem& files, std::string folder, Durability durability, Catalogue& catalogue)
      : files_(files), folder_(std::move(folder)), durability_(durability), catalogue_(catalogue) {}

  // A segment of an earlier run, for bytes() and RemoveBefore().
  void AddSealed(std::uint64_t number, std::uint64_t bytes);

  // Begins a new segment. Call once, before Commit.
  Status Start(SegmentHeader header, std::shared_ptr<Head> head);

  // Appends one batch (what EncodeBatch made) as durably as configured, and its entries to the catalogue. Returns the
  // head that its samples belong to, entered: the caller inserts and calls Leave. Errors are kUnavailable: then nothing
  // of the record is promised.
  Result<std::shared_ptr<Head>> Commit(Bytes record, std::span<const std::string> entries);

  // From the returned segment on, records belong to `next`.
  Result<std::uint64_t> Rotate(std::shared_ptr<Head> next);

  // Syncs what was written; for Durability::kInterval, periodically.
  void SyncWritten();

  // For a clean stop, when nobody writes any more: gives back what the segment reserved.
  void Close();

  // Ends the log as a failed sync does; for failures elsewhere that put stored data in doubt.
  void Break(const std::string& reason);

  // Removes the segments before `first`, or moves the ones in `quarantine` (number -> new path) away.
  void RemoveBefore(std::uint64_t first, const std::map<std::uint64_t, std::string>& quarantine);

  // Why writes are refused; empty when they are not.
  [[nodiscard]] std::string broken_reason() const;
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }
  // Whether nothing was written since Start or Rotate.
  [[nodiscard]] bool untouched() const { return untouched_; }
  // Whether only the segment being written is left.
  [[nodiscard]] bool only_segment() const;

 private:
  struct Request {
    Bytes record;
    std::span<const std::string> entries;
    std::shared_ptr<Head> head;
    Status result;
    bool done = false;
  };

  void LeadGroup(std::unique_lock<std::mutex>& lock);
  std::deque<Request*> TakeGroup();
  Status WriteGroup(const std::deque<Request*>& group);
  Status NextSegment();
  Status SyncSegment();
  Error WriteFailed(const Error& error);
  Error BreakBecause(const Error& error);

  FileSystem& files_;
  const std::string folder_;
  const Durability durability_;
  Catalogue& catalogue_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool leading_ = false;  // someone uses the segment without the lock
  std::deque<Request*> queue_;
  std::shared_ptr<Head> head_;
  std::map<std::uint64_t, std::uint64_t> sealed_;  // number -> bytes
  std::string broken_;

  // Used by the leader only.
  std::unique_ptr<SegmentWriter> writer_;  // null after a full disk, until the next write
  SegmentHeader next_;                     // the segment to create when there is no writer
  std::string group_, joined_;             // scratch
  std::atomic<std::uint64_t> writer_bytes_{0};
  std::atomic<bool> untouched_{true};
  std::atomic<std::uint64_t> syncs_{0};
};

}  // namespace wiregauge::store
