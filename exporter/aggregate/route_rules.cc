#include "exporter/aggregate/route_rules.h"

#include <algorithm>
#include <utility>

#include "exporter/aggregate/route.h"

namespace wiregauge::aggregate {
namespace {

// Cuts the first segment off `rest`, which begins with its slash.
std::string_view NextSegment(std::string_view& rest) {
  rest.remove_prefix(1);
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(end);
  return segment;
}

bool IsVariable(std::string_view segment) { return segment.starts_with('{'); }

bool Fits(std::string_view route, std::string_view path, bool cut) {
  while (!route.empty()) {
    const std::string_view wanted = NextSegment(route);
    if (wanted == "*") return !path.empty();
    if (!path.starts_with('/')) return false;
    const std::string_view segment = NextSegment(path);
    const bool whole = !(cut && path.empty());
    if (!whole || (IsVariable(wanted) ? segment.empty() : segment != wanted)) return false;
  }
  return path.empty();
}

}  // namespace

Status CheckRouteRule(const RouteRule& rule) {
  const auto wrong = [&rule](std::string_view why) {
    return Error{Code::kInvalidArgument, "route template \"" + rule.route + "\": " + std::string(why)};
  };
  if (rule.service.empty()) return wrong("it names no service; \"*\" is every service");
  if (!rule.route.starts_with('/')) return wrong("it does not begin with a slash");
  if (rule.route.size() > kRouteBytesMax) return wrong("longer than " + std::to_string(kRouteBytesMax) + " bytes");
  const bool printable = std::all_of(rule.route.begin(), rule.route.end(), [](char c) {
    return c > ' ' && c < '\x7f' && c != '"' && c != '\\' && c != '?' && c != '#';
  });
  if (!printable) return wrong("not printable, or with a quote, backslash, ? or #");
  for (std::string_view rest = rule.route; !rest.empty();) {
    const std::string_view segment = NextSegment(rest);
    const bool braces = segment.find_first_of("{}") != std::string_view::npos;
    const bool variable = segment.size() > 2 && segment.front() == '{' &&
                          segment.find_first_of("{}", 1) == segment.size() - 1 && segment.back() == '}';
    if (braces && !variable) return wrong("a segment with braces is {name}, as a whole");
    if (segment == "*" && !rest.empty()) return wrong("only the last segment may be *");
  }
  return {};
}

RouteRules::RouteRules(std::vector<RouteRule> rules) : rules_(std::move(rules)) {
  std::erase_if(rules_, [](const RouteRule& rule) { return !CheckRouteRule(rule); });
  if (rules_.size() > kRulesMax) rules_.resize(kRulesMax);
}

std::vector<std::string_view> RouteRules::Of(std::string_view service) const {
  std::vector<std::string_view> routes;
  for (const std::string_view name : {service, std::string_view("*")}) {
    for (const RouteRule& rule : rules_) {
      if (rule.service == name) routes.emplace_back(rule.route);
    }
  }
  return routes;
}

std::string_view RouteRules::Match(const std::vector<std::string_view>& templates, std::string_view path, bool cut) {
  for (const std::string_view route : templates) {
    if (Fits(route, path, cut)) return route;
  }
  return {};
}

}  // namespace wiregauge::aggregate
