#include "exporter/expose/families.h"

#include <algorithm>

#include "base/error.h"

namespace wiregauge::expose {

using aggregate::Family;
using aggregate::Point;

std::string_view SampleSuffix(aggregate::FamilyType type) {
  using aggregate::FamilyType;
  if (type == FamilyType::kCounter) return "_total";
  if (type == FamilyType::kInfo) return "_info";
  return {};
}

std::string_view BaseName(const aggregate::Family& family) {
  std::string_view name = family.name;
  const std::string_view suffix = SampleSuffix(family.type);
  if (!suffix.empty() && name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return name;
}

void VisitFamilies(const aggregate::Snapshot& snapshot,
                   const std::function<void(const Family&, const std::vector<const Point*>&)>& visit) {
  std::vector<const Family*> order;
  for (const Family& family : snapshot) order.push_back(&family);
  std::stable_sort(order.begin(), order.end(),
                   [](const Family* a, const Family* b) { return BaseName(*a) < BaseName(*b); });
  const auto before = [](const Point* a, const Point* b) { return a->labels < b->labels; };
  std::vector<const Point*> points;
  for (std::size_t i = 0; i < order.size();) {
    const Family& first = *order[i];
    points.clear();
    for (; i < order.size() && BaseName(*order[i]) == BaseName(first); ++i) {
      if (order[i]->type != first.type) Bug("metric family " + first.name + " has two types");
      for (const Point& point : order[i]->points) points.push_back(&point);
    }
    if (!std::is_sorted(points.begin(), points.end(), before)) {
      std::stable_sort(points.begin(), points.end(), before);
    }
    visit(first, points);
  }
}

}  // namespace wiregauge::expose
