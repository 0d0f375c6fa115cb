#include "remote_write/store/wal.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "remote_write/store/wal_batch.h"

namespace wiregauge::store {
namespace {

// A group is written once it has this much: bounds how long a writer waits for others. With one more batch, of at most
// 11 MiB (wal_batch.h), it stays a record.
constexpr std::size_t kGroupBytesWanted = 4UL << 20;
static_assert(kGroupBytesWanted + kRecordCatalogueBytesMax + 24 * kRecordSamplesMax <= kRecordBytesMax);

}  // namespace

void Wal::AddSealed(std::uint64_t number, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  sealed_[number] = bytes;
}

Status Wal::Start(SegmentHeader header, std::shared_ptr<Head> head) {
  next_ = header;
  head_ = std::move(head);
  return NextSegment();
}

Result<std::shared_ptr<Head>> Wal::Commit(Bytes record, std::span<const std::string> entries) {
  Request request{record, entries, nullptr, {}, false};
  std::unique_lock lock(mutex_);
  queue_.push_back(&request);
  while (!request.done) {
    if (leading_) {
      changed_.wait(lock);
    } else {
      LeadGroup(lock);
    }
  }
  if (!request.result) return request.result.error();
  return std::move(request.head);
}

void Wal::LeadGroup(std::unique_lock<std::mutex>& lock) {
  leading_ = true;
  const std::deque<Request*> group = TakeGroup();
  Status result;
  if (!broken_.empty()) {
    result = Error{Code::kUnavailable, broken_};
  } else {
    lock.unlock();
    result = WriteGroup(group);
    lock.lock();
  }
  for (Request* request : group) {
    request->result = result;
    if (result) {
      request->head = head_;
      head_->Enter();
    }
    request->done = true;
  }
  leading_ = false;
  changed_.notify_all();
}

std::deque<Wal::Request*> Wal::TakeGroup() {
  std::deque<Request*> group;
  for (std::size_t bytes = 0; !queue_.empty() && bytes < kGroupBytesWanted; queue_.pop_front()) {
    group.push_back(queue_.front());
    bytes += queue_.front()->record.size();
  }
  return group;
}

Status Wal::WriteGroup(const std::deque<Request*>& group) {
  if (writer_ == nullptr || writer_->offset() >= kSegmentBytesWanted) {
    if (auto done = NextSegment(); !done) return done;
  }
  // One record for all: after a power cut it is there or it is not, and is never mistaken for damage in between.
  Bytes payload = group.front()->record;
  if (group.size() > 1) {
    joined_.clear();
    for (const Request* request : group) joined_ += AsText(request->record);
    payload = AsBytes(joined_);
  }
  group_.clear();
  AppendRecord(group_, payload, writer_->number(), writer_->offset());
  untouched_ = false;
  if (auto done = writer_->Write(AsBytes(group_)); !done) return WriteFailed(done.error());
  writer_bytes_ = writer_->offset();
  if (durability_ == Durability::kAlways) {
    if (auto done = SyncSegment(); !done) return done;
  }
  for (const Request* request : group) {
    if (request->entries.empty()) continue;
    // The log has the entries, so this write stands; but no later one may come before them in the catalogue.
    if (auto done = catalogue_.Append(request->entries); !done) {
      static_cast<void>(BreakBecause(done.error()));
      break;
    }
  }
  return {};
}

Status Wal::SyncSegment() {
  syncs_.fetch_add(1, std::memory_order_relaxed);
  if (auto done = writer_->Sync(); !done) return BreakBecause(done.error());
  return {};
}

// Ends the current segment, if any, and begins the next.
Status Wal::NextSegment() {
  if (writer_ != nullptr) {
    if (auto done = writer_->Close(); !done) return BreakBecause(done.error());
    next_ = {writer_->number() + 1, writer_->offset()};
    {
      const std::lock_guard lock(mutex_);
      sealed_[writer_->number()] = writer_->offset();
    }
    writer_.reset();
  }
  auto writer = SegmentWriter::Create(files_, folder_, LogKind::kWal, next_, true);
  if (!writer) {
    if (writer.error().code != Code::kUnavailable) return BreakBecause(writer.error());
    return writer.error().Within("write-ahead log");
  }
  writer_ = std::move(*writer);
  writer_bytes_ = writer_->offset();
  return {};
}

// A full disk leaves a part of a record behind. If it can be cut off, the segment is whole and a later write may go on
// in a new one; if not, what the segment holds is in doubt.
Error Wal::WriteFailed(const Error& error) {
  if (error.code != Code::kUnavailable) return BreakBecause(error);
  if (auto cut = writer_->CutBack(); !cut) return BreakBecause(cut.error());
  if (auto closed = writer_->Close(); !closed) return BreakBecause(closed.error());
  next_ = {writer_->number() + 1, writer_->offset()};
  {
    const std::lock_guard lock(mutex_);
    sealed_[writer_->number()] = writer_->offset();
  }
  writer_.reset();
  writer_bytes_ = 0;
  return error.Within("write-ahead log");
}

Error Wal::BreakBecause(const Error& error) {
  Break(error.message);
  return {Code::kUnavailable, broken_reason()};
}

void Wal::Close() {
  if (writer_ == nullptr || !broken_reason().empty()) return;
  if (auto done = writer_->Close(); !done)
    log::Warn("store", "Closing the log failed", {{"error", done.error().message}});
  writer_.reset();
}

void Wal::Break(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (!broken_.empty()) return;
  broken_ = "the store is read-only until the next start: " + reason;
  log::Error("store", "Read-only until the next start", {{"reason", reason}});
}

Result<std::uint64_t> Wal::Rotate(std::shared_ptr<Head> next) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !leading_; });
  if (!broken_.empty()) return Error{Code::kUnavailable, broken_};
  leading_ = true;
  lock.unlock();
  const Status begun = NextSegment();
  lock.lock();
  leading_ = false;
  changed_.notify_all();
  if (!begun) return begun.error();
  head_ = std::move(next);
  untouched_ = true;
  return next_.number;
}

void Wal::SyncWritten() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !leading_; });
  if (!broken_.empty()) return;
  leading_ = true;
  lock.unlock();
  if (writer_ != nullptr && writer_->dirty()) static_cast<void>(SyncSegment().has_value());  // a failure breaks the log
  lock.lock();
  leading_ = false;
  changed_.notify_all();
}

void Wal::RemoveBefore(std::uint64_t first, const std::map<std::uint64_t, std::string>& quarantine) {
  std::vector<std::uint64_t> old;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = sealed_.begin(); it != sealed_.end() && it->first < first; it = sealed_.erase(it)) {
      old.push_back(it->first);
    }
  }
  for (const std::uint64_t number : old) {
    const std::string path = folder_ + "/" + SegmentName(LogKind::kWal, number);
    const auto kept = quarantine.find(number);
    const Status done = kept == quarantine.end() ? files_.Remove(path) : files_.Rename(path, kept->second);
    if (!done) log::Warn("store", "Old log segment stays", {{"error", done.error().message}});
  }
}

std::string Wal::broken_reason() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

std::uint64_t Wal::bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = writer_bytes_;
  for (const auto& [number, sealed] : sealed_) bytes += sealed;
  return bytes;
}

bool Wal::only_segment() const {
  const std::lock_guard lock(mutex_);
  return sealed_.empty();
}

}  // namespace wiregauge::store
