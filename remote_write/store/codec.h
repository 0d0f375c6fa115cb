// The chunk codec: up to kBlockSamplesMax samples of one series as two independent byte columns, timestamps and
// values. Pure and bit-exact: NaN payloads, -0.0, infinities and denormals come back as they went in. Values that are
// decimals of up to 12 places become integers (integer_column.h) with up to one exception in 16; the rest is XORed with
// its neighbour (Gorilla, VLDB 2015, section 4.1.2) or kept raw, whichever is smaller. Byte grammar in README.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "remote_write/store/sample.h"

namespace wiregauge::store {

// Samples of one block. Longer gains under 1 % once pages are compressed and makes every point read dearer; it also
// bounds what a decoder of damaged bytes allocates (8 KiB).
inline constexpr std::size_t kBlockSamplesMax = 512;

// Appends the column to `out`. 1 to kBlockSamplesMax values.
void EncodeTimestamps(std::span<const std::int64_t> timestamps_ms, std::string& out);
void EncodeValues(std::span<const std::uint64_t> value_bits, std::string& out);

// Fills `out` from bytes that hold exactly that column and nothing more. False on anything else.
bool DecodeTimestamps(Bytes column, std::span<std::int64_t> out);
bool DecodeValues(Bytes column, std::span<std::uint64_t> out);

}  // namespace wiregauge::store
