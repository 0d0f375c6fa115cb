#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/log.h"
#include "remote_write/store/conflict.h"
#include "remote_write/store/embedded_store.h"
#include "remote_write/store/merge.h"
#include "remote_write/store/part_writer.h"

namespace wiregauge::store {
namespace {

// How often the maintenance thread looks for merges, age and retention without being woken.
constexpr std::chrono::seconds kRound{1};
// What `interval` durability may lose at a power loss.
constexpr std::chrono::milliseconds kSyncInterval{100};
// A partition takes no more ordinary writes this long after its end.
constexpr std::int64_t kClosedAfterMs = 3LL * 3600 * 1000;
// Parts that one pass over a head writes at once: bounds open files and buffers (2 MiB each) when old data comes in.
constexpr std::int64_t kPartitionsAtOnce = 16;
constexpr std::int64_t kNoPartition = std::numeric_limits<std::int64_t>::max();

// Sorted samples of one series, cut by partition.
template <typename Visit>
Status ForEachPartition(std::span<const Sample> samples, const Visit& visit) {
  while (!samples.empty()) {
    const std::int64_t partition = PartitionOf(samples[0].timestamp_ms);
    std::size_t count = samples.size();
    if (PartitionOf(samples.back().timestamp_ms) != partition) {
      const auto inside = [&](const Sample& sample) { return PartitionOf(sample.timestamp_ms) == partition; };
      count = static_cast<std::size_t>(std::find_if_not(samples.begin(), samples.end(), inside) - samples.begin());
    }
    if (auto done = visit(partition, samples.first(count)); !done) return done;
    samples = samples.subspan(count);
  }
  return {};
}

}  // namespace

void EmbeddedStore::MaintenanceLoop(const std::stop_token& stop) {
  std::string last_error;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(wake_mutex_);
      wake_.wait_for(lock, stop, kRound, [this] { return woken_; });
      woken_ = false;
    }
    if (stop.stop_requested()) return;
    const Status done = Maintain();
    const std::string error = done ? "" : done.error().message;
    if (!error.empty() && error != last_error) log::Error("store", "Maintenance failed", {{"error", error}});
    last_error = error;
  }
}

void EmbeddedStore::SyncLoop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any timer;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    timer.wait_for(lock, stop, kSyncInterval, [] { return false; });
    wal_.SyncWritten();
  }
}

Status EmbeddedStore::Maintain() {
  const std::lock_guard lock(work_mutex_);
  if (FlushDue()) {
    if (auto done = FlushHead(); !done) return done;
  }
  if (auto done = DropExpired(); !done) return done;
  for (bool more = true; more && !stopping_ && !FlushDue();) {
    auto merged = MergeOnce();
    if (!merged) return merged.error().code == Code::kCanceled ? Status{} : Status{merged.error()};
    more = *merged;
  }
  return {};
}

bool EmbeddedStore::FlushDue() const {
  const auto view = CurrentView();
  if (view->flushing != nullptr) return true;  // an earlier flush failed
  if (view->head->bytes() > HeadBytesMax(*view->head)) return true;
  if (wal_.bytes() > head_since_wal_bytes_ + environment_.head_wal_bytes_max) return true;
  return !wal_.untouched() && environment_.now_ms() - head_since_ms_ >= environment_.head_age_ms;
}

Status EmbeddedStore::Flush() {
  const std::lock_guard lock(work_mutex_);
  return FlushHead();
}

Status EmbeddedStore::FlushHead() {
  auto view = CurrentView();
  if (view->flushing != nullptr) {
    if (auto done = FinishFlush(); !done) return done;
    view = CurrentView();
  }
  if (wal_.untouched() && view->head->samples() == 0 && wal_.only_segment()) return {};
  const auto next = std::make_shared<Head>();
  SetView(next, view->head, view->parts);  // before the log gives it samples
  auto first = wal_.Rotate(next);
  if (!first) {
    SetView(view->head, nullptr, view->parts);
    return first.error().Within("flush");
  }
  head_since_ms_ = environment_.now_ms();
  head_since_wal_bytes_ = wal_.bytes();
  flushed_until_segment_ = *first;
  view->head->WaitForWriters();
  return FinishFlush();
}

