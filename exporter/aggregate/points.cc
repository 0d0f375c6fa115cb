#include "exporter/aggregate/points.h"

#include <algorithm>
#include <map>
#include <utility>

namespace wiregauge::aggregate {
namespace {

// Adds up counts of the same bucket. Different schemas become the coarser one: an index of schema s is (index + 1) / 2
// of schema s - 1, rounded down.
void AddUp(NativeBuckets& into, const NativeBuckets& from) {
  const std::int32_t schema = std::min(into.schema, from.schema);
  std::map<std::int32_t, std::uint64_t> counts;
  for (const NativeBuckets* buckets : {&std::as_const(into), &from}) {
    for (NativeBuckets::Bucket bucket : buckets->buckets) {
      for (std::int32_t s = buckets->schema; s > schema; --s) bucket.index = (bucket.index + 1) >> 1;
      counts[bucket.index] += bucket.count;
    }
  }
  into.schema = schema;
  into.zero_count += from.zero_count;
  into.buckets.clear();
  for (const auto& [index, count] : counts) into.buckets.push_back({index, count});
}

void AddUp(Point& into, const Point& from, FamilyType type) {
  if (type != FamilyType::kInfo) into.value += from.value;
  into.count += from.count;
  into.sum += from.sum;
  for (std::size_t i = 0; i < into.buckets.size() && i < from.buckets.size(); ++i) {
    into.buckets[i].cumulative += from.buckets[i].cumulative;
  }
  if (into.native && from.native) AddUp(*into.native, *from.native);
  if (into.exemplars.empty()) into.exemplars = from.exemplars;
  if (from.created_s && (!into.created_s || *from.created_s < *into.created_s)) into.created_s = from.created_s;
}

}  // namespace

void AddLabel(std::string_view name, std::string_view value, Labels& labels) {
  if (!value.empty()) labels.emplace_back(name, value);
}

Family MakeFamily(std::string_view name, std::string_view unit, FamilyType type, std::string_view help) {
  Family family;
  family.name = name;
  family.unit = unit;
  family.type = type;
  family.help = help;
  return family;
}

void SortAndMerge(Family& family) {
  std::vector<Point>& points = family.points;
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.labels < b.labels; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (kept > 0 && points[kept - 1].labels == points[i].labels) {
      AddUp(points[kept - 1], points[i], family.type);
    } else {
      if (kept != i) points[kept] = std::move(points[i]);
      ++kept;
    }
  }
  points.resize(kept);
}

}  // namespace wiregauge::aggregate
