#include "remote_write/encode/catalogue.h"

#include <algorithm>

#include <fmt/format.h>

namespace wiregauge::encode {
namespace {

Error Corrupt(std::string message) { return {Code::kCorrupt, "catalogue entry: " + std::move(message)}; }

// Reads the records of one entry into the tables.
class EntryReader {
 public:
  EntryReader(Bytes records, Symbols& symbols, SeriesTable& series)
      : reader_(records), symbols_(symbols), series_(series) {}

  Status Run() {
    while (reader_.remaining() > 0) {
      const auto kind = reader_.Read<char>();
      Status applied = Record(kind);
      if (!applied) return applied;
    }
    return {};
  }

 private:
  Status Record(char kind) {
    switch (kind) {
      case 'N': return Name();
      case 'V': return Value();
      case 'H': return Shape();
      case 'S': return Series();
      default: return Corrupt(fmt::format("record kind {:#04x}, want N, V, H or S", static_cast<unsigned char>(kind)));
    }
  }

  Status Name() {
    const std::uint64_t id = reader_.Varint();
    const std::string_view text = AsText(reader_.Take(reader_.Varint()));
    if (!reader_.ok()) return Truncated();
    if (id < symbols_.name_count()) {
      return symbols_.Name(static_cast<NameId>(id)) == text ? Status() : Contradiction("name", id);
    }
    if (id != symbols_.name_count()) return Gap("name", id, symbols_.name_count());
    if (symbols_.FindName(text) != kNoName) return Contradiction("name", id);
    symbols_.AddName(text);
    return {};
  }

  Status Value() {
    const std::uint64_t name = reader_.Varint();
    const std::uint64_t id = reader_.Varint();
    const std::string_view text = AsText(reader_.Take(reader_.Varint()));
    if (!reader_.ok()) return Truncated();
    if (name >= symbols_.name_count()) return Gap("name of a value", name, symbols_.name_count());
    const auto name_id = static_cast<NameId>(name);
    const ValueId last = symbols_.ValuesOf(name_id).last_id();
    if (id >= 1 && id <= last) {
      const bool same = symbols_.ValuesOf(name_id).Text(static_cast<ValueId>(id)) == text;
      return same ? Status() : Contradiction("value", id);
    }
    if (id != last + 1ULL) return Gap("value", id, last + 1ULL);
    if (symbols_.FindValue(name_id, text) != 0) return Contradiction("value", id);
    symbols_.AddValue(name_id, text);
    return {};
  }

  Status Shape() {
    const std::uint64_t id = reader_.Varint();
    Status read = ReadIds(reader_.Varint());
    if (!read) return read;
    for (const std::uint32_t name : ids_) {
      if (name >= symbols_.name_count()) return Gap("name of a shape", name, symbols_.name_count());
    }
    if (id < series_.shape_count()) {
      return Equal(series_.Names(static_cast<ShapeId>(id))) ? Status() : Contradiction("shape", id);
    }
    if (id != series_.shape_count()) return Gap("shape", id, series_.shape_count());
    if (series_.FindShape(ids_) != series_.shape_count()) return Contradiction("shape", id);
    series_.AddShape(ids_);
    return {};
  }

  Status Series() {
    const std::uint64_t id = reader_.Varint();
    const std::uint64_t shape = reader_.Varint();
    if (!reader_.ok()) return Truncated();
    if (shape >= series_.shape_count()) return Gap("shape of a series", shape, series_.shape_count());
    const auto shape_id = static_cast<ShapeId>(shape);
    const auto names = series_.Names(shape_id);
    Status read = ReadIds(names.size());
    if (!read) return read;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const ValueId last = symbols_.ValuesOf(names[i]).last_id();
      if (ids_[i] < 1 || ids_[i] > last) return Gap("value of a series", ids_[i], last);
    }
    if (id >= 1 && id <= series_.size()) {
      const auto known = static_cast<store::SeriesId>(id);
      const bool same = series_.ShapeOf(known) == shape_id && Equal(series_.Values(known));
      return same ? Status() : Contradiction("series", id);
    }
    if (id != series_.size() + 1ULL) return Gap("series", id, series_.size() + 1ULL);
    if (series_.Find(shape_id, ids_) != 0) return Contradiction("series", id);
    series_.Add(shape_id, ids_);
    for (std::size_t i = 0; i < names.size(); ++i) {
      symbols_.AppendPosting(names[i], ids_[i], static_cast<store::SeriesId>(id));
    }
    return {};
  }

