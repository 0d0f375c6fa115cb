// The catalogue: opaque entries in the order they came, in segment files that only grow. The write-ahead log carries
// each entry too, so this file is synced only before log segments go. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "remote_write/store/files.h"
#include "remote_write/store/record_log.h"

namespace wiregauge::store {

// Everything before `offset` of `segment`, and all earlier segments. Segment 0: nothing.
struct CataloguePosition {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
};

struct CatalogueDamage {
  std::uint64_t ranges = 0;
  std::uint64_t bytes = 0;
};

class Catalogue {
 public:
  Catalogue(FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  // Calls `visit` for each durable entry and drops what is after `durable`; without a position (the manifest was
  // lost) takes all that reads well. Damage is reported and skipped. Call once, before Append.
  Result<CatalogueDamage> Load(const CataloguePosition* durable, const std::function<Status(Bytes)>& visit);

  // Writes entries without syncing. On a full disk they wait in memory (bounded: the log, which is written first, is
  // full too) and go to a new segment later. After any other error nothing more is written and Sync fails.
  Status Append(std::span<const std::string> entries);

  // Makes durable what was appended. kUnavailable while the disk is full.
  Result<CataloguePosition> Sync();

  [[nodiscard]] std::uint64_t bytes() const;

 private:
  Status LoadSegment(std::uint64_t number, std::uint64_t bytes, bool resume, const std::function<Status(Bytes)>& visit,
                     CatalogueDamage& damage);
  Status WriteWaiting();
  Status NextSegment();
  Status WriteRecord(std::span<const std::string> entries);
  Status DiskFull();

  FileSystem& files_;
  const std::string folder_;
  mutable std::mutex mutex_;
  std::unique_ptr<SegmentWriter> writer_;  // null before the first entry and after a full disk
  SegmentHeader next_{1, 0};               // the segment to create when there is no writer
  std::vector<std::string> waiting_;       // entries not yet written
  std::uint64_t closed_bytes_ = 0;         // of earlier segments
  bool failed_ = false;
};

}  // namespace wiregauge::store
