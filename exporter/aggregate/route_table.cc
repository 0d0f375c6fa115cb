#include "exporter/aggregate/route_table.h"

namespace wiregauge::aggregate {

RouteTable::RouteTable(std::size_t routes_max, std::size_t not_found_max)
    : routes_max_(routes_max),
      not_found_max_(not_found_max),
      texts_{std::string(), std::string(kOtherText)},
      only_not_found_(2, false) {}

RouteId RouteTable::IdOf(std::string_view route, bool not_found) {
  if (route.empty()) return kNoRoute;
  if (const auto known = ids_.find(route); known != ids_.end()) {
    const RouteId id = known->second;
    if (!not_found && only_not_found_[id]) {
      only_not_found_[id] = false;
      --not_found_count_;
    }
    return id;
  }
  if (ids_.size() >= routes_max_ || (not_found && not_found_count_ >= not_found_max_)) return kOtherRoute;
  if (free_.empty()) {
    free_.push_back(static_cast<RouteId>(texts_.size()));
    texts_.emplace_back();
    only_not_found_.push_back(false);
  }
  const RouteId id = free_.back();
  free_.pop_back();
  texts_[id] = route;
  only_not_found_[id] = not_found;
  not_found_count_ += not_found ? 1 : 0;
  ids_.emplace(std::string(route), id);
  return id;
}

void RouteTable::Keep(const std::vector<bool>& used) {
  for (auto at = ids_.begin(); at != ids_.end();) {
    const auto current = at++;
    const RouteId id = current->second;
    if (id < used.size() && used[id]) continue;
    not_found_count_ -= only_not_found_[id] ? 1 : 0;
    only_not_found_[id] = false;
    texts_[id].clear();
    free_.push_back(id);
    ids_.erase(current);
  }
}

}  // namespace wiregauge::aggregate
