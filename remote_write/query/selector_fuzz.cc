// Any text is a selector or an error with a sentence; a selector never means every series there is.
#include <algorithm>

#include "base/error.h"
#include "remote_write/query/selector.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto matchers = wiregauge::query::ParseSelector({reinterpret_cast<const char*>(data), size});
  if (!matchers) {
    if (matchers.error().message.empty()) wiregauge::Bug("an error without a sentence");
    return 0;
  }
  const bool narrows =
      std::any_of(matchers->begin(), matchers->end(), [](const auto& matcher) { return !matcher.MatchesEmpty(); });
  if (!narrows) wiregauge::Bug("a selector that matches everything");
  return 0;
}
