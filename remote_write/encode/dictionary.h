// SmartEncoding (decision D8): label names, values and whole series become dense integers before storage, and
// questions about labels are answered on the dictionary, not on series.
//
// Takes receive::WriteRequest, gives store::Batch. Thread-safe: writers of known series and readers share the lock, a
// writer that brings new series holds it alone for at most kMissSlice of them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "remote_write/encode/catalogue.h"
#include "remote_write/encode/matcher.h"
#include "remote_write/encode/raw_table.h"
#include "remote_write/encode/series_table.h"
#include "remote_write/encode/symbols.h"
#include "remote_write/encode/writer_first_lock.h"
#include "remote_write/receive/labels.h"
#include "remote_write/receive/write_request.h"
#include "remote_write/store/store.h"

namespace wiregauge::encode {

// At a limit, known series keep flowing and new ones are refused with a verdict.
struct Limits {
  std::uint32_t max_series = 10'000'000;      // about 1.2 GB of dictionary, the size of host this is built for
  std::uint32_t max_names = 100'000;          // of labels; real fleets have some thousands
  std::uint64_t max_values = 20'000'000;      // two new values a series are churn, more are a label bomb
  std::uint64_t max_text_bytes = 1ULL << 30;  // names and values together
};

struct DictionaryStats {
  std::uint64_t names = 0;
  std::uint64_t values = 0;
  std::uint64_t shapes = 0;
  std::uint64_t series = 0;
  std::uint64_t text_bytes = 0;
};

// Bytes by what holds them, counted by walking the tables: for tests and benchmarks, not for every scrape.
struct DictionaryMemory {
  std::size_t symbols = 0;  // texts, their index and postings
  std::size_t series = 0;
  std::size_t raw_forms = 0;
};

// One request on its way to the store, with the scratch memory that the next request reuses. One thread.
struct EncodedRequest {
  store::Batch batch;
  store::SeriesId highest = 0;  // of batch.samples; 0 when there are none

  std::vector<std::uint32_t> misses;  // positions in the request's series
};

class Dictionary {
 public:
  explicit Dictionary(Limits limits = {}) : limits_(limits) {}

  // An entry that Write handed to the store in an earlier life; in the store's order, before anything else is called.
  // Reading one twice changes nothing. kCorrupt as ApplyEntry.
  Status Restore(Bytes entry);

  // Replaces `out` with the request's samples under their series' ids. Series whose labels are refused are left out,
  // with a verdict in `request`. kInvalidArgument: the request is corrupt; kUnavailable: the store has not taken the
  // last new series yet. In both cases nothing of it may be written.
  Status Encode(receive::WriteRequest& request, EncodedRequest& out);

  // Store::Append of what Encode gave, never before the dictionary entries that it needs.
  Status Write(store::Store& store, EncodedRequest& encoded);

  // Series that all matchers match, of those there were when the call began. No matchers: all.
  [[nodiscard]] SeriesSet Select(std::span<const Matcher> matchers) const;

  // Sorted by name; the texts stay valid as long as the dictionary. `id` must be one that the dictionary gave.
  [[nodiscard]] std::vector<receive::Label> LabelsOf(store::SeriesId id) const;

  // Sorted, each once; of the series in `among`, or of all.
  [[nodiscard]] std::vector<std::string_view> LabelNames(const SeriesSet* among) const;
  [[nodiscard]] std::vector<std::string_view> LabelValues(std::string_view name, const SeriesSet* among) const;

  [[nodiscard]] DictionaryStats GetStats() const;
  [[nodiscard]] DictionaryMemory GetMemory() const;

 private:
  // New series that one turn of the exclusive lock takes: some 0.2 ms of waiting for everyone else.
  static constexpr std::size_t kMissSlice = 128;
  // Distinct values looked at in one turn of the shared lock, so that a regular expression over millions of values
  // does not keep writers out.
  static constexpr std::uint32_t kValueSlice = 1024;
  // Raw forms a series has on average before the table is emptied and refills: senders use one each.
  static constexpr std::size_t kRawFormsPerSeries = 2;

  struct Miss {
    std::uint32_t position = 0;  // in the request's series
    std::uint32_t first_label = 0;
    std::uint32_t label_count = 0;
  };
  struct Slice {
    std::vector<Miss> misses;
    std::vector<receive::Label> labels;
  };

  void FindKnown(const receive::WriteRequest& request, EncodedRequest& out) const;
  Status EncodeMisses(receive::WriteRequest& request, EncodedRequest& out);
  static Status CanonicaliseSlice(receive::WriteRequest& request, std::span<const std::uint32_t> positions,
                                  Slice& slice);
  void InternSlice(receive::WriteRequest& request, const Slice& slice, EncodedRequest& out);
  // The series, or 0 with the limit that stands in the way.
  store::SeriesId Intern(std::span<const receive::Label> labels, EntryWriter& entry, receive::Reason& limit);
  [[nodiscard]] std::optional<receive::Reason> LimitInTheWay(std::span<const receive::Label> labels,
                                                             std::span<const NameId> names,
                                                             std::span<const ValueId> values) const;
  void Remember(const RawKey& key, store::SeriesId id);
  static void AddSamples(const receive::WriteRequest& request, std::uint32_t position, store::SeriesId id,
                         EncodedRequest& out);

  // Calls f(text, postings) for every value of the name, a slice at a time under the shared lock.
  template <typename F>
  void ForEachValue(NameId name, F f) const;
  // The series whose value of the matcher's label is not empty and for which Matches(value) == wanted.
  [[nodiscard]] SeriesSet SeriesWith(const Matcher& matcher, bool wanted) const;

  const Limits limits_;
  mutable WriterFirstLock lock_;  // guards the three tables
  Symbols symbols_;
  SeriesTable series_;
  RawTable raw_;
  PendingCatalogue pending_;
};

}  // namespace wiregauge::encode
