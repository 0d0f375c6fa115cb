// The key of a series' raw labels: what encode knows a series by. Thread-safe.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace wiregauge::receive {

struct RawKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const RawKey&) const = default;
};

// XXH3-128 of the bytes in one call (streaming costs four times as much), with a secret of 192 random bytes that this
// process drew: nobody outside can aim at a collision. Keys mean nothing in another process.
RawKey KeyOf(Bytes raw_labels);

}  // namespace wiregauge::receive
