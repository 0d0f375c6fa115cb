#include "remote_write/encode/series_table.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace wiregauge::encode {

SeriesTable::SeriesTable() : shape_index_(0, ShapeHash{this}, ShapeEqual{this}) {
  static_assert(kIndexShards == 64, "ShardOf takes 6 bits");
  for (std::size_t i = 0; i < kIndexShards; ++i) index_.emplace_back(0, Hash{this}, Equal{this});
}

std::size_t SeriesTable::Hash::operator()(const Key& key) const {
  return XXH3_64bits_withSeed(key.values.data(), key.values.size_bytes(), key.shape);
}

bool SeriesTable::Equal::Same(const Key& a, const Key& b) {
  return a.shape == b.shape && std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end());
}

std::size_t SeriesTable::ShapeHash::operator()(std::span<const NameId> names) const {
  return XXH3_64bits(names.data(), names.size_bytes());
}

bool SeriesTable::ShapeEqual::Same(std::span<const NameId> a, std::span<const NameId> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

ShapeId SeriesTable::FindShape(std::span<const NameId> names) const {
  const auto found = shape_index_.find(names);
  return found == shape_index_.end() ? shape_count() : *found;
}

ShapeId SeriesTable::AddShape(std::span<const NameId> names) {
  shapes_.emplace_back(names.begin(), names.end());
  shape_index_.insert(shape_count() - 1);
  return shape_count() - 1;
}

store::SeriesId SeriesTable::Find(ShapeId shape, std::span<const ValueId> values) const {
  const Key key{shape, values};
  const Index& index = index_[ShardOf(Hash{this}(key))];
  const auto found = index.find(key);
  return found == index.end() ? 0 : *found;
}

store::SeriesId SeriesTable::Add(ShapeId shape, std::span<const ValueId> values) {
  series_.push_back({shape, StoreValues(values)});
  const store::SeriesId id = size();
  index_[ShardOf(Hash{this}(id))].insert(id);
  return id;
}

std::span<const ValueId> SeriesTable::Values(store::SeriesId id) const {
  const Row& row = series_[id - 1];
  return {blocks_[row.offset / kBlockValues].get() + row.offset % kBlockValues, shapes_[row.shape].size()};
}

std::uint32_t SeriesTable::StoreValues(std::span<const ValueId> values) {
  if (kBlockValues - block_used_ < values.size()) {
    blocks_.push_back(std::make_unique<ValueId[]>(kBlockValues));
    block_used_ = 0;
  }
  std::copy(values.begin(), values.end(), blocks_.back().get() + block_used_);
  const auto offset = static_cast<std::uint32_t>((blocks_.size() - 1) * kBlockValues + block_used_);
  block_used_ += static_cast<std::uint32_t>(values.size());
  return offset;
}

std::size_t SeriesTable::MemoryBytes() const {
  std::size_t bytes = series_.capacity() * sizeof(Row) + blocks_.size() * kBlockValues * sizeof(ValueId);
  for (const Index& index : index_) bytes += index.capacity() * (sizeof(store::SeriesId) + 1);
  for (const auto& shape : shapes_) bytes += sizeof(shape) + shape.capacity() * sizeof(NameId) + sizeof(ShapeId) + 1;
  return bytes;
}

}  // namespace wiregauge::encode
