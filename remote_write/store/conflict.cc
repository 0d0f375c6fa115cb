#include "remote_write/store/conflict.h"

#include <algorithm>
#include <utility>

namespace wiregauge::store {
namespace {

std::pair<int, std::uint64_t> Rank(std::uint64_t bits) {
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  constexpr std::uint64_t kInfinity = 0x7ff0000000000000;
  if (bits == kStaleMarkerBits) return {0, 0};
  if ((bits & ~kSign) > kInfinity) return {1, bits};
  return {2, (bits & kSign) != 0 ? ~bits : bits | kSign};
}

bool Increasing(const std::vector<Sample>& samples) {
  for (std::size_t i = 1; i < samples.size(); ++i) {
    if (samples[i - 1].timestamp_ms >= samples[i].timestamp_ms) return false;
  }
  return true;
}

}  // namespace

bool Outranks(std::uint64_t a_bits, std::uint64_t b_bits) { return Rank(a_bits) > Rank(b_bits); }

std::uint64_t SortAndResolve(std::vector<Sample>& samples) {
  if (Increasing(samples)) return 0;  // what nearly every series is
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    if (a.timestamp_ms != b.timestamp_ms) return a.timestamp_ms < b.timestamp_ms;
    return Outranks(a.value_bits, b.value_bits);
  });
  std::uint64_t conflicts = 0;
  std::size_t kept = 0;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    if (samples[i].timestamp_ms != samples[kept].timestamp_ms) {
      samples[++kept] = samples[i];
    } else if (samples[i].value_bits != samples[i - 1].value_bits) {
      ++conflicts;
    }
  }
  samples.resize(kept + 1);
  return conflicts;
}

}  // namespace wiregauge::store
