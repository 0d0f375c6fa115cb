// What the aggregate room gives to expose: metric families at one moment, as plain data. expose renders it and knows
// nothing else; the daemon adds its own families (prometheus-cpp) in the same form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wiregauge::aggregate {

enum class FamilyType : std::uint8_t { kCounter, kGauge, kHistogram, kSummary, kInfo, kUnknown };

using Labels = std::vector<std::pair<std::string, std::string>>;  // UTF-8; sorted by name; no empty values

struct Bucket {
  double upper_bound = 0;  // inclusive; the last one is +Inf
  std::uint64_t cumulative = 0;
};

struct Quantile {
  double quantile = 0;
  double value = 0;
};

struct Point {
  Labels labels;
  double value = 0;  // counter, gauge, info, unknown
  // Histogram and summary.
  std::uint64_t count = 0;
  double sum = 0;
  std::vector<Bucket> buckets;
  std::vector<Quantile> quantiles;
  // When the counter or histogram began, Unix seconds; exposed by OpenMetrics as _created.
  std::optional<double> created_s;
};

struct Family {
  std::string name;  // without _total, _bucket and the like
  std::string help;
  std::string unit;  // "seconds", "bytes" or empty; if set, the name ends in _<unit>
  FamilyType type = FamilyType::kUnknown;
  std::vector<Point> points;
};

using Snapshot = std::vector<Family>;

}  // namespace wiregauge::aggregate
