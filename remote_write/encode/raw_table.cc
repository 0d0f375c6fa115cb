#include "remote_write/encode/raw_table.h"

#include <utility>

namespace wiregauge::encode {

void RawTable::Place(std::vector<Slot>& slots, const Slot& slot) {
  const std::size_t mask = slots.size() - 1;
  std::size_t i = slot.high & mask;
  while (slots[i].series != 0) i = (i + 1) & mask;
  slots[i] = slot;
}

void RawTable::Grow(Shard& shard) {
  std::vector<Slot> larger(shard.slots.empty() ? kFirstSlots : shard.slots.size() * 2);
  for (const Slot& slot : shard.slots) {
    if (slot.series != 0) Place(larger, slot);
  }
  shard.slots = std::move(larger);
}

void RawTable::Insert(const RawKey& key, store::SeriesId series) {
  Shard& shard = shards_[key.high >> 56];
  if ((shard.used + 1) * 4 > shard.slots.size() * 3) Grow(shard);
  Place(shard.slots, {key.high, LowBits(key), series});
  ++shard.used;
  ++size_;
}

std::size_t RawTable::MemoryBytes() const {
  std::size_t bytes = 0;
  for (const Shard& shard : shards_) bytes += shard.slots.capacity() * sizeof(Slot);
  return bytes;
}

void RawTable::Clear() {
  for (Shard& shard : shards_) shard = {};
  size_ = 0;
}

}  // namespace wiregauge::encode
