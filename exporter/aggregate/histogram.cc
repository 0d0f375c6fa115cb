#include "exporter/aggregate/histogram.h"

#include <set>
#include <string>

namespace wiregauge::aggregate {
namespace {

template <std::size_t N>
std::string HexText(const std::array<std::uint8_t, N>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * N);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

}  // namespace

DurationBounds::DurationBounds(std::span<const std::uint64_t> standard, std::span<const std::uint64_t> extra) {
  std::set<std::uint64_t> all(standard.begin(), standard.end());
  all.insert(extra.begin(), extra.end());
  for (const std::uint64_t bound : all) {
    if (count_ < kBoundsMax) bounds_ns_[count_++] = bound;
  }
  for (std::size_t width = 1; width < first_.size(); ++width) {
    const std::uint64_t least = 1ULL << (width - 1);
    while (first_[width] < count_ && bounds_ns_[first_[width]] < least) ++first_[width];
  }
}

void Exemplars::Keep(std::size_t bucket, const decode::Trace& trace, std::uint64_t duration_ns, std::uint64_t end_ns) {
  const auto at =
      std::find_if(kept_.begin(), kept_.end(), [bucket](const Kept& kept) { return kept.bucket >= bucket; });
  const Kept newest = {trace, duration_ns, end_ns, 0, bucket};
  if (at != kept_.end() && at->bucket == bucket) {
    *at = newest;
  } else {
    kept_.insert(at, newest);
  }
}

std::vector<Exemplar> Exemplars::Collect(Now now) {
  std::vector<Exemplar> exemplars;
  exemplars.reserve(kept_.size());
  for (Kept& kept : kept_) {
    if (kept.unix_ms == 0) kept.unix_ms = now.UnixMsOf(kept.end_ns);
    Exemplar& exemplar = exemplars.emplace_back();
    exemplar.bucket = kept.bucket;
    exemplar.labels = {{"span_id", HexText(kept.trace.span_id)}, {"trace_id", HexText(kept.trace.trace_id)}};
    exemplar.value = static_cast<double>(kept.duration_ns) / 1e9;
    exemplar.time_s = static_cast<double>(kept.unix_ms) / 1e3;
  }
  return exemplars;
}

void FillDurations(const DurationBounds& bounds, DurationHistogram& histogram, Now now, Point& point) {
  FillHistogram<std::uint64_t>(bounds.bounds_ns(), histogram.buckets, histogram.sum_ns, 1e9, point);
  point.native = histogram.native.Buckets();
  point.exemplars = histogram.exemplars.Collect(now);
}

}  // namespace wiregauge::aggregate
