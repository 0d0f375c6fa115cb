#include "remote_write/store/head_page.h"

#include <algorithm>
#include <cstring>

#include "remote_write/store/conflict.h"
#include "remote_write/store/open_stream.h"

namespace wiregauge::store {
namespace {

// Late samples are sorted when they have doubled, and not before there are this many.
constexpr std::size_t kLateUnsortedMin = 1024;

}  // namespace

HeadPage::HeadPage() = default;

HeadPage::Growth HeadPage::Insert(std::span<const SeriesSample> samples) {
  Growth growth;
  const std::lock_guard lock(mutex_);
  for (const SeriesSample& each : samples) InsertOne(each.series & (kPageSeries - 1), each.sample, growth);
  return growth;
}

void HeadPage::InsertOne(std::size_t slot, const Sample& sample, Growth& growth) {
  Series& series = series_[slot];
  if (series.count == 0) {
    const std::size_t slabs = slabs_.size();
    Begin(series, sample);
    growth.bytes += (slabs_.size() - slabs) * sizeof(Slab);
    ++growth.series;
    ++growth.samples;
    return;
  }
  if (sample.timestamp_ms <= series.last_ms) {
    if (sample == Sample{series.last_ms, series.last_bits}) return;  // written again: a sender's retry
    return InsertLate(slot, sample, growth);
  }
  ++growth.samples;
  ++series.count;
  const std::int64_t step = sample.timestamp_ms - series.last_ms;
  if (step == series.step_ms && sample.value_bits == series.last_bits && series.repeats < UINT16_MAX) {
    ++series.repeats;
    series.last_ms = sample.timestamp_ms;
    return;
  }
  const std::size_t slabs = slabs_.size();
  WriteRepeats(series);
  StreamState state{{series.last_ms, series.last_bits}, series.step_ms, series.exponent};
  char unit[kUnitBytesMax + 8];  // EncodeUnit stores 8 bytes at a time
  const std::size_t bytes = EncodeUnit(state, sample, unit);
  Put(series, unit, bytes);
  series.last_ms = sample.timestamp_ms;
  series.last_bits = sample.value_bits;
  series.step_ms = state.step_ms;
  series.exponent = state.exponent;
  growth.bytes += (slabs_.size() - slabs) * sizeof(Slab);
}

void HeadPage::Begin(Series& series, const Sample& sample) {
  series.count = 1;
  series.last_ms = sample.timestamp_ms;
  series.last_bits = sample.value_bits;
  series.first_node = series.last_node = NewNode();
  Put(series, reinterpret_cast<const char*>(&sample), sizeof(sample));
}

void HeadPage::InsertLate(std::size_t slot, const Sample& sample, Growth& growth) {
  const std::size_t capacity = late_.capacity();
  series_[slot].late = true;
  late_.push_back({static_cast<std::uint32_t>(slot), sample});
  ++growth.samples;
  if (late_.size() - late_sorted_ > std::max(kLateUnsortedMin, late_sorted_)) SortLate(growth);
  growth.bytes += (late_.capacity() - capacity) * sizeof(LateSample);
}

// Repetitions go, so a sender that replays the same hour ten times costs one hour.
void HeadPage::SortLate(Growth& growth) {
  std::sort(late_.begin(), late_.end(), [](const LateSample& a, const LateSample& b) {
    if (a.slot != b.slot) return a.slot < b.slot;
    if (a.sample.timestamp_ms != b.sample.timestamp_ms) return a.sample.timestamp_ms < b.sample.timestamp_ms;
    return Outranks(a.sample.value_bits, b.sample.value_bits);
  });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < late_.size(); ++i) {
    const LateSample& last = late_[kept];
    if (late_[i].slot != last.slot || late_[i].sample.timestamp_ms != last.sample.timestamp_ms) {
      late_[++kept] = late_[i];
    } else if (late_[i].sample.value_bits != late_[i - 1].sample.value_bits) {
      ++growth.conflicts;
    }
  }
  growth.samples -= late_.size() - (kept + 1);  // wraps; the owner adds it modulo 2^64
  late_.resize(kept + 1);
  late_sorted_ = late_.size();
}

void HeadPage::WriteRepeats(Series& series) {
  while (series.repeats > 0) {
    const unsigned count = std::min<unsigned>(series.repeats, kRepeatsPerUnitMax);
    const char tag = static_cast<char>(0x80 | count);
    Put(series, &tag, 1);
    series.repeats = static_cast<std::uint16_t>(series.repeats - count);
  }
}

void HeadPage::Put(Series& series, const char* bytes, std::size_t count) {
  while (count > 0) {
    if (series.node_used == kNodeBytes) {
      const std::uint32_t added = NewNode();
      NodeAt(series.last_node).next = added;
      series.last_node = added;
      series.node_used = 0;
    }
    const std::size_t part = std::min<std::size_t>(count, kNodeBytes - series.node_used);
    std::memcpy(NodeAt(series.last_node).bytes.data() + series.node_used, bytes, part);
    series.node_used = static_cast<std::uint8_t>(series.node_used + part);
    bytes += part;
    count -= part;
  }
}

std::uint32_t HeadPage::NewNode() {
  if (nodes_used_ == slabs_.size() * kSlabNodes) slabs_.push_back(std::make_unique<Slab>());
  return nodes_used_++;
}

std::string HeadPage::StreamOf(const Series& series) const {
  std::string stream;
  std::uint32_t index = series.first_node;
  for (; index != series.last_node; index = NodeAt(index).next) stream.append(NodeAt(index).bytes.data(), kNodeBytes);
  stream.append(NodeAt(index).bytes.data(), series.node_used);
  return stream;
}

void HeadPage::Collect(std::size_t slot, std::vector<Sample>& out) const {
  Series series;
  std::string stream;
  {
    const std::lock_guard lock(mutex_);
    series = series_[slot];
    if (series.count == 0) return;
    stream = StreamOf(series);
    if (series.late) CollectLate(slot, out);
  }
  Sample first;
  std::memcpy(&first, stream.data(), sizeof(first));
  out.reserve(out.size() + series.count);
  out.push_back(first);
  DecodeStream(std::string_view(stream).substr(sizeof(first)), first, out);
  const std::int64_t repeated_from = series.last_ms - std::int64_t{series.step_ms} * series.repeats;
  for (unsigned i = 1; i <= series.repeats; ++i) {
    out.push_back({repeated_from + std::int64_t{series.step_ms} * i, series.last_bits});
  }
}

void HeadPage::CollectLate(std::size_t slot, std::vector<Sample>& out) const {
  const auto sorted_end = late_.begin() + static_cast<std::ptrdiff_t>(late_sorted_);
  const auto before = [](const LateSample& late, std::size_t wanted) { return late.slot < wanted; };
  for (auto it = std::lower_bound(late_.begin(), sorted_end, slot, before); it != sorted_end && it->slot == slot;
       ++it) {
    out.push_back(it->sample);
  }
  for (auto it = sorted_end; it != late_.end(); ++it) {
    if (it->slot == slot) out.push_back(it->sample);
  }
}

bool HeadPage::MayReach(std::size_t slot, std::int64_t first_ms) const {
  const std::lock_guard lock(mutex_);
  // Late samples are all at or before last_ms.
  return series_[slot].count > 0 && series_[slot].last_ms >= first_ms;
}

}  // namespace wiregauge::store
