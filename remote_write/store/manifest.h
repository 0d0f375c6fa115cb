// MANIFEST: which parts are live, which log segments still count, how much of the catalogue is durable. A small text
// file, replaced whole. Pure. Grammar in README.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "remote_write/store/part.h"

namespace wiregauge::store {

inline constexpr std::uint64_t kManifestBytesMax = 64ULL << 20;  // 500,000 parts; far above any retention

struct Manifest {
  std::uint64_t next_part = 1;          // parts from here on were never named
  std::uint64_t first_segment = 1;      // of the log; what is before is in parts
  std::uint64_t catalogue_segment = 0;  // the last durable one; 0: none
  std::uint64_t catalogue_offset = 0;   // its durable bytes
  std::uint64_t largest_series = 0;     // of any sample ever flushed
  std::vector<PartFacts> parts;
};

std::string RenderManifest(const Manifest& manifest);

// kCorrupt with the line's number; kUnsupported for another version.
Result<Manifest> ParseManifest(std::string_view text);

}  // namespace wiregauge::store
