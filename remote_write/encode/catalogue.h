// The dictionary on disk: opaque entries for the store, and the rule that no sample is durable before the names it
// needs. The format of an entry, byte by byte:
//
//   entry  = version(0x01) record...                       records apply in order; integers are unsigned LEB128
//   record = 'N' name_id  size text                        a label name; name_id counts from 0
//          | 'V' name_id  value_id size text               a value of that name; value_id counts from 1 for each name
//          | 'H' shape_id count name_id{count}             the names of a shape, sorted by text; shape_id from 0
//          | 'S' series_id shape_id value_id{count}        a series, a value for each name of the shape; from 1
//
// Ids are explicit, so that reading an entry twice changes nothing.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "remote_write/encode/series_table.h"
#include "remote_write/encode/symbols.h"
#include "remote_write/store/store.h"

namespace wiregauge::encode {

inline constexpr std::uint8_t kEntryVersion = 1;

// Writes one entry. One thread.
class EntryWriter {
 public:
  EntryWriter() { entry_.push_back(static_cast<char>(kEntryVersion)); }
  void Name(NameId id, std::string_view text);
  void Value(NameId name, ValueId id, std::string_view text);
  void Shape(ShapeId id, std::span<const NameId> names);
  void Series(store::SeriesId id, ShapeId shape, std::span<const ValueId> values);
  [[nodiscard]] bool empty() const { return entry_.size() == 1; }
  std::string Take() { return std::move(entry_); }

 private:
  void Text(std::string_view text);
  std::string entry_;
};

// Applies one entry to the tables. Records already there are compared, not applied again. kCorrupt when the bytes are
// malformed, contradict what is there, or skip an id. Builds postings of new series.
Status ApplyEntry(Bytes entry, Symbols& symbols, SeriesTable& series);

// Entries in the order of their making, from the moment they are made until they are on disk.
//
// A batch may go to the store only when every entry that its samples need is durable or in the batch itself. One batch
// at a time carries entries, and it carries all there are; a batch that needs entries which another carries waits for
// that one. So entries reach the store once each and in order, and if the carrier fails the next one takes over.
// Batches of known series do not wait for anything. Thread-safe.
class PendingCatalogue {
 public:
  // Bytes of entries that are not on disk yet: what a store that stopped taking writes may cost before new series are
  // turned away.
  static constexpr std::size_t kMaxPendingBytes = 64u << 20;

  // Series up to `last_series` can be read from the entries so far. In order: the caller holds the dictionary's lock.
  void Add(std::string entry, store::SeriesId last_series);
  [[nodiscard]] bool Full() const;

  // After a restart: everything up to here is on disk.
  void MarkDurable(store::SeriesId last_series) { durable_.store(last_series, std::memory_order_release); }

  // Appends the samples, none of a series above `highest`, together with or after the entries they need. `batch` has no
  // entries of its own. The store's error, if any: then the entries stay pending.
  Status Append(store::Store& store, store::Batch& batch, store::SeriesId highest);

 private:
  struct Pending {
    std::string entry;
    store::SeriesId last_series = 0;
  };

  // With `lock` held: moves all entries into the batch, appends, and settles the outcome.
  Status Carry(store::Store& store, store::Batch& batch, std::unique_lock<std::mutex>& lock);

  std::atomic<store::SeriesId> durable_ = 0;  // entries of series up to this one are on disk
  mutable std::mutex mutex_;
  std::condition_variable settled_;
  std::deque<Pending> pending_;
  std::size_t pending_bytes_ = 0;
  bool carried_ = false;  // a batch with entries is in the store's hands
};

}  // namespace wiregauge::encode
