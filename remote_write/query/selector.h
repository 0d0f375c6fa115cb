// Series selectors as PromQL writes them: `up`, `up{job="a",zone=~"eu.*"}`, `{__name__="up"}`. The grammar of
// Prometheus 2.42's ParseMetricSelector: double, single and back quotes with Go's escapes, a trailing comma, comments,
// no range, offset or @. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "remote_write/encode/matcher.h"

namespace wiregauge::query {

// Bytes of one selector: above every dashboard's, and each matcher may hold a regular expression.
inline constexpr std::size_t kMaxSelectorBytes = 128u << 10;

// At least one matcher, one of which does not match the empty value: otherwise every series there is would be meant.
// kInvalidArgument with "1:COLUMN: parse error: …".
Result<std::vector<encode::Matcher>> ParseSelector(std::string_view text);

}  // namespace wiregauge::query
