// One small snapshot with every type of family and every awkward value, for the tests of this room.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "exporter/aggregate/snapshot.h"

namespace wiregauge::expose {

inline constexpr char kAwkwardValue[] = "quote \" back\\slash new\nline caf\xc3\xa9";

inline aggregate::Family SampleFamily(std::string name, std::string unit, aggregate::FamilyType type,
                                      std::string help) {
  aggregate::Family family;
  family.name = std::move(name);
  family.unit = std::move(unit);
  family.type = type;
  family.help = std::move(help);
  return family;
}

inline aggregate::Point SamplePoint(aggregate::Labels labels, double value) {
  aggregate::Point point;
  point.labels = std::move(labels);
  point.value = value;
  return point;
}

// Families and points are out of order on purpose.
inline aggregate::Snapshot SampleSnapshot() {
  using aggregate::FamilyType;
  aggregate::Snapshot snapshot;

  aggregate::Family histogram =
      SampleFamily("http_server_request_duration_seconds", "seconds", FamilyType::kHistogram, "Time to answer.");
  aggregate::Point point = SamplePoint({{"http_route", "/a"}, {"service_name", "web"}}, 0);
  point.buckets = {{0.0005, 1}, {1, 3}, {std::numeric_limits<double>::infinity(), 4}};
  point.count = 4;
  point.sum = 12.5;
  point.created_s = 1795158851.493;
  point.exemplars = {{0, {{"span_id", "00000000000000b1"}, {"trace_id", kAwkwardValue}}, 0.00025, 1795158860.25},
                     {2, {{"trace_id", "a2"}}, 12, 1795158861}};
  point.native = aggregate::NativeBuckets{
      .schema = 3, .zero_threshold = 0.0001, .zero_count = 1, .buckets = {{-20, 1}, {-17, 3}, {-13, 2}, {5, 1}}};
  histogram.points.push_back(point);
  snapshot.push_back(std::move(histogram));

  aggregate::Family counter =
      SampleFamily("bytes_sent_bytes", "bytes", FamilyType::kCounter, "Back\\slash \"quoted\"\nline.");
  counter.points.push_back(SamplePoint({{"peer", "z"}}, 2));
  counter.points.push_back(SamplePoint({{"peer", kAwkwardValue}}, 1e15));
  counter.points[0].created_s = 1795158851.0;
  snapshot.push_back(std::move(counter));

  aggregate::Family gauge = SampleFamily("a_ratio", "", FamilyType::kGauge, "A ratio.");
  gauge.points.push_back(SamplePoint({}, 0.25));
  gauge.points.push_back(SamplePoint({{"kind", "nan"}}, std::nan("")));
  gauge.points.push_back(SamplePoint({{"kind", "inf"}}, std::numeric_limits<double>::infinity()));
  snapshot.push_back(std::move(gauge));

  aggregate::Family info = SampleFamily("target", "", FamilyType::kInfo, "What is known.");
  info.points.push_back(SamplePoint({{"service_name", "web"}}, 1));
  snapshot.push_back(std::move(info));

  aggregate::Family summary = SampleFamily("scrape_time_seconds", "seconds", FamilyType::kSummary, "Scrapes.");
  aggregate::Point quantiles = SamplePoint({}, 0);
  quantiles.quantiles = {{0.5, 0.01}, {1, 0.02}};
  quantiles.count = 3;
  quantiles.sum = 0.05;
  summary.points.push_back(quantiles);
  snapshot.push_back(std::move(summary));

  aggregate::Family unknown = SampleFamily("old_thing", "", FamilyType::kUnknown, "Of no type.");
  unknown.points.push_back(SamplePoint({}, 7));
  snapshot.push_back(std::move(unknown));
  return snapshot;
}

}  // namespace wiregauge::expose
