// Paths to route templates: "/users/42/orders/7" -> "/users/{id}/orders/{id}". Pure and without state, so that the same
// path gives the same template on every host and after every restart. The rules are listed in README.md.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace wiregauge::aggregate {

inline constexpr std::size_t kRouteBytesMax = 128;    // a longer template says no more to a reader
inline constexpr std::size_t kRouteSegmentsMax = 12;  // deeper paths are file trees; what is below becomes {rest}

// Where FoldRoute writes. Reuse it; a call overwrites it.
using RouteBuffer = std::array<char, kRouteBytesMax + 16>;

// The template of a request path. `path` is the target without query and fragment (should one be there, it is ignored);
// `cut` says that its end is missing, so that its last segment is not known. The result is printable ASCII without
// quotes and backslashes, at most kRouteBytesMax bytes, and borrows `buffer`. Empty for an empty path.
std::string_view FoldRoute(std::string_view path, bool cut, RouteBuffer& buffer);

}  // namespace wiregauge::aggregate