  // Ids need a byte each at least, which bounds the count before anything is allocated.
  Status ReadIds(std::uint64_t count) {
    if (count > reader_.remaining()) return Truncated();
    ids_.clear();
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t id = reader_.Varint();
      if (id > 0xffffffff) return Corrupt(fmt::format("id {} is above 32 bits", id));
      ids_.push_back(static_cast<std::uint32_t>(id));
    }
    return reader_.ok() ? Status() : Truncated();
  }

  [[nodiscard]] bool Equal(std::span<const std::uint32_t> ids) const {
    return std::equal(ids.begin(), ids.end(), ids_.begin(), ids_.end());
  }
  [[nodiscard]] Error Truncated() const { return Corrupt(fmt::format("cut short at byte {}", reader_.offset() + 1)); }
  static Error Gap(std::string_view what, std::uint64_t id, std::uint64_t limit) {
    return Corrupt(fmt::format("{} id {}, want {}", what, id, limit));
  }
  static Error Contradiction(std::string_view what, std::uint64_t id) {
    return Corrupt(fmt::format("{} id {} stands for something else already", what, id));
  }

  ByteReader reader_;
  Symbols& symbols_;
  SeriesTable& series_;
  std::vector<std::uint32_t> ids_;
};

}  // namespace

void EntryWriter::Text(std::string_view text) {
  AppendVarint(entry_, text.size());
  entry_.append(text);
}

void EntryWriter::Name(NameId id, std::string_view text) {
  entry_.push_back('N');
  AppendVarint(entry_, id);
  Text(text);
}

void EntryWriter::Value(NameId name, ValueId id, std::string_view text) {
  entry_.push_back('V');
  AppendVarint(entry_, name);
  AppendVarint(entry_, id);
  Text(text);
}

void EntryWriter::Shape(ShapeId id, std::span<const NameId> names) {
  entry_.push_back('H');
  AppendVarint(entry_, id);
  AppendVarint(entry_, names.size());
  for (const NameId name : names) AppendVarint(entry_, name);
}

void EntryWriter::Series(store::SeriesId id, ShapeId shape, std::span<const ValueId> values) {
  entry_.push_back('S');
  AppendVarint(entry_, id);
  AppendVarint(entry_, shape);
  for (const ValueId value : values) AppendVarint(entry_, value);
}

Status ApplyEntry(Bytes entry, Symbols& symbols, SeriesTable& series) {
  if (entry.empty()) return Corrupt("empty");
  if (entry[0] != kEntryVersion) return Corrupt(fmt::format("version {}, want {}", entry[0], kEntryVersion));
  return EntryReader(entry.subspan(1), symbols, series).Run();
}

void PendingCatalogue::Add(std::string entry, store::SeriesId last_series) {
  const std::lock_guard lock(mutex_);
  pending_bytes_ += entry.size();
  pending_.push_back({std::move(entry), last_series});
}

bool PendingCatalogue::Full() const {
  const std::lock_guard lock(mutex_);
  return pending_bytes_ > kMaxPendingBytes;
}

Status PendingCatalogue::Append(store::Store& store, store::Batch& batch, store::SeriesId highest) {
  if (highest > durable_.load(std::memory_order_acquire)) {
    std::unique_lock lock(mutex_);
    settled_.wait(lock, [&] { return !carried_ || highest <= durable_.load(std::memory_order_relaxed); });
    if (highest > durable_.load(std::memory_order_relaxed)) return Carry(store, batch, lock);
  }
  return store.Append(batch);
}

Status PendingCatalogue::Carry(store::Store& store, store::Batch& batch, std::unique_lock<std::mutex>& lock) {
  carried_ = true;
  for (const Pending& pending : pending_) batch.catalogue.push_back(pending.entry);
  const std::size_t count = pending_.size();
  lock.unlock();
  Status appended = store.Append(batch);
  lock.lock();
  carried_ = false;
  if (appended) {
    for (std::size_t i = 0; i < count; ++i) {
      durable_.store(pending_.front().last_series, std::memory_order_release);
      pending_bytes_ -= pending_.front().entry.size();
      pending_.pop_front();
    }
  }
  settled_.notify_all();
  return appended;
}

}  // namespace wiregauge::encode
