#include "daemon/config/duration.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

namespace wiregauge::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};

constexpr std::array<Unit, 7> kUnits = {{{"y", 365LL * 24 * 3600 * 1000},
                                         {"w", 7LL * 24 * 3600 * 1000},
                                         {"d", 24LL * 3600 * 1000},
                                         {"h", 3600LL * 1000},
                                         {"m", 60LL * 1000},
                                         {"s", 1000},
                                         {"ms", 1}}};
constexpr std::int64_t kLongest = 100LL * 365 * 24 * 3600 * 1000;

Error Malformed(std::string_view text) {
  return Error{Code::kInvalidArgument,
               fmt::format("\"{}\" is not a duration from 0 to 100y, as in 30d, 1h30m or 250ms", text)};
}

}  // namespace

Result<std::int64_t> ParseDuration(std::string_view text) {
  if (text == "0") return std::int64_t{0};
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (failure != std::errc{} || number < 0 || rest.front() == '-') return Malformed(text);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const std::string_view name = rest.substr(0, rest.find_first_of("0123456789"));
    while (next_unit < kUnits.size() && kUnits.at(next_unit).name != name) ++next_unit;
    if (next_unit == kUnits.size()) return Malformed(text);
    const std::int64_t ms = kUnits.at(next_unit++).ms;
    if (number > (kLongest - total) / ms) return Malformed(text);
    total += number * ms;
    rest.remove_prefix(name.size());
  }
  if (text.empty()) return Malformed(text);
  return total;
}

}  // namespace wiregauge::config
