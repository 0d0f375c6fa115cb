#include "remote_write/store/checksum.h"

#include <xxhash.h>

namespace wiregauge::store {

std::uint64_t Checksum(Bytes bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::uint64_t ChecksumAt(Bytes bytes, std::uint64_t file_number, std::uint64_t offset) {
  // Two odd constants (from splitmix64) spread small numbers over all bits.
  const std::uint64_t place = (file_number + 1) * 0x9e3779b97f4a7c15ULL ^ (offset + 1) * 0xbf58476d1ce4e5b9ULL;
  return Checksum(bytes) ^ place;
}

}  // namespace wiregauge::store