// Writes view_->flushing to parts, names them and lets go of the log they cover. May be called again after an error.
Status EmbeddedStore::FinishFlush() {
  const auto view = CurrentView();
  std::vector<std::shared_ptr<Part>> written;
  if (auto done = WriteParts(*view->flushing, written); !done) {
    for (const auto& part : written) part->RemoveWhenUnused();
    return done.error().Within("flush");
  }
  const auto catalogue = catalogue_.Sync();
  if (!catalogue && catalogue.error().code != Code::kUnavailable) wal_.Break(catalogue.error().message);
  Manifest next = manifest_;
  next.first_segment = flushed_until_segment_;
  if (catalogue) {
    next.catalogue_segment = catalogue->segment;
    next.catalogue_offset = catalogue->offset;
  }
  next.largest_series = largest_series_;
  for (const auto& part : written) next.parts.push_back(part->facts());
  if (auto done = catalogue ? WriteManifest(next) : Status{catalogue.error()}; !done) {
    if (wal_.broken_reason().empty()) {
      for (const auto& part : written) part->RemoveWhenUnused();
    }
    return done.error().Within("flush");
  }
  auto parts = view->parts;
  parts.insert(parts.end(), written.begin(), written.end());
  conflicts_ += view->flushing->conflicts();
  SetView(view->head, nullptr, std::move(parts));
  wal_.RemoveBefore(flushed_until_segment_, damaged_segments_);
  quarantined_ += damaged_segments_.size();
  damaged_segments_.clear();
  ++flushes_;
  return {};
}

Status EmbeddedStore::WriteParts(const Head& head, std::vector<std::shared_ptr<Part>>& written) {
  if (head.samples() == 0) return {};
  std::int64_t first = PartitionOf(head.first_ms());
  while (first != kNoPartition) {
    auto next = WritePartsBetween(head, first, written);
    if (!next) return next.error();
    first = *next;
  }
  return {};
}

// Writes the partitions from `first_partition` on, kPartitionsAtOnce of them; returns the first one after those, or
// kNoPartition.
Result<std::int64_t> EmbeddedStore::WritePartsBetween(const Head& head, std::int64_t first_partition,
                                                      std::vector<std::shared_ptr<Part>>& written) {
  std::map<std::int64_t, std::unique_ptr<PartWriter>> writers;
  std::int64_t after = kNoPartition;
  std::uint64_t conflicts = 0;
  const auto add = [&](SeriesId series, std::int64_t partition, std::span<const Sample> samples) -> Status {
    if (partition >= first_partition + kPartitionsAtOnce) after = std::min(after, partition);
    if (partition < first_partition || partition >= first_partition + kPartitionsAtOnce) return {};
    auto& writer = writers[partition];
    if (writer == nullptr) {
      auto created = PartWriter::Create(files_, parts_folder_, manifest_.next_part++, partition, 0);
      if (!created) return created.error();
      writer = std::move(*created);
    }
    return writer->AddSamples(series, samples);
  };
  const auto visit = [&](SeriesId series, std::vector<Sample>& samples) -> Status {
    conflicts += SortAndResolve(samples);
    return ForEachPartition(
        std::span<const Sample>(samples),
        [&](std::int64_t partition, std::span<const Sample> some) { return add(series, partition, some); });
  };
  if (auto done = head.ForEachSeries(visit); !done) return done.error();
  for (auto& [partition, writer] : writers) {
    if (auto done = writer->Finish(); !done) return done.error();
    auto part = Part::Open(files_, parts_folder_, writer->facts().number);
    if (!part) return part.error();
    written.push_back(std::move(*part));
  }
  if (after == kNoPartition) conflicts_ += conflicts;  // each pass saw them all; count once
  return after;
}

Result<bool> EmbeddedStore::MergeOnce() {
  const auto view = CurrentView();
  const auto inputs = PickMerge(view->parts, environment_.now_ms() - kClosedAfterMs);
  if (inputs.empty()) return false;
  std::uint64_t bytes = 0;
  std::uint32_t level = 0;
  for (const auto& part : inputs) {
    bytes += part->facts().bytes;
    level = std::max(level, part->facts().level);
  }
  const auto free = files_.FreeBytes(options_.path);
  if (free && *free < options_.min_free_bytes + bytes) return false;  // until space returns
  auto writer =
      PartWriter::Create(files_, parts_folder_, manifest_.next_part++, inputs[0]->facts().partition, level + 1);
  if (!writer) return writer.error().Within("merge");
  auto report = MergeParts(inputs, **writer, stopping_);
  if (!report) return report.error().Within("merge");
  if (auto done = (*writer)->Finish(); !done) return done.error().Within("merge");
  auto output = Part::Open(files_, parts_folder_, (*writer)->facts().number);
  if (!output) return output.error().Within("merge");
  if (auto done = CommitMerge(inputs, *output, report->damaged_parts); !done) return done.error().Within("merge");
  conflicts_ += report->conflicts;
  damaged_pages_ += report->damaged_pages;
  ++merges_;
  return true;
}

