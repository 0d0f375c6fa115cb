#include "exporter/aggregate/native_histogram.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace wiregauge::aggregate {
namespace {

constexpr unsigned kSubBits = NativeHistogram::kSchemaMax;
constexpr std::size_t kSubs = 1U << kSubBits;

// floor(10^9 * 2^(33 + (j + 1)/8)), exactly: the bounds in nanoseconds of the octave that ends at 2^34 s, the last that
// 64 bits hold. The bounds of the octaves below are these, shifted right; so a duration is compared with them after it
// is shifted left until its first bit is set, without any rounding.
constexpr std::array<std::uint64_t, kSubs> kBoundsNs = {
    9'367'390'095'664'785'123U,  10'215'211'334'214'395'865U, 11'139'766'950'770'582'417U, 12'148'001'999'904'198'769U,
    13'247'490'117'328'543'392U, 14'446'490'411'353'358'019U, 15'754'009'503'455'335'899U, 17'179'869'184'000'000'000U};
constexpr int kLastOctave = 33;

struct Place {
  unsigned octave;  // from kZeroOctave on
  unsigned sub;     // 0 to kSubs - 1
};

// `duration_ns` is above kZeroNs.
Place PlaceOf(std::uint64_t duration_ns) {
  const int zeros = std::countl_zero(duration_ns);
  const std::uint64_t shifted = duration_ns << static_cast<unsigned>(zeros);
  const int octave = kLastOctave - zeros - NativeHistogram::kZeroOctave;
  if (shifted > kBoundsNs[kSubs - 1]) return {static_cast<unsigned>(octave + 1), 0};
  unsigned sub = shifted > kBoundsNs[3] ? 4 : 0;
  sub += shifted > kBoundsNs[sub + 1] ? 2 : 0;
  sub += shifted > kBoundsNs[sub] ? 1 : 0;
  return {static_cast<unsigned>(octave), sub};
}

}  // namespace

void NativeHistogram::Observe(std::uint64_t duration_ns) {
  if (duration_ns <= kZeroNs) {
    ++zero_count_;
    return;
  }
  const Place place = PlaceOf(duration_ns);
  const std::uint64_t bit = 1ULL << place.octave;
  if ((octaves_ & bit) == 0) AddOctave(place.octave);
  const auto before = static_cast<std::size_t>(std::popcount(octaves_ & (bit - 1)));
  ++counts_[(before << schema_) + (place.sub >> (kSubBits - schema_))];
}

void NativeHistogram::AddOctave(unsigned octave) {
  while ((Octaves() + 1) << schema_ > kBucketsMax) HalveResolution();
  const std::uint64_t bit = 1ULL << octave;
  const std::size_t before = static_cast<std::size_t>(std::popcount(octaves_ & (bit - 1))) << schema_;
  const std::size_t kept = buckets_kept();
  auto counts = std::make_unique<std::uint64_t[]>(kept + (1ULL << schema_));
  std::copy_n(counts_.get(), before, counts.get());
  std::copy_n(counts_.get() + before, kept - before, counts.get() + before + (1ULL << schema_));
  counts_ = std::move(counts);
  octaves_ |= bit;
}

// Two neighbours become one: an octave keeps its place, as its bounds are bounds of every schema.
void NativeHistogram::HalveResolution() {
  const std::size_t kept = buckets_kept() / 2;
  for (std::size_t i = 0; i < kept; ++i) counts_[i] = counts_[2 * i] + counts_[2 * i + 1];
  --schema_;
}

NativeBuckets NativeHistogram::Buckets() const {
  NativeBuckets buckets;
  buckets.schema = schema_;
  buckets.zero_threshold = std::ldexp(1.0, kZeroOctave);
  buckets.zero_count = zero_count_;
  const int subs = 1 << schema_;
  const std::uint64_t* counts = counts_.get();
  for (std::uint64_t rest = octaves_; rest != 0; rest &= rest - 1) {
    const int first = (std::countr_zero(rest) + kZeroOctave) * subs + 1;
    for (int sub = 0; sub < subs; ++sub, ++counts) {
      if (*counts != 0) buckets.buckets.push_back({first + sub, *counts});
    }
  }
  return buckets;
}

}  // namespace wiregauge::aggregate
