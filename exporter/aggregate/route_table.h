// The routes of one service as small integers, with a budget: what a scanner or a path that FoldRoute cannot fold makes
// is collapsed into one route, so that the number of series is bounded and totals stay exact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

namespace wiregauge::aggregate {

using RouteId = std::uint16_t;
inline constexpr RouteId kNoRoute = 0;     // the empty route: no label
inline constexpr RouteId kOtherRoute = 1;  // "_OTHER"
inline constexpr std::string_view kOtherText = "_OTHER";

// Hash that looks up string views without making strings.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

// One thread at a time.
class RouteTable {
 public:
  // A service of normal size has 10 to 60 routes; more are rather unfolded data.
  static constexpr std::size_t kRoutesMax = 100;
  // Routes seen with nothing but 404: a quarter of the budget, so that scanners cannot take all of it.
  static constexpr std::size_t kNotFoundRoutesMax = 25;

  explicit RouteTable(std::size_t routes_max = kRoutesMax, std::size_t not_found_max = kNotFoundRoutesMax);

  // The route's id; kOtherRoute when it is new and over its budget.
  RouteId IdOf(std::string_view route, bool not_found);
  // Lives until the next Keep. Empty for kNoRoute.
  [[nodiscard]] std::string_view TextOf(RouteId id) const { return texts_[id]; }
  // Forgets the routes whose ids are not marked; their ids are used again. `used` is indexed by id, of any size.
  void Keep(const std::vector<bool>& used);
  [[nodiscard]] std::size_t size() const { return ids_.size(); }  // without the two fixed ones

 private:
  std::size_t routes_max_;
  std::size_t not_found_max_;
  absl::flat_hash_map<std::string, RouteId, TextHash, std::equal_to<>> ids_;
  std::vector<std::string> texts_;    // by id
  std::vector<bool> only_not_found_;  // by id
  std::vector<RouteId> free_;
  std::size_t not_found_count_ = 0;
};

}  // namespace wiregauge::aggregate
