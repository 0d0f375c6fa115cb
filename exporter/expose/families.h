// What all formats do alike: names of samples, and the order of families and points.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "exporter/aggregate/snapshot.h"

namespace wiregauge::expose {

// The suffix of a family's samples, where there is only one kind of them: "_total", "_info".
std::string_view SampleSuffix(aggregate::FamilyType type);

// The family's name without its samples' suffix, which a name from another library may already have.
std::string_view BaseName(const aggregate::Family& family);

// Calls visit(family, points) for each, families by name and points by labels. Families of the same name are told as
// one, the first; of different types, that is a bug of ours and aborts.
void VisitFamilies(
    const aggregate::Snapshot& snapshot,
    const std::function<void(const aggregate::Family&, const std::vector<const aggregate::Point*>&)>& visit);

}  // namespace wiregauge::expose
