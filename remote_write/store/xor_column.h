// Doubles as the XOR of neighbours, bit by bit: Gorilla (VLDB 2015, section 4.1.2), for values that are no decimals.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"

namespace wiregauge::store {

// Appends 8 bytes and then a bit stream. At least one value.
void EncodeXor(std::span<const std::uint64_t> values, std::string& out);

// Reads out.size() values and the padding of the last byte. False when the bytes end early or a window is impossible.
bool DecodeXor(ByteReader& in, std::span<std::uint64_t> out);

}  // namespace wiregauge::store
