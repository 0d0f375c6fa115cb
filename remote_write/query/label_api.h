// The parts of Prometheus' HTTP API that are about labels: series, label names, label values, metadata, build
// information. Answers, error texts and codes are those of Prometheus 2.42. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/http.h"
#include "base/result.h"
#include "remote_write/encode/dictionary.h"
#include "remote_write/query/metadata_table.h"
#include "remote_write/store/store.h"

namespace wiregauge::query {

class LabelApi {
 public:
  // Series in one answer of /series: some 100 MB of JSON. Above it 422, and the user narrows the selector.
  static constexpr std::size_t kMaxSeriesInAnswer = 250'000;

  // Borrows the first three for its life.
  LabelApi(const encode::Dictionary& dictionary, const store::Store& store, const MetadataTable& metadata,
           std::string version)
      : dictionary_(dictionary), store_(store), metadata_(metadata), version_(std::move(version)) {}

  http::Response Series(const http::Request& request) const;    // match[] (at least one), start, end
  http::Response Labels(const http::Request& request) const;    // match[], start, end
  http::Response Values(const http::Request& request) const;    // path /api/v1/label/<name>/values; match[], start, end
  http::Response Metadata(const http::Request& request) const;  // metric, limit
  http::Response BuildInfo() const;

 private:
  struct Range {
    std::int64_t first_ms = 0;
    std::int64_t last_ms = 0;
    [[nodiscard]] bool Everything() const;
  };
  using Selectors = std::vector<std::vector<encode::Matcher>>;

  static Result<Range> ParseRange(const http::Request& request);
  static Result<Selectors> ParseSelectors(const http::Request& request);
  // Series of any selector (of all when there is none) that may have a sample in the range; nothing when no filter
  // applies.
  [[nodiscard]] std::optional<encode::SeriesSet> Among(const Selectors& selectors, const Range& range) const;

  const encode::Dictionary& dictionary_;
  const store::Store& store_;
  const MetadataTable& metadata_;
  const std::string version_;
};

// Those of `series` that may have a sample in [first_ms, last_ms]: to the chunk, as Prometheus answers.
std::vector<store::SeriesId> WithSamples(const store::Store& store, const encode::SeriesSet& series,
                                         std::int64_t first_ms, std::int64_t last_ms);

}  // namespace wiregauge::query
