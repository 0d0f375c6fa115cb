#include "remote_write/query/label_api.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "remote_write/query/json.h"
#include "remote_write/query/selector.h"
#include "remote_write/query/time_parameter.h"
#include "remote_write/receive/labels.h"

namespace wiregauge::query {
namespace {

constexpr std::string_view kLabelPath = "/api/v1/label/";
constexpr std::string_view kValuesPath = "/values";

Result<std::int64_t> TimeParameter(const http::Request& request, std::string_view name, std::int64_t otherwise) {
  const auto given = request.Parameters(name);
  if (given.empty() || given[0].empty()) return otherwise;
  if (const auto time = ParseTimeMs(given[0])) return *time;
  return Error{Code::kInvalidArgument,
               fmt::format("invalid parameter \"{0}\": Invalid time value for '{0}': cannot parse \"{1}\" to a valid "
                           "timestamp",
                           name, given[0])};
}

http::Response StringList(const std::vector<std::string_view>& texts) {
  std::string data = "[";
  for (const std::string_view text : texts) {
    if (data.size() > 1) data.push_back(',');
    AppendJsonString(data, text);
  }
  data.push_back(']');
  return Success(data);
}

void AppendLabelMap(std::string& out, const std::vector<receive::Label>& labels) {
  out.push_back('{');
  bool first = true;
  for (const receive::Label& label : labels) {
    if (!first) out.push_back(',');
    first = false;
    AppendJsonString(out, label.name);
    out.push_back(':');
    AppendJsonString(out, label.value);
  }
  out.push_back('}');
}

void AppendFamily(std::string& out, const std::string& name, const FamilyMetadata& metadata) {
  AppendJsonString(out, name);
  out += R"(:[{"type":)";
  AppendJsonString(out, metadata.type);
  out += R"(,"help":)";
  AppendJsonString(out, metadata.help);
  out += R"(,"unit":)";
  AppendJsonString(out, metadata.unit);
  out += "}]";
}

}  // namespace

std::vector<store::SeriesId> WithSamples(const store::Store& store, const encode::SeriesSet& series,
                                         std::int64_t first_ms, std::int64_t last_ms) {
  std::vector<store::SeriesId> ids(series.cardinality());
  series.toUint32Array(ids.data());
  return store.SeriesInRange(ids, first_ms, last_ms);
}

bool LabelApi::Range::Everything() const { return first_ms <= kMinTimeMs && last_ms >= kMaxTimeMs; }

Result<LabelApi::Range> LabelApi::ParseRange(const http::Request& request) {
  const auto first = TimeParameter(request, "start", kMinTimeMs);
  if (!first) return first.error();
  const auto last = TimeParameter(request, "end", kMaxTimeMs);
  if (!last) return last.error();
  return Range{*first, *last};
}

Result<LabelApi::Selectors> LabelApi::ParseSelectors(const http::Request& request) {
  Selectors selectors;
  for (const std::string& text : request.Parameters("match[]")) {
    auto matchers = ParseSelector(text);
    if (!matchers) return matchers.error();
    selectors.push_back(*std::move(matchers));
  }
  return selectors;
}

std::optional<encode::SeriesSet> LabelApi::Among(const Selectors& selectors, const Range& range) const {
  if (selectors.empty() && range.Everything()) return std::nullopt;
  encode::SeriesSet set;
  for (const auto& matchers : selectors) set |= dictionary_.Select(matchers);
  if (selectors.empty()) set = dictionary_.Select({});
  if (range.Everything()) return set;
  const auto ids = WithSamples(store_, set, range.first_ms, range.last_ms);
  return encode::SeriesSet(ids.size(), ids.data());
}

http::Response LabelApi::Series(const http::Request& request) const {
  if (request.Parameters("match[]").empty()) return BadData("no match[] parameter provided");
  const auto range = ParseRange(request);
  if (!range) return BadData(range.error().message);
  const auto selectors = ParseSelectors(request);
  if (!selectors) return BadData("invalid parameter \"match[]\": " + selectors.error().message);
  const auto among = Among(*selectors, *range);
  if (among->cardinality() > kMaxSeriesInAnswer) {
    return ExecutionError(
        fmt::format("the selector matches {} series, max {} in one answer", among->cardinality(), kMaxSeriesInAnswer));
  }
  std::vector<std::vector<receive::Label>> series;
  for (const store::SeriesId id : *among) series.push_back(dictionary_.LabelsOf(id));
  std::sort(series.begin(), series.end(), receive::LabelsBefore);
  std::string data = "[";
  for (const auto& labels : series) {
    if (data.size() > 1) data.push_back(',');
    AppendLabelMap(data, labels);
  }
  data.push_back(']');
  return Success(data);
}

http::Response LabelApi::Labels(const http::Request& request) const {
  const auto range = ParseRange(request);
  if (!range) return BadData(range.error().message);
  const auto selectors = ParseSelectors(request);
  if (!selectors) return BadData(selectors.error().message);
  const auto among = Among(*selectors, *range);
  return StringList(dictionary_.LabelNames(among ? &*among : nullptr));
}

http::Response LabelApi::Values(const http::Request& request) const {
  std::string_view name = request.path;
  const bool shaped = name.starts_with(kLabelPath) && name.ends_with(kValuesPath) &&
                      name.size() > kLabelPath.size() + kValuesPath.size();
  if (!shaped)
    return {.status = 404,
            .content_type = "text/plain; charset=utf-8",
            .headers = {},
            .body = "no such path; label values are at /api/v1/label/<name>/values\n"};
  name = name.substr(kLabelPath.size(), name.size() - kLabelPath.size() - kValuesPath.size());
  if (!receive::IsValidLabelName(name)) return BadData(fmt::format("invalid label name: \"{}\"", name));
  const auto range = ParseRange(request);
  if (!range) return BadData(range.error().message);
  const auto selectors = ParseSelectors(request);
  if (!selectors) return BadData(selectors.error().message);
  const auto among = Among(*selectors, *range);
  return StringList(dictionary_.LabelValues(name, among ? &*among : nullptr));
}

http::Response LabelApi::Metadata(const http::Request& request) const {
  std::int64_t limit = -1;
  if (const auto given = request.Parameters("limit"); !given.empty() && !given[0].empty()) {
    const std::string& text = given[0];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size()) return BadData("limit must be a number");
  }
  const auto metric = request.Parameters("metric");
  std::string data = "{";
  for (const auto& [family, metadata] : metadata_.Get(metric.empty() ? "" : metric[0], limit)) {
    if (data.size() > 1) data.push_back(',');
    AppendFamily(data, family, metadata);
  }
  data.push_back('}');
  return Success(data);
}

http::Response LabelApi::BuildInfo() const {
  // Grafana switches features by `version`: the Prometheus version whose semantics are implemented. The rest says who
  // really answers.
  std::string data = R"({"version":"2.42.0","application":"wiregauge","applicationVersion":)";
  AppendJsonString(data, version_);
  data += R"(,"revision":"","branch":"","buildUser":"","buildDate":"","goVersion":""})";
  return Success(data);
}

}  // namespace wiregauge::query
