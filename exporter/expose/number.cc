#include "exporter/expose/number.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string_view>

namespace wiregauge::expose {
namespace {

constexpr double kWholeMax = 9007199254740992.0;  // 2^53: above it not every whole number is a double
constexpr std::size_t kDigitsMax = 32;            // the longest shortest double has 24 characters

// True when it was one of the three values without digits.
bool AppendSpecial(double value, std::string& out) {
  if (std::isfinite(value)) return false;
  out += std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  return true;
}

bool IsWhole(double value) {
  return std::abs(value) < kWholeMax && std::trunc(value) == value && !(value == 0 && std::signbit(value));
}

}  // namespace

void AppendNumber(std::uint64_t value, std::string& out) {
  std::array<char, kDigitsMax> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

void AppendNumber(double value, std::string& out) {
  if (AppendSpecial(value, out)) return;
  std::array<char, kDigitsMax> text;
  char* const last = text.data() + text.size();
  const char* end = IsWhole(value) ? std::to_chars(text.data(), last, static_cast<std::int64_t>(value)).ptr
                                   : std::to_chars(text.data(), last, value).ptr;
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

void AppendBound(double bound, bool always_float, std::string& out) {
  if (AppendSpecial(bound, out)) return;
  const double magnitude = std::abs(bound);
  const bool plain = bound == 0 || (magnitude >= 1e-4 && magnitude < 1e6);
  std::array<char, kDigitsMax> text;
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const char* end = std::to_chars(text.data(), text.data() + text.size(), bound, format).ptr;
  const std::string_view written(text.data(), static_cast<std::size_t>(end - text.data()));
  out += written;
  if (always_float && plain && written.find('.') == std::string_view::npos) out += ".0";
}

void AppendTimestamp(double unix_s, std::string& out) {
  if (AppendSpecial(unix_s, out)) return;
  std::array<char, 400> text;  // fixed notation of the largest double
  const auto end = std::to_chars(text.data(), text.data() + text.size(), unix_s, std::chars_format::fixed, 3).ptr;
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

}  // namespace wiregauge::expose
