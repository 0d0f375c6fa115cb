#include "remote_write/store/embedded_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "remote_write/store/conflict.h"
#include "remote_write/store/merge.h"
#include "remote_write/store/wal_batch.h"

namespace wiregauge::store {
namespace {

// The end of year 9999: what RFC 3339 can say, and far enough from the ends of int64 that differences never overflow.
constexpr std::int64_t kTimestampMax = 253402300799999;

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(const Options& options,
                                           const std::function<Status(Bytes entry)>& on_catalogue) {
  auto opened = EmbeddedStore::Open(options, DefaultEnvironment(), on_catalogue);
  if (!opened) return opened.error();
  return std::unique_ptr<Store>(std::move(*opened));
}

Environment DefaultEnvironment() {
  Environment environment;
  environment.files = &PosixFiles();
  environment.now_ms = UnixMilliseconds;
  return environment;
}

EmbeddedStore::EmbeddedStore(const Options& options, Environment environment)
    : options_(options),
      environment_(std::move(environment)),
      files_(*environment_.files),
      wal_folder_(options.path + "/wal"),
      catalogue_folder_(options.path + "/catalogue"),
      parts_folder_(options.path + "/parts"),
      quarantine_folder_(options.path + "/quarantine"),
      catalogue_(files_, catalogue_folder_),
      wal_(files_, wal_folder_, options.durability, catalogue_),
      cache_(environment_.page_cache_bytes) {}

Result<std::unique_ptr<EmbeddedStore>> EmbeddedStore::Open(const Options& options, Environment environment,
                                                           const std::function<Status(Bytes)>& on_catalogue) {
  std::unique_ptr<EmbeddedStore> store(new EmbeddedStore(options, std::move(environment)));
  if (auto done = store->Recover(on_catalogue); !done) {
    store->stopping_ = true;
    return done.error().Within("store " + options.path);
  }
  if (store->environment_.background) {
    EmbeddedStore* self = store.get();
    store->threads_.emplace_back([self](const std::stop_token& stop) { self->MaintenanceLoop(stop); });
    if (options.durability == Durability::kInterval) {
      store->threads_.emplace_back([self](const std::stop_token& stop) { self->SyncLoop(stop); });
    }
  }
  return store;
}

EmbeddedStore::~EmbeddedStore() {
  const bool recovered = !stopping_.exchange(true);
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
  if (!recovered) return;
  if (auto done = Flush(); !done) {
    log::Warn("store", "Stopping without a flush; the log is replayed at the next start",
              {{"error", done.error().message}});
  }
  wal_.Close();
}

std::shared_ptr<const EmbeddedStore::View> EmbeddedStore::CurrentView() const {
  const std::lock_guard lock(view_mutex_);
  return view_;
}

Status EmbeddedStore::CheckWritable() const {
  if (auto reason = wal_.broken_reason(); !reason.empty()) return Error{Code::kUnavailable, std::move(reason)};
  const auto free = files_.FreeBytes(options_.path);
  if (free && *free < options_.min_free_bytes) {
    return Error{Code::kUnavailable, fmt::format("the store is read-only: {} bytes free at {}, min {}", *free,
                                                 options_.path, options_.min_free_bytes)};
  }
  const auto view = CurrentView();
  if (view->head->bytes() > environment_.head_overrun * HeadBytesMax(*view->head)) {
    return Error{Code::kUnavailable,
                 fmt::format("store: {} bytes wait in memory to be written to parts, max {}", view->head->bytes(),
                             environment_.head_overrun * HeadBytesMax(*view->head))};
  }
  return {};
}

Status EmbeddedStore::CheckBatch(const Batch& batch) {
  SeriesId largest = 0;
  for (const SeriesSample& each : batch.samples) {
    largest = std::max(largest, each.series);
    if (each.series == 0 || each.series > kSeriesIdMax) {
      return Error{Code::kInvalidArgument,
                   fmt::format("store: series id {}, 1 to {} allowed", each.series, kSeriesIdMax)};
    }
    if (each.sample.timestamp_ms > kTimestampMax || each.sample.timestamp_ms < -kTimestampMax) {
      return Error{Code::kInvalidArgument, fmt::format("store: timestamp {} ms of series {}, max {} either way",
                                                       each.sample.timestamp_ms, each.series, kTimestampMax)};
    }
  }
  for (const std::string& entry : batch.catalogue) {
    if (entry.size() > kRecordCatalogueBytesMax) {
      return Error{Code::kInvalidArgument,
                   fmt::format("store: catalogue entry of {} bytes, max {}", entry.size(), kRecordCatalogueBytesMax)};
    }
  }
  SeriesId known = largest_series_.load(std::memory_order_relaxed);
  while (largest > known && !largest_series_.compare_exchange_weak(known, largest)) {
  }
  return {};
}

Status EmbeddedStore::Append(const Batch& batch) {
  if (stopping_) return Error{Code::kUnavailable, "store: closing"};
  if (auto ok = CheckBatch(batch); !ok) return ok;
  if (auto ok = CheckWritable(); !ok) return ok;
  std::span<const std::string> entries = batch.catalogue;
  std::span<const SeriesSample> samples = batch.samples;
  while (!entries.empty() || !samples.empty()) {  // once, but for very large batches
    std::size_t count = 0;
    std::size_t bytes = 0;
    while (count < entries.size() && (count == 0 || bytes + entries[count].size() <= kRecordCatalogueBytesMax)) {
      bytes += entries[count++].size();
    }
    const bool all_entries = count == entries.size();
    const auto part = samples.first(all_entries ? std::min(samples.size(), kRecordSamplesMax) : 0);
    if (auto done = AppendRecord(entries.first(count), part); !done) return done;
    entries = entries.subspan(count);
    samples = samples.subspan(part.size());
  }
  return {};
}

Status EmbeddedStore::AppendRecord(std::span<const std::string> entries, std::span<const SeriesSample> samples) {
  thread_local std::string record;  // its capacity is worth keeping: one allocation of 40 KiB a request less
  EncodeBatch(entries, samples, record);
  auto head = wal_.Commit(AsBytes(record), entries);
  if (!head) return head.error();
  (*head)->Insert(samples);
  const bool full = (*head)->bytes() > HeadBytesMax(**head);
  (*head)->Leave();
  if (full) {
    const std::lock_guard lock(wake_mutex_);
    woken_ = true;
    wake_.notify_one();
  }
  return {};
}

std::uint64_t EmbeddedStore::HeadBytesMax(const Head& head) const {
  return std::max(environment_.head_bytes_min, environment_.head_bytes_per_series * head.series());
}

Status EmbeddedStore::Read(SeriesId series, std::int64_t first_ms, std::int64_t last_ms,
                           std::vector<Sample>& out) const {
  const auto view = CurrentView();
  std::vector<Sample> found;
  Status result;
  for (const auto& part : view->parts) {
    if (!part->Overlaps(first_ms, last_ms) || !part->Contains(series)) continue;
    if (auto done = ReadPart(*part, series, first_ms, last_ms, found); !done) result = done;
  }
  if (view->flushing != nullptr) view->flushing->Collect(series, first_ms, last_ms, found);
  view->head->Collect(series, first_ms, last_ms, found);
  SortAndResolve(found);
  out.insert(out.end(), found.begin(), found.end());
  return result;
}

Status EmbeddedStore::ReadPart(const Part& part, SeriesId series, std::int64_t first_ms, std::int64_t last_ms,
                               std::vector<Sample>& out) const {
  const auto pages = part.pages();
  const auto before = [](const PageEntry& page, SeriesId wanted) { return page.last_series < wanted; };
  auto entry = std::lower_bound(pages.begin(), pages.end(), series, before);
  Status result;
  std::vector<Sample> decoded;
  for (; entry != pages.end() && entry->first_series <= series; ++entry) {
    if (entry->first_ms > last_ms || entry->last_ms < first_ms) continue;
    const auto index = static_cast<std::size_t>(entry - pages.begin());
    auto page = cache_.Get({part.facts().number, index});
    if (page == nullptr) {
      auto read = part.ReadPage(index);
      if (!read) {
        damaged_pages_.fetch_add(1, std::memory_order_relaxed);
        result = read.error();
        continue;
      }
      page = std::move(*read);
      cache_.Put({part.facts().number, index}, page);
    }
    for (const Block& block : page->BlocksOf(series)) {
      if (block.first_ms > last_ms || block.last_ms < first_ms) continue;
      decoded.clear();
      if (!DecodeBlock(block, decoded)) {
        damaged_pages_.fetch_add(1, std::memory_order_relaxed);
        result = Error{Code::kCorrupt,
                       fmt::format("part {}: a block of series {} does not decode", part.facts().number, series)};
      }
      for (const Sample& sample : decoded) {
        if (sample.timestamp_ms >= first_ms && sample.timestamp_ms <= last_ms) out.push_back(sample);
      }
    }
  }
  return result;
}

std::vector<SeriesId> EmbeddedStore::SeriesInRange(std::span<const SeriesId> series, std::int64_t first_ms,
                                                   std::int64_t last_ms) const {
  const auto view = CurrentView();
  std::vector<const Part*> parts;
  for (const auto& part : view->parts) {
    if (part->Overlaps(first_ms, last_ms)) parts.push_back(part.get());
  }
  std::vector<SeriesId> found;
  for (const SeriesId id : series) {
    const auto in_part = [id](const Part* part) { return part->Contains(id); };
    if (view->head->MayHave(id, first_ms, last_ms) ||
        (view->flushing != nullptr && view->flushing->MayHave(id, first_ms, last_ms)) ||
        std::any_of(parts.begin(), parts.end(), in_part)) {
      found.push_back(id);
    }
  }
  return found;
}

Stats EmbeddedStore::GetStats() const {
  const auto view = CurrentView();
  Stats stats;
  stats.wal_bytes = wal_.bytes();
  stats.wal_syncs_total = wal_.syncs();
  stats.wal_replayed_records = replayed_records_;
  for (const auto& part : view->parts) stats.chunk_bytes += part->facts().bytes;
  stats.catalogue_bytes = catalogue_.bytes();
  stats.conflicting_samples_total = conflicts_;
  for (const Head* head : {view->head.get(), view->flushing.get()}) {
    if (head == nullptr) continue;
    stats.open_samples += head->samples();
    stats.conflicting_samples_total += head->conflicts();
  }
  stats.quarantined_files = quarantined_;
  stats.damaged_ranges = damaged_ranges_;
  stats.damaged_pages_total = damaged_pages_;
  stats.torn_bytes = torn_bytes_;
  stats.parts = view->parts.size();
  stats.flushes_total = flushes_;
  stats.merges_total = merges_;
  stats.active_series = std::max(view->head->series(), view->flushing != nullptr ? view->flushing->series() : 0);
  stats.largest_series = largest_series_;
  if (auto ok = CheckWritable(); !ok) {
    stats.read_only = true;
    stats.read_only_reason = ok.error().message;
  }
  return stats;
}

}  // namespace wiregauge::store
