// Route templates that an operator names, by service: "/users/{id}/orders". They come before the folding of route.h.
// Immutable after construction.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wiregauge::aggregate {

// A template: segments that a path must have as they are, "{anything}" for one segment that is not empty, "*" as the
// last segment for any number of them.
struct RouteRule {
  std::string service;  // the service's name; "*": every service
  std::string route;

  bool operator==(const RouteRule&) const = default;
};

class RouteRules {
 public:
  // A service's paths are compared with each of its templates until one fits.
  static constexpr std::size_t kRulesMax = 1'000;

  RouteRules() = default;
  // Rules that CheckRouteRule refuses match nothing.
  explicit RouteRules(std::vector<RouteRule> rules);

  // The templates of a service in the order in which they are tried: its own, then those of all. They live as long as
  // this.
  [[nodiscard]] std::vector<std::string_view> Of(std::string_view service) const;

  // The first of `templates` that the path fits; empty when none does. `cut`: the path's end is missing.
  static std::string_view Match(const std::vector<std::string_view>& templates, std::string_view path, bool cut);

 private:
  std::vector<RouteRule> rules_;
};

// kInvalidArgument with what is wrong: not a path of printable characters, longer than kRouteBytesMax, braces that are
// not a whole segment, "*" before the end.
Status CheckRouteRule(const RouteRule& rule);

}  // namespace wiregauge::aggregate
