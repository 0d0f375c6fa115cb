// Series as integers: a shape (its sorted label names) and one value id a name. 8 + 4 bytes a label and about 6 bytes
// of index, whatever the texts are. Ids count from 1 in order of first sight and are never reused. One writer or many
// readers at a time (the dictionary's lock).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "remote_write/encode/symbols.h"
#include "remote_write/store/sample.h"

namespace wiregauge::encode {

using ShapeId = std::uint32_t;

class SeriesTable {
 public:
  SeriesTable();
  SeriesTable(const SeriesTable&) = delete;
  SeriesTable& operator=(const SeriesTable&) = delete;

  // A shape's name ids stand in the order of their names' texts.
  [[nodiscard]] ShapeId FindShape(std::span<const NameId> names) const;  // shape_count() when unknown
  ShapeId AddShape(std::span<const NameId> names);                       // must be unknown

  // `values` has one id for each name of the shape. 0 when unknown.
  [[nodiscard]] store::SeriesId Find(ShapeId shape, std::span<const ValueId> values) const;
  store::SeriesId Add(ShapeId shape, std::span<const ValueId> values);  // must be unknown

  [[nodiscard]] ShapeId ShapeOf(store::SeriesId id) const { return series_[id - 1].shape; }
  [[nodiscard]] std::span<const NameId> Names(ShapeId shape) const { return shapes_[shape]; }
  [[nodiscard]] std::span<const ValueId> Values(store::SeriesId id) const;

  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(series_.size()); }
  [[nodiscard]] std::uint32_t shape_count() const { return static_cast<std::uint32_t>(shapes_.size()); }
  [[nodiscard]] std::size_t MemoryBytes() const;

 private:
  static constexpr std::uint32_t kBlockValues = 1u << 16;  // a tuple (at most kMaxLabels) never crosses blocks
  static constexpr std::size_t kIndexShards = 64;          // keeps each rehash short

  struct Row {
    ShapeId shape = 0;
    std::uint32_t offset = 0;  // into the blocks: block = offset / kBlockValues
  };
  struct Key {
    ShapeId shape;
    std::span<const ValueId> values;
  };
  struct Hash {
    using is_transparent = void;
    const SeriesTable* table;
    std::size_t operator()(const Key& key) const;
    std::size_t operator()(store::SeriesId id) const { return (*this)(table->KeyOf(id)); }
  };
  struct Equal {
    using is_transparent = void;
    const SeriesTable* table;
    bool operator()(store::SeriesId a, store::SeriesId b) const { return a == b; }
    bool operator()(store::SeriesId a, const Key& b) const { return Same(table->KeyOf(a), b); }
    bool operator()(const Key& a, store::SeriesId b) const { return Same(a, table->KeyOf(b)); }
    static bool Same(const Key& a, const Key& b);
  };
  using Index = absl::flat_hash_set<store::SeriesId, Hash, Equal>;

  struct ShapeHash {
    using is_transparent = void;
    const SeriesTable* table;
    std::size_t operator()(std::span<const NameId> names) const;
    std::size_t operator()(ShapeId id) const { return (*this)(table->Names(id)); }
  };
  struct ShapeEqual {
    using is_transparent = void;
    const SeriesTable* table;
    bool operator()(ShapeId a, ShapeId b) const { return a == b; }
    bool operator()(ShapeId a, std::span<const NameId> b) const { return Same(table->Names(a), b); }
    bool operator()(std::span<const NameId> a, ShapeId b) const { return Same(a, table->Names(b)); }
    static bool Same(std::span<const NameId> a, std::span<const NameId> b);
  };

  [[nodiscard]] Key KeyOf(store::SeriesId id) const { return {ShapeOf(id), Values(id)}; }
  // By the top 6 bits of the hash: the sets themselves use the lower ones.
  static std::size_t ShardOf(std::size_t hash) { return hash >> 58; }
  std::uint32_t StoreValues(std::span<const ValueId> values);

  std::deque<std::vector<NameId>> shapes_;
  absl::flat_hash_set<ShapeId, ShapeHash, ShapeEqual> shape_index_;
  std::vector<Row> series_;
  std::vector<std::unique_ptr<ValueId[]>> blocks_;
  std::uint32_t block_used_ = kBlockValues;
  std::vector<Index> index_;
};

}  // namespace wiregauge::encode
