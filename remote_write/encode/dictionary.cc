#include "remote_write/encode/dictionary.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>

#include <fmt/format.h>

namespace wiregauge::encode {

using receive::Label;
using receive::Reason;

Status Dictionary::Restore(Bytes entry) {
  const std::unique_lock lock(lock_);
  Status applied = ApplyEntry(entry, symbols_, series_);
  pending_.MarkDurable(series_.size());
  return applied;
}

Status Dictionary::Encode(receive::WriteRequest& request, EncodedRequest& out) {
  out.batch.catalogue.clear();
  out.batch.samples.clear();
  out.misses.clear();
  out.highest = 0;
  FindKnown(request, out);
  return out.misses.empty() ? Status() : EncodeMisses(request, out);
}

Status Dictionary::Write(store::Store& store, EncodedRequest& encoded) {
  if (encoded.batch.samples.empty()) return {};
  return pending_.Append(store, encoded.batch, encoded.highest);
}

void Dictionary::AddSamples(const receive::WriteRequest& request, std::uint32_t position, store::SeriesId id,
                            EncodedRequest& out) {
  const receive::Series& series = request.series[position];
  for (std::uint32_t i = 0; i < series.sample_count; ++i) {
    const receive::Sample& sample = request.samples[series.first_sample + i];
    out.batch.samples.push_back({id, {sample.timestamp_ms, sample.value_bits}});
  }
  out.highest = std::max(out.highest, id);
}

void Dictionary::FindKnown(const receive::WriteRequest& request, EncodedRequest& out) const {
  const std::size_t count = request.series.size();
  out.batch.samples.reserve(request.samples.size());
  const std::shared_lock lock(lock_);
  // Prefetching runs ahead of looking up, so that each slot has left main memory by the time it is read.
  constexpr std::size_t kAhead = 16;
  for (std::size_t i = 0; i < std::min(kAhead, count); ++i) raw_.Prefetch(request.series[i].key);
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) raw_.Prefetch(request.series[i + kAhead].key);
    const auto position = static_cast<std::uint32_t>(i);
    const store::SeriesId id = raw_.Find(request.series[i].key);
    if (id == 0) {
      out.misses.push_back(position);
    } else {
      AddSamples(request, position, id, out);
    }
  }
}

Status Dictionary::EncodeMisses(receive::WriteRequest& request, EncodedRequest& out) {
  if (pending_.Full()) {
    return Error{Code::kUnavailable, fmt::format("more than {} bytes of new series wait for the store",
                                                 PendingCatalogue::kMaxPendingBytes)};
  }
  Slice slice;
  const std::span<const std::uint32_t> misses(out.misses);
  for (std::size_t begin = 0; begin < misses.size(); begin += kMissSlice) {
    const std::size_t size = std::min(kMissSlice, misses.size() - begin);
    Status canonical = CanonicaliseSlice(request, misses.subspan(begin, size), slice);
    if (!canonical) return canonical;
    InternSlice(request, slice, out);
  }
  return {};
}

Status Dictionary::CanonicaliseSlice(receive::WriteRequest& request, std::span<const std::uint32_t> positions,
                                     Slice& slice) {
  slice.misses.clear();
  slice.labels.clear();
  std::vector<Label> labels;
  for (const std::uint32_t position : positions) {
    const receive::Series& series = request.series[position];
    Status parsed = receive::ParseLabels(series.raw_labels, labels);
    if (!parsed) return parsed;
    if (const auto refusal = receive::Canonicalise(labels)) {
      request.verdicts.Refuse(refusal->reason, series.sample_count, series.raw_labels, refusal->detail);
      continue;
    }
    slice.misses.push_back(
        {position, static_cast<std::uint32_t>(slice.labels.size()), static_cast<std::uint32_t>(labels.size())});
    slice.labels.insert(slice.labels.end(), labels.begin(), labels.end());
  }
  return {};
}

