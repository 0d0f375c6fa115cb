// Raw label bytes -> series, the fast path of every known series: one hash of the bytes as they arrived, one probe.
//
// The bytes themselves are not kept (some 320 a series); 96 bits of their keyed hash (receive::KeyOf) are, and are
// compared. Any two of 10 million label sets share 96 bits with probability (10^7)^2 / 2^97 = 6e-16; the secret keeps
// others from aiming at it, and a sender that forged one all the same would write into a series of the same store that
// it can write to anyway.
//
// It is a cache: a raw form that is not in it costs a canonical look-up, never a wrong answer. One writer or many
// readers at a time (the dictionary's lock).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "remote_write/receive/raw_key.h"
#include "remote_write/store/sample.h"

namespace wiregauge::encode {

using receive::RawKey;

class RawTable {
 public:
  // Brings the slot into the cache ahead of Find.
  void Prefetch(const RawKey& key) const {
    const Shard& shard = ShardOf(key);
    if (!shard.slots.empty()) __builtin_prefetch(&shard.slots[key.high & (shard.slots.size() - 1)]);
  }

  // The series, or 0.
  [[nodiscard]] store::SeriesId Find(const RawKey& key) const {
    const Shard& shard = ShardOf(key);
    if (shard.slots.empty()) return 0;
    const std::size_t mask = shard.slots.size() - 1;
    for (std::size_t i = key.high & mask;; i = (i + 1) & mask) {
      const Slot& slot = shard.slots[i];
      if (slot.high == key.high && slot.low == LowBits(key)) return slot.series;
      if (slot.series == 0) return 0;
    }
  }

  // `key` must be absent.
  void Insert(const RawKey& key, store::SeriesId series);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t MemoryBytes() const;
  void Clear();

 private:
  // Shards keep each doubling small, so that no request waits for millions of slots to move.
  static constexpr std::size_t kShards = 256;
  static constexpr std::size_t kFirstSlots = 16;

  struct Slot {
    std::uint64_t high = 0;
    std::uint32_t low = 0;
    store::SeriesId series = 0;  // 0: free
  };
  struct Shard {
    std::vector<Slot> slots;  // a power of two, at most 3/4 full
    std::size_t used = 0;
  };

  // The high half gives the shard (its top byte) and the slot (its low bits); 32 bits of the low half are kept beside.
  static std::uint32_t LowBits(const RawKey& key) { return static_cast<std::uint32_t>(key.low); }
  [[nodiscard]] const Shard& ShardOf(const RawKey& key) const { return shards_[key.high >> 56]; }
  static void Place(std::vector<Slot>& slots, const Slot& slot);
  static void Grow(Shard& shard);

  std::array<Shard, kShards> shards_;
  std::size_t size_ = 0;
};

}  // namespace wiregauge::encode
