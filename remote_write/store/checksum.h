// The checksum of every file of the store: XXH3-64, because it is in Debian, needs no instruction-set dispatch of our
// own (x86-64 and arm64 alike) and runs at memory speed; 64 bits leave no room for accidental matches.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace wiregauge::store {

std::uint64_t Checksum(Bytes bytes);

// Binds a checksum to the place its bytes belong to (file number and offset), so that a block written to, or read
// from, the wrong place fails.
std::uint64_t ChecksumAt(Bytes bytes, std::uint64_t file_number, std::uint64_t offset);

}  // namespace wiregauge::store
