// Helpers to put points of a Snapshot together.
#pragma once

#include <string>
#include <string_view>

#include "exporter/aggregate/snapshot.h"

namespace wiregauge::aggregate {

// Appends a label; an empty value means no label. Callers add in order of name.
void AddLabel(std::string_view name, std::string_view value, Labels& labels);

// A family without points.
Family MakeFamily(std::string_view name, std::string_view unit, FamilyType type, std::string_view help);

// Sorts the points by labels and adds up those with equal ones (two ids whose names came out the same), so that no
// label set is told twice.
void SortAndMerge(Family& family);

}  // namespace wiregauge::aggregate
