#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "remote_write/store/embedded_store.h"
#include "remote_write/store/merge.h"
#include "remote_write/store/wal_batch.h"

namespace wiregauge::store {
namespace {

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

Status EmbeddedStore::Recover(const std::function<Status(Bytes)>& on_catalogue) {
  for (const std::string& folder : {options_.path, wal_folder_, catalogue_folder_, parts_folder_, quarantine_folder_}) {
    if (auto done = files_.MakeFolder(folder); !done) return done;
  }
  if (auto done = files_.SyncFolder(options_.path); !done) return done;
  auto lock = files_.Lock(options_.path + "/LOCK");
  if (!lock) return lock.error();
  lock_ = std::move(*lock);
  const auto quarantined = files_.List(quarantine_folder_);
  if (!quarantined) return quarantined.error();
  quarantined_ = quarantined->size();

  const std::lock_guard work(work_mutex_);
  const auto rebuilt = LoadManifest();
  if (!rebuilt) return rebuilt.error();
  largest_series_ = static_cast<SeriesId>(manifest_.largest_series);
  if (auto done = OpenParts(*rebuilt); !done) return done;
  if (auto done = RemoveLeftovers(*rebuilt); !done) return done;
  if (auto done = LoadCatalogue(*rebuilt, on_catalogue); !done) return done;
  if (auto done = ReplayLog(on_catalogue); !done) return done;
  head_since_ms_ = environment_.now_ms();
  return WriteManifest(manifest_);
}

void EmbeddedStore::ReportDamage(const std::string& what, std::uint64_t ranges) {
  damaged_ranges_ += ranges;
  log::Error("store", "Damaged data was left out", {{"what", what}, {"ranges", ranges}});
}

// True when the manifest was lost though there are files: then what is there is taken as it is, which can only bring
// back samples, never lose or change any.
Result<bool> EmbeddedStore::LoadManifest() {
  const std::string path = options_.path + "/MANIFEST";
  const auto text = ReadWholeFile(files_, path, kManifestBytesMax);
  if (text) {
    auto parsed = ParseManifest(*text);
    if (parsed) {
      manifest_ = std::move(*parsed);
      return false;
    }
    if (parsed.error().code != Code::kCorrupt) return parsed.error();
    ReportDamage(parsed.error().message, 1);
    if (auto done = files_.Rename(path, QuarantinePath("MANIFEST")); !done) return done.error();
    ++quarantined_;
  } else if (text.error().code != Code::kNotFound) {
    return text.error();
  }
  bool any = false;
  for (const std::string& folder : {wal_folder_, catalogue_folder_, parts_folder_}) {
    const auto names = files_.List(folder);
    if (!names) return names.error();
    any = any || !names->empty();
  }
  if (any && !text) ReportDamage("manifest: missing", 1);
  if (any) {
    const auto segments = ListSegments(files_, wal_folder_, LogKind::kWal);
    if (segments && !segments->empty()) manifest_.first_segment = segments->front();
  }
  // Before any other file: from now on a missing manifest means that it was lost.
  if (!any && !text) {
    if (auto done = WriteManifest(manifest_); !done) return done.error();
  }
  return any;
}

Status EmbeddedStore::OpenParts(bool rebuilt) {
  std::vector<PartFacts> wanted = std::move(manifest_.parts);
  manifest_.parts.clear();
  if (rebuilt) {
    const auto names = files_.List(parts_folder_);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      PartFacts facts;
      const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), facts.number);
      if (failed == std::errc{} && name == PartName(facts.number)) wanted.push_back(facts);
    }
  }
  std::vector<std::shared_ptr<Part>> parts;
  for (const PartFacts& facts : wanted) {
    manifest_.next_part = std::max(manifest_.next_part, facts.number + 1);
    auto part = Part::Open(files_, parts_folder_, facts.number);
    const bool same =
        part && (rebuilt || ((*part)->facts().bytes == facts.bytes && (*part)->facts().samples == facts.samples));
    if (same) {
      manifest_.parts.push_back((*part)->facts());
      parts.push_back(std::move(*part));
      continue;
    }
    if (!part && part.error().code != Code::kCorrupt && part.error().code != Code::kNotFound) return part.error();
    ReportDamage(part ? "part " + PartName(facts.number) + " is not the one in the manifest" : part.error().message, 1);
    const std::string name = PartName(facts.number);
    if (files_.Rename(parts_folder_ + "/" + name, QuarantinePath(name))) ++quarantined_;  // else it is not there
  }
  SetView(std::make_shared<Head>(), nullptr, std::move(parts));
  return {};
}

// Files that a crash left before anything named them. Their samples are in the log or in the parts they came from.
Status EmbeddedStore::RemoveLeftovers(bool rebuilt) {
  const auto names = files_.List(parts_folder_);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const auto named = [&](const PartFacts& facts) { return PartName(facts.number) == name; };
    const bool live = std::any_of(manifest_.parts.begin(), manifest_.parts.end(), named);
    if (live || (rebuilt && !EndsWith(name, ".tmp"))) continue;
    if (auto done = files_.Remove(parts_folder_ + "/" + name); !done) return done;
  }
  return {};
}

Status EmbeddedStore::LoadCatalogue(bool rebuilt, const std::function<Status(Bytes)>& on_catalogue) {
  const CataloguePosition durable{manifest_.catalogue_segment, manifest_.catalogue_offset};
  const auto damage = catalogue_.Load(rebuilt ? nullptr : &durable, on_catalogue);
  if (!damage) return damage.error();
  if (damage->ranges > 0) {
    ReportDamage(fmt::format("catalogue: {} bytes do not read", damage->bytes), damage->ranges);
  }
  return {};
}

