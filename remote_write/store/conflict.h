// Which of two values for one (series, timestamp) stays. A maximum over a total order of the bits, so the answer does
// not depend on the order, grouping or repetition of writes: numbers over NaNs over the stale marker; among numbers
// IEEE 754 totalOrder (-Inf < ... < -0.0 < +0.0 < ... < +Inf), among NaNs the larger bits.
#pragma once

#include <cstdint>
#include <vector>

#include "remote_write/store/sample.h"

namespace wiregauge::store {

inline constexpr std::uint64_t kStaleMarkerBits = 0x7ff0000000000002;  // Prometheus: model/value/value.go

// True when `a` stays and `b` goes. False for equal bits.
bool Outranks(std::uint64_t a_bits, std::uint64_t b_bits);

// Sorts by timestamp and leaves one sample for each. Returns how many samples with other bits lost; repetitions of the
// same bits are dropped without being counted.
std::uint64_t SortAndResolve(std::vector<Sample>& samples);

}  // namespace wiregauge::store
