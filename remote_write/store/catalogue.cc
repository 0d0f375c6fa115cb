#include "remote_write/store/catalogue.h"

#include <algorithm>

#include "base/log.h"
#include "remote_write/store/wal_batch.h"

namespace wiregauge::store {

Result<CatalogueDamage> Catalogue::Load(const CataloguePosition* durable, const std::function<Status(Bytes)>& visit) {
  auto numbers = ListSegments(files_, folder_, LogKind::kCatalogue);
  if (!numbers) return numbers.error();
  CatalogueDamage damage;
  const std::uint64_t last = durable != nullptr ? durable->segment : numbers->empty() ? 0 : numbers->back();
  std::uint64_t expected = 1;
  for (const std::uint64_t number : *numbers) {
    if (number > last) {  // the log still has what is in there
      if (auto done = files_.Remove(folder_ + "/" + SegmentName(LogKind::kCatalogue, number)); !done) {
        return done.error();
      }
      continue;
    }
    damage.ranges += number - expected;  // missing files
    expected = number + 1;
    const std::uint64_t bytes = durable != nullptr && number == last ? durable->offset : 0;
    if (auto done = LoadSegment(number, bytes, number == last, visit, damage); !done) return done.error();
  }
  damage.ranges += last + 1 - expected;
  if (next_.number <= last) next_ = {last + 1, 0};
  return damage;
}

// `bytes`: what must be there; 0 when that is not known.
Status Catalogue::LoadSegment(std::uint64_t number, std::uint64_t bytes, bool resume,
                              const std::function<Status(Bytes)>& visit, CatalogueDamage& damage) {
  const std::string path = folder_ + "/" + SegmentName(LogKind::kCatalogue, number);
  auto content = ReadWholeFile(files_, path, kSegmentBytesMax);
  if (!content) return content.error();
  const std::uint64_t there = content->size();
  if (bytes > 0 && there > bytes) content->resize(bytes);
  BatchView batch;
  const auto visit_record = [&](Bytes payload) -> Status {
    ByteReader in(payload);
    if (!DecodeBatch(in, batch)) {
      ++damage.ranges;
      damage.bytes += payload.size();
      return {};
    }
    for (const Bytes entry : batch.catalogue) {
      if (auto done = visit(entry); !done) return done;
    }
    return {};
  };
  auto scan = ScanSegment(AsBytes(*content), LogKind::kCatalogue, number, visit_record);
  if (!scan) return scan.error();
  const std::uint64_t missing = bytes > scan->end ? bytes - scan->end : 0;
  const std::uint64_t lost = scan->damaged_bytes + (bytes > 0 ? missing : scan->torn_bytes);
  damage.ranges += scan->damaged_ranges + (lost > scan->damaged_bytes ? 1 : 0) + (scan->header_ok ? 0 : 1);
  damage.bytes += lost;
  next_ = {number + 1, there};
  // Damage must stay visible at the next start, so nothing is cut off then: a new segment goes on.
  if (!resume || lost > 0 || !scan->header_ok) {
    closed_bytes_ += there;
    return {};
  }
  auto writer = SegmentWriter::Resume(files_, folder_, LogKind::kCatalogue, number, scan->end);
  if (!writer) return writer.error();
  writer_ = std::move(*writer);
  return {};
}

Status Catalogue::Append(std::span<const std::string> entries) {
  const std::lock_guard lock(mutex_);
  if (failed_) return Error{Code::kUnavailable, "catalogue: an earlier write failed"};
  waiting_.insert(waiting_.end(), entries.begin(), entries.end());
  Status done = WriteWaiting();
  if (!done && done.error().code == Code::kUnavailable) done = DiskFull();
  failed_ = !done.has_value();
  return done;
}

Status Catalogue::WriteWaiting() {
  if (waiting_.empty()) return {};
  if (writer_ == nullptr || writer_->offset() >= kSegmentBytesWanted) {
    if (auto done = NextSegment(); !done) return done;
  }
  std::span<const std::string> entries = waiting_;
  while (!entries.empty()) {
    std::size_t count = 0;
    std::size_t bytes = 0;
    while (count < entries.size() && (count == 0 || bytes + entries[count].size() <= kRecordCatalogueBytesMax)) {
      bytes += entries[count++].size();
    }
    if (auto done = WriteRecord(entries.first(count)); !done) return done;
    entries = entries.subspan(count);
  }
  waiting_.clear();
  return {};
}

Status Catalogue::NextSegment() {
  if (writer_ != nullptr) {
    if (auto done = writer_->Close(); !done) return Error{Code::kIo, done.error().message};
    next_ = {writer_->number() + 1, writer_->offset()};
    closed_bytes_ += writer_->offset();
    writer_.reset();
  }
  auto writer = SegmentWriter::Create(files_, folder_, LogKind::kCatalogue, next_, false);
  if (!writer) return writer.error();
  writer_ = std::move(*writer);
  return {};
}

// Ends the segment at its last whole record; records of the failed call that were whole repeat in the next segment.
Status Catalogue::DiskFull() {
  if (writer_ == nullptr) return {};
  if (auto done = writer_->Close(); !done) return Error{Code::kIo, done.error().message};
  next_ = {writer_->number() + 1, writer_->offset()};
  closed_bytes_ += writer_->offset();
  writer_.reset();
  return {};
}

Status Catalogue::WriteRecord(std::span<const std::string> entries) {
  std::string payload;
  std::string record;
  EncodeBatch(entries, {}, payload);
  AppendRecord(record, AsBytes(payload), writer_->number(), writer_->offset());
  return writer_->Write(AsBytes(record));
}

Result<CataloguePosition> Catalogue::Sync() {
  const std::lock_guard lock(mutex_);
  if (failed_) return Error{Code::kUnavailable, "catalogue: an earlier write failed"};
  if (auto done = WriteWaiting(); !done) {
    if (done.error().code != Code::kUnavailable || !DiskFull()) failed_ = true;
    return done.error();
  }
  if (writer_ == nullptr) return CataloguePosition{next_.number - 1, next_.previous_bytes};
  if (auto done = writer_->Sync(); !done) {
    failed_ = true;
    return done.error();
  }
  return CataloguePosition{writer_->number(), writer_->offset()};
}

std::uint64_t Catalogue::bytes() const {
  const std::lock_guard lock(mutex_);
  return closed_bytes_ + (writer_ != nullptr ? writer_->offset() : 0);
}

}  // namespace wiregauge::store
