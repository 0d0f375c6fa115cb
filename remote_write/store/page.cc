#include "remote_write/store/page.h"

#include <algorithm>
#include <array>

#include "remote_write/store/integer_column.h"

namespace wiregauge::store {

bool DecodeBlock(const Block& block, std::vector<Sample>& out) {
  std::array<std::int64_t, kBlockSamplesMax> timestamps;
  std::array<std::uint64_t, kBlockSamplesMax> values;
  const std::size_t count = block.samples;
  if (count == 0 || count > kBlockSamplesMax) return false;
  if (!DecodeTimestamps(block.timestamps, std::span(timestamps).first(count))) return false;
  if (!DecodeValues(block.values, std::span(values).first(count))) return false;
  if (timestamps[0] != block.first_ms || timestamps[count - 1] != block.last_ms) return false;
  for (std::size_t i = 1; i < count; ++i) {
    if (timestamps[i - 1] >= timestamps[i]) return false;
  }
  const std::size_t start = out.size();
  out.resize(start + count);
  for (std::size_t i = 0; i < count; ++i) out[start + i] = {timestamps[i], values[i]};
  return true;
}

void PageBuilder::Add(const Block& block) {
  const bool shared = blocks_ > 0 && AsText(block.timestamps) == last_timestamps_;
  AppendVarint(directory_, block.series - last_series_);
  AppendVarint(directory_, block.samples);
  AppendVarint(directory_, ZigZag(block.first_ms - last_first_ms_));
  AppendVarint(directory_, static_cast<std::uint64_t>(block.last_ms - block.first_ms));
  AppendVarint(directory_, shared ? 0 : block.timestamps.size());
  AppendVarint(directory_, block.values.size());
  if (!shared) {
    last_timestamps_ = AsText(block.timestamps);
    timestamps_ += last_timestamps_;
  }
  values_ += AsText(block.values);
  last_series_ = block.series;
  last_first_ms_ = block.first_ms;
  ++blocks_;
}

void PageBuilder::Finish(std::string& out) {
  out.clear();
  AppendVarint(out, blocks_);
  AppendVarint(out, timestamps_.size());
  out += directory_;
  out += timestamps_;
  out += values_;
  directory_.clear();
  timestamps_.clear();
  values_.clear();
  last_series_ = 0;
  last_first_ms_ = 0;
  blocks_ = 0;
}

Result<std::shared_ptr<const Page>> Page::Parse(std::string bytes) {
  auto page = std::make_shared<Page>();
  page->bytes_ = std::move(bytes);
  if (!page->ParseDirectory()) return Error{Code::kCorrupt, "page directory does not fit its bytes"};
  return std::shared_ptr<const Page>(std::move(page));
}

bool Page::ParseDirectory() {
  const Bytes all = AsBytes(bytes_);
  ByteReader in(all);
  const std::uint64_t count = in.Varint();
  const std::uint64_t timestamp_bytes = in.Varint();
  if (!in.ok() || count == 0 || count > in.remaining() / 6) return false;  // an entry takes 6 bytes at least
  struct Sizes {
    std::uint64_t timestamps = 0;
    std::uint64_t values = 0;
  };
  std::vector<Sizes> sizes(count);
  blocks_.resize(count);
  std::uint64_t series = 0;
  std::uint64_t first_ms = 0;  // unsigned: sums of damaged numbers wrap
  for (std::size_t i = 0; i < count; ++i) {
    Block& block = blocks_[i];
    series += in.Varint();
    const std::uint64_t samples = in.Varint();
    first_ms += static_cast<std::uint64_t>(UnZigZag(in.Varint()));
    const std::uint64_t span_ms = in.Varint();
    sizes[i] = {in.Varint(), in.Varint()};
    if (!in.ok() || series == 0 || series > UINT32_MAX || samples == 0 || samples > kBlockSamplesMax) return false;
    if ((i == 0 && sizes[i].timestamps == 0)) return false;
    block.series = static_cast<SeriesId>(series);
    block.samples = static_cast<std::uint32_t>(samples);
    block.first_ms = static_cast<std::int64_t>(first_ms);
    block.last_ms = static_cast<std::int64_t>(first_ms + span_ms);
    if (block.last_ms < block.first_ms) return false;
  }
  ByteReader timestamps(in.Take(timestamp_bytes));
  ByteReader values(in.Take(in.remaining()));
  for (std::size_t i = 0; i < count; ++i) {
    blocks_[i].timestamps = sizes[i].timestamps == 0 ? blocks_[i - 1].timestamps : timestamps.Take(sizes[i].timestamps);
    blocks_[i].values = values.Take(sizes[i].values);
  }
  return in.ok() && timestamps.ok() && values.ok() && timestamps.remaining() == 0 && values.remaining() == 0;
}

std::span<const Block> Page::BlocksOf(SeriesId series) const {
  const auto before = [](const Block& block, SeriesId wanted) { return block.series < wanted; };
  const auto after = [](SeriesId wanted, const Block& block) { return wanted < block.series; };
  const auto first = std::lower_bound(blocks_.begin(), blocks_.end(), series, before);
  const auto last = std::upper_bound(first, blocks_.end(), series, after);
  return {first, last};
}

}  // namespace wiregauge::store
