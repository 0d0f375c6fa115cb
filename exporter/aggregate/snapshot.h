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

// A measurement that stands for its bucket, with labels of its own: which trace it belongs to.
struct Exemplar {
  std::size_t bucket = 0;  // index in Point::buckets
  Labels labels;
  double value = 0;
  double time_s = 0;  // Unix seconds
};

// Buckets of Prometheus' native histograms: bucket i holds what is above 2^((i-1)/2^schema), up to and with
// 2^(i/2^schema); the zero bucket what is not above zero_threshold. No negative values.
struct NativeBuckets {
  struct Bucket {
    std::int32_t index = 0;
    std::uint64_t count = 0;
  };
  std::int32_t schema = 0;
  double zero_threshold = 0;
  std::uint64_t zero_count = 0;
  std::vector<Bucket> buckets;  // ascending, counts above 0
};

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
  std::vector<Exemplar> exemplars;      // by bucket, at most one each
  std::optional<NativeBuckets> native;  // the same observations in the other kind of buckets
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
