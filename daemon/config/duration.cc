#include "daemon/config/duration.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

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

Result<std::uint64_t> ParseLatency(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 5> kLatencyUnits = {
      {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
  constexpr double kShortestNs = 100e3;
  constexpr double kLongestNs = 3600e9;
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& [name, nanoseconds] : kLatencyUnits) {
    if (failure != std::errc{} || unit != name) continue;
    const double wanted = std::round(number * nanoseconds);
    if (wanted >= kShortestNs && wanted <= kLongestNs) return static_cast<std::uint64_t>(wanted);
  }
  return Error{Code::kInvalidArgument,
               fmt::format("\"{}\" is not a duration from 100us to 1h, as in 250us, 10ms or 0.5s", text)};
}

}  // namespace wiregauge::config
