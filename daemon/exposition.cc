#include "daemon/exposition.h"

#include <fmt/format.h>

namespace wiregauge::expose {
namespace {

std::string_view TypeName(aggregate::FamilyType type) {
  switch (type) {
    case aggregate::FamilyType::kCounter: return "counter";
    case aggregate::FamilyType::kGauge:
    case aggregate::FamilyType::kInfo: return "gauge";
    case aggregate::FamilyType::kHistogram: return "histogram";
    case aggregate::FamilyType::kSummary: return "summary";
    case aggregate::FamilyType::kUnknown: return "untyped";
  }
  return "untyped";
}

std::string LabelText(const aggregate::Labels& labels, std::string_view extra) {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += out.empty() ? "" : ",";
    out += name + "=\"";
    for (const char c : value) {
      if (c == '\n') {
        out += "\\n";
      } else {
        if (c == '"' || c == '\\') out.push_back('\\');
        out.push_back(c);
      }
    }
    out += '"';
  }
  if (!extra.empty()) out.append(out.empty() ? "" : ",").append(extra);
  return out.empty() ? out : "{" + out + "}";
}

std::string Bound(double value) { return value > 1e300 ? "+Inf" : fmt::format("{}", value); }

}  // namespace

Exposition Render(const aggregate::Snapshot& snapshot, std::string_view /*accept*/,
                  std::string_view /*accept_encoding*/) {
  std::string out;
  for (const auto& family : snapshot) {
    const std::string name = family.type == aggregate::FamilyType::kCounter ? family.name + "_total" : family.name;
    out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, family.help, TypeName(family.type));
    for (const auto& point : family.points) {
      if (family.type != aggregate::FamilyType::kHistogram) {
        out += fmt::format("{}{} {}\n", name, LabelText(point.labels, ""), point.value);
        continue;
      }
      for (const auto& bucket : point.buckets) {
        out += fmt::format("{}_bucket{} {}\n", name,
                           LabelText(point.labels, "le=\"" + Bound(bucket.upper_bound) + "\""), bucket.cumulative);
      }
      out += fmt::format("{}_sum{} {}\n", name, LabelText(point.labels, ""), point.sum);
      out += fmt::format("{}_count{} {}\n", name, LabelText(point.labels, ""), point.count);
    }
  }
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .content_encoding = "", .body = std::move(out)};
}

}  // namespace wiregauge::expose