Status EmbeddedStore::ReplayLog(const std::function<Status(Bytes)>& on_catalogue) {
  auto numbers = ListSegments(files_, wal_folder_, LogKind::kWal);
  if (!numbers) return numbers.error();
  std::uint64_t expected = manifest_.first_segment;
  SegmentHeader following{expected, 0};
  const bool fresh = numbers->empty() && manifest_.first_segment == 1 && manifest_.parts.empty();
  for (std::size_t i = 0; i < numbers->size(); ++i) {
    const std::uint64_t number = (*numbers)[i];
    if (number < manifest_.first_segment) {  // a crash came between naming the parts and removing the segment
      if (auto done = files_.Remove(wal_folder_ + "/" + SegmentName(LogKind::kWal, number)); !done) return done;
      continue;
    }
    if (number > expected) ReportDamage("write-ahead log: segments are missing", number - expected);
    Result<SegmentHeader> next = Error{Code::kNotFound, "the last segment"};
    if (i + 1 < numbers->size()) next = ReadSegmentHeader(files_, wal_folder_, LogKind::kWal, (*numbers)[i + 1]);
    SegmentPlace place{number, i + 1 == numbers->size(), next && next->number == number + 1 ? next->previous_bytes : 0};
    const auto end = ReplaySegment(place, on_catalogue);
    if (!end) return end.error();
    if (*end == 0) continue;  // a last segment that never got its header
    expected = number + 1;
    following = {expected, *end};
    wal_.AddSealed(number, *end);
    if (CurrentView()->head->bytes() > HeadBytesMax(*CurrentView()->head)) {
      if (auto done = FlushDuringReplay(number + 1); !done) return done;
    }
  }
  if (following.number == manifest_.first_segment && following.previous_bytes == 0 && !fresh && numbers->empty()) {
    ReportDamage("write-ahead log: the last segment is missing", 1);
  }
  if (replayed_records_ > 0) {
    log::Info("store", "Write-ahead log replayed",
              {{"records", replayed_records_.load()}, {"open_samples", CurrentView()->head->samples()}});
  }
  return wal_.Start(following, CurrentView()->head);
}

// Returns where the segment's good records end.
Result<std::uint64_t> EmbeddedStore::ReplaySegment(const SegmentPlace& place,
                                                   const std::function<Status(Bytes)>& on_catalogue) {
  const std::string name = SegmentName(LogKind::kWal, place.number);
  const std::string path = wal_folder_ + "/" + name;
  auto content = ReadWholeFile(files_, path, kSegmentBytesMax);
  if (!content) return content.error();
  // What a failed write left after the end was never acknowledged.
  if (place.bytes > 0 && content->size() > place.bytes) content->resize(place.bytes);
  const auto visit = [&](Bytes payload) { return ReplayRecord(payload, on_catalogue); };
  auto scan = ScanSegment(AsBytes(*content), LogKind::kWal, place.number, visit);
  if (!scan) return scan.error();
  std::uint64_t damaged = scan->damaged_ranges;
  const bool unborn = place.last && !scan->header_ok && scan->records == 0;
  if (!scan->header_ok && !unborn) ++damaged;
  if (!place.last && (scan->torn_bytes > 0 || scan->end < place.bytes)) ++damaged;
  if (damaged > 0) {
    damaged_segments_[place.number] = QuarantinePath(name);
    ReportDamage("write-ahead log: " + path, damaged);
  }
  if (!place.last) return std::max<std::uint64_t>(content->size(), 1);
  if (scan->torn_bytes > 0) {
    torn_bytes_ += scan->torn_bytes;
    log::Warn("store", "Cut an unfinished write off the log's end", {{"path", path}, {"bytes", scan->torn_bytes}});
  }
  if (unborn) {
    if (auto done = files_.Remove(path); !done) return done.error();
    return std::uint64_t{0};
  }
  auto writer = SegmentWriter::Resume(files_, wal_folder_, LogKind::kWal, place.number, scan->end);
  if (!writer) return writer.error();
  if (auto done = (*writer)->Close(); !done) return done.error();
  return scan->end;
}

// A record holds the batches of one group of writers.
Status EmbeddedStore::ReplayRecord(Bytes payload, const std::function<Status(Bytes)>& on_catalogue) {
  BatchView batch;
  ByteReader in(payload);
  const auto bad = [](const SeriesSample& each) { return each.series == 0 || each.series > kSeriesIdMax; };
  while (in.remaining() > 0) {
    if (!DecodeBatch(in, batch) || std::any_of(batch.samples.begin(), batch.samples.end(), bad)) {
      ReportDamage("write-ahead log: a record with a good checksum does not decode", 1);
      return {};
    }
    if (auto done = ReplayBatch(batch, on_catalogue); !done) return done;
  }
  ++replayed_records_;
  return {};
}

Status EmbeddedStore::ReplayBatch(const BatchView& batch, const std::function<Status(Bytes)>& on_catalogue) {
  std::vector<std::string> entries;
  for (const Bytes entry : batch.catalogue) {
    if (auto done = on_catalogue(entry); !done) return done;
    entries.emplace_back(AsText(entry));
  }
  if (!entries.empty()) {
    if (auto done = catalogue_.Append(entries); !done) return done;
  }
  CurrentView()->head->Insert(batch.samples);
  for (const SeriesSample& each : batch.samples) largest_series_ = std::max(largest_series_.load(), each.series);
  return {};
}

// A log longer than memory should hold goes to parts on the way.
Status EmbeddedStore::FlushDuringReplay(std::uint64_t first_segment) {
  const auto view = CurrentView();
  SetView(std::make_shared<Head>(), view->head, view->parts);
  flushed_until_segment_ = first_segment;
  return FinishFlush();
}

}  // namespace wiregauge::store