void Dictionary::InternSlice(receive::WriteRequest& request, const Slice& slice, EncodedRequest& out) {
  EntryWriter entry;
  const std::unique_lock lock(lock_);
  for (const Miss& miss : slice.misses) {
    const RawKey& key = request.series[miss.position].key;
    store::SeriesId id = raw_.Find(key);  // another request, or this one, may have brought it meanwhile
    if (id == 0) {
      auto limit = Reason::kSeriesLimit;
      id = Intern(std::span(slice.labels).subspan(miss.first_label, miss.label_count), entry, limit);
      if (id == 0) {
        const receive::Series& series = request.series[miss.position];
        request.verdicts.Refuse(limit, series.sample_count, series.raw_labels,
                                limit == Reason::kSeriesLimit
                                    ? fmt::format("{} series, max {}", series_.size(), limits_.max_series)
                                    : fmt::format("dictionary full: max {} names, {} values, {} bytes",
                                                  limits_.max_names, limits_.max_values, limits_.max_text_bytes));
        continue;
      }
      Remember(key, id);
    }
    AddSamples(request, miss.position, id, out);
  }
  if (!entry.empty()) pending_.Add(entry.Take(), series_.size());
}

void Dictionary::Remember(const RawKey& key, store::SeriesId id) {
  if (raw_.size() >= kRawFormsPerSeries * limits_.max_series) raw_.Clear();
  raw_.Insert(key, id);
}

std::optional<Reason> Dictionary::LimitInTheWay(std::span<const Label> labels, std::span<const NameId> names,
                                                std::span<const ValueId> values) const {
  if (series_.size() >= limits_.max_series) return Reason::kSeriesLimit;
  std::uint64_t new_names = 0;
  std::uint64_t new_values = 0;
  std::uint64_t new_bytes = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (names[i] == kNoName) ++new_names, new_bytes += labels[i].name.size();
    if (values[i] == 0) ++new_values, new_bytes += labels[i].value.size();
  }
  const bool full = symbols_.name_count() + new_names > limits_.max_names ||
                    symbols_.value_count() + new_values > limits_.max_values ||
                    symbols_.text_bytes() + new_bytes > limits_.max_text_bytes;
  return full ? std::optional(Reason::kDictionaryLimit) : std::nullopt;
}

store::SeriesId Dictionary::Intern(std::span<const Label> labels, EntryWriter& entry, Reason& limit) {
  std::array<NameId, receive::kMaxLabels> name_ids;
  std::array<ValueId, receive::kMaxLabels> value_ids;
  const std::span names(name_ids.data(), labels.size());
  const std::span values(value_ids.data(), labels.size());
  bool all_known = true;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    names[i] = symbols_.FindName(labels[i].name);
    values[i] = names[i] == kNoName ? 0 : symbols_.FindValue(names[i], labels[i].value);
    all_known = all_known && values[i] != 0;
  }
  ShapeId shape = all_known ? series_.FindShape(names) : series_.shape_count();
  if (shape != series_.shape_count()) {
    if (const store::SeriesId known = series_.Find(shape, values); known != 0) return known;
  }
  if (const auto reason = LimitInTheWay(labels, names, values)) {
    limit = *reason;
    return 0;
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (names[i] == kNoName) {
      names[i] = symbols_.AddName(labels[i].name);
      entry.Name(names[i], labels[i].name);
    }
    if (values[i] == 0) {
      values[i] = symbols_.AddValue(names[i], labels[i].value);
      entry.Value(names[i], values[i], labels[i].value);
    }
  }
  shape = series_.FindShape(names);
  if (shape == series_.shape_count()) {
    series_.AddShape(names);
    entry.Shape(shape, names);
  }
  const store::SeriesId id = series_.Add(shape, values);
  entry.Series(id, shape, values);
  for (std::size_t i = 0; i < labels.size(); ++i) symbols_.AppendPosting(names[i], values[i], id);
  return id;
}

DictionaryStats Dictionary::GetStats() const {
  const std::shared_lock lock(lock_);
  return {symbols_.name_count(), symbols_.value_count(), series_.shape_count(), series_.size(), symbols_.text_bytes()};
}

DictionaryMemory Dictionary::GetMemory() const {
  const std::shared_lock lock(lock_);
  return {symbols_.MemoryBytes(), series_.MemoryBytes(), raw_.MemoryBytes()};
}

}  // namespace wiregauge::encode
