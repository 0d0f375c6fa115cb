#include "exporter/expose/negotiate.h"

#include <algorithm>
#include <optional>

namespace wiregauge::expose {
namespace {

constexpr std::string_view kSpaces = " \t";
constexpr std::string_view kProtoMessage = "io.prometheus.client.MetricFamily";

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

// Cuts the text before the first `mark` outside quotes off `rest`, trimmed.
std::string_view Next(std::string_view& rest, char mark) {
  bool quoted = false;
  std::size_t i = 0;
  for (; i < rest.size(); ++i) {
    if (rest[i] == '"') quoted = !quoted;
    if (rest[i] == mark && !quoted) break;
  }
  const std::string_view part = rest.substr(0, i);
  rest.remove_prefix(std::min(i + 1, rest.size()));
  return Trim(part);
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return Lower(x) == Lower(y); });
}

// 0 to 1000. A quality that is no number counts as 0: the sender did not ask for it in a way we understand.
int ParseQuality(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1') || text.size() > 5) return 0;
  int quality = (text[0] - '0') * 1000;
  if (text.size() > 1 && text[1] != '.') return 0;
  int unit = 100;
  for (std::size_t i = 2; i < text.size(); ++i, unit /= 10) {
    if (text[i] < '0' || text[i] > '9') return 0;
    quality += (text[i] - '0') * unit;
  }
  return std::min(quality, 1000);
}

struct Range {
  std::string_view name;  // "text/plain", "*/*", "gzip"
  int quality = 1000;
  std::string_view version;
  std::string_view escaping;
  std::string_view proto;
  std::string_view encoding;
};

Range ParseRange(std::string_view text) {
  Range range;
  range.name = Next(text, ';');
  while (!text.empty()) {
    std::string_view value = Next(text, ';');
    const std::string_view name = Next(value, '=');
    value = Trim(value);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    if (EqualsIgnoringCase(name, "q")) range.quality = ParseQuality(value);
    if (EqualsIgnoringCase(name, "version")) range.version = value;
    if (EqualsIgnoringCase(name, "escaping")) range.escaping = value;
    if (EqualsIgnoringCase(name, "proto")) range.proto = value;
    if (EqualsIgnoringCase(name, "encoding")) range.encoding = value;
  }
  return range;
}

std::optional<Format> FormatOf(const Range& range) {
  if (EqualsIgnoringCase(range.name, "application/vnd.google.protobuf")) {
    if (range.proto == kProtoMessage && range.encoding == "delimited") return Format::kProtobuf;
    return std::nullopt;
  }
  if (EqualsIgnoringCase(range.name, "application/openmetrics-text")) {
    if (range.version.empty() || range.version == "1.0.0") return Format::kOpenMetrics100;
    return std::nullopt;
  }
  if (EqualsIgnoringCase(range.name, "text/plain")) {
    if (range.version.empty() || range.version == "0.0.4") return Format::kText004;
    if (range.version == "1.0.0") return Format::kText100;
    return std::nullopt;
  }
  if (range.name == "*/*" || EqualsIgnoringCase(range.name, "text/*")) return Format::kText004;
  return std::nullopt;
}

bool IsKnownEscaping(std::string_view escaping) {
  return escaping == "allow-utf-8" || escaping == "underscores" || escaping == "dots" || escaping == "values";
}

std::string ContentType(Format format, std::string_view escaping) {
  std::string type;
  switch (format) {
    case Format::kText004: return "text/plain; version=0.0.4; charset=utf-8";
    case Format::kText100: type = "text/plain; version=1.0.0; charset=utf-8"; break;
    case Format::kOpenMetrics100: type = "application/openmetrics-text; version=1.0.0; charset=utf-8"; break;
    case Format::kProtobuf:
      type.append("application/vnd.google.protobuf; proto=").append(kProtoMessage).append("; encoding=delimited");
      break;
  }
  if (IsKnownEscaping(escaping)) type.append("; escaping=").append(escaping);
  return type;
}

}  // namespace

Choice ChooseFormat(std::string_view accept) {
  Format best = Format::kText004;
  int best_quality = 0;
  std::string_view escaping;
  while (!accept.empty()) {
    const Range range = ParseRange(Next(accept, ','));
    const auto format = FormatOf(range);
    if (!format || range.quality == 0) continue;
    if (range.quality < best_quality || (range.quality == best_quality && *format <= best)) continue;
    best = *format;
    best_quality = range.quality;
    escaping = range.escaping;
  }
  return {best, ContentType(best, escaping)};
}

bool WantsGzip(std::string_view accept_encoding) {
  std::optional<int> gzip;
  std::optional<int> identity;
  std::optional<int> any;
  while (!accept_encoding.empty()) {
    const Range range = ParseRange(Next(accept_encoding, ','));
    if (EqualsIgnoringCase(range.name, "gzip") || EqualsIgnoringCase(range.name, "x-gzip")) gzip = range.quality;
    if (EqualsIgnoringCase(range.name, "identity")) identity = range.quality;
    if (range.name == "*") any = range.quality;
  }
  const int wanted = gzip.value_or(any.value_or(0));
  return wanted > 0 && wanted >= identity.value_or(0);
}

}  // namespace wiregauge::expose