Status EmbeddedStore::CommitMerge(const std::vector<std::shared_ptr<Part>>& inputs, std::shared_ptr<Part> output,
                                  const std::vector<std::uint64_t>& damaged) {
  const auto view = CurrentView();
  std::vector<std::shared_ptr<Part>> parts;
  for (const auto& part : view->parts) {
    if (std::find(inputs.begin(), inputs.end(), part) == inputs.end()) parts.push_back(part);
  }
  if (output->facts().samples > 0) {  // else every page was damaged
    parts.push_back(output);
  } else {
    output->RemoveWhenUnused();
  }
  Manifest next = manifest_;
  next.parts.clear();
  for (const auto& part : parts) next.parts.push_back(part->facts());
  if (auto done = WriteManifest(next); !done) {
    if (wal_.broken_reason().empty()) output->RemoveWhenUnused();
    return done;
  }
  SetView(view->head, view->flushing, std::move(parts));
  for (const auto& part : inputs) {
    if (std::find(damaged.begin(), damaged.end(), part->facts().number) == damaged.end()) {
      part->RemoveWhenUnused();
    } else {
      part->QuarantineWhenUnused(QuarantinePath(PartName(part->facts().number)));
      ++quarantined_;
    }
  }
  return {};
}

// The clock alone never expires anything: after a jump forward, data newer than what was last written still counts as
// new, so a wrong clock costs nothing until samples with wrong timestamps have come.
Status EmbeddedStore::DropExpired() {
  const auto view = CurrentView();
  std::int64_t newest_ms = view->head->last_ms();
  for (const auto& part : view->parts) newest_ms = std::max(newest_ms, part->facts().last_ms);
  if (view->flushing != nullptr) newest_ms = std::max(newest_ms, view->flushing->last_ms());
  if (view->parts.empty()) return {};
  const std::int64_t oldest_ms = OldestAccepted(std::min(environment_.now_ms(), newest_ms + kPartitionMs));
  std::vector<std::shared_ptr<Part>> parts;
  std::vector<std::shared_ptr<Part>> expired;
  Manifest next = manifest_;
  next.parts.clear();
  for (const auto& part : view->parts) {
    const bool over = (part->facts().partition + 1) * kPartitionMs <= oldest_ms;
    (over ? expired : parts).push_back(part);
    if (!over) next.parts.push_back(part->facts());
  }
  if (expired.empty()) return {};
  if (auto done = WriteManifest(next); !done) return done.error().Within("retention");
  SetView(view->head, view->flushing, std::move(parts));
  for (const auto& part : expired) part->RemoveWhenUnused();
  return {};
}

// After a failed rename or folder sync nobody knows which manifest a restart will see, so nothing may be removed any
// more: the store becomes read-only.
Status EmbeddedStore::WriteManifest(const Manifest& next) {
  const std::string path = options_.path + "/MANIFEST";
  const std::string text = RenderManifest(next);
  if (auto done = PrepareFile(files_, path, AsBytes(text)); !done) return done;
  if (auto done = ReplaceFile(files_, options_.path, path); !done) {
    wal_.Break(done.error().message);
    return done;
  }
  manifest_ = next;
  return {};
}

void EmbeddedStore::SetView(std::shared_ptr<Head> head, std::shared_ptr<Head> flushing,
                            std::vector<std::shared_ptr<Part>> parts) {
  auto view = std::make_shared<View>(View{std::move(head), std::move(flushing), std::move(parts)});
  std::shared_ptr<const View> old = std::move(view);
  {
    const std::lock_guard lock(view_mutex_);
    std::swap(view_, old);
  }
}  // `old`, and with it perhaps a head of hundreds of megabytes, goes without the lock

// A path that is free: a number is added to names that are taken.
std::string EmbeddedStore::QuarantinePath(const std::string& name) {
  const auto taken = files_.List(quarantine_folder_);
  std::string free = name;
  for (unsigned i = 1; taken && std::find(taken->begin(), taken->end(), free) != taken->end(); ++i) {
    free = fmt::format("{}.{}", name, i);
  }
  return quarantine_folder_ + "/" + free;
}

}  // namespace wiregauge::store
