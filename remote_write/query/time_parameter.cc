#include "remote_write/query/time_parameter.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace wiregauge::query {
namespace {

constexpr std::string_view kMinTimeText = "-292273086-05-16T16:47:06Z";
constexpr std::string_view kMaxTimeText = "292277025-08-18T07:12:54.999999999Z";

std::optional<std::int64_t> ParseSeconds(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || std::isnan(seconds)) return std::nullopt;
  const double ms = std::round(seconds * 1000);
  if (ms <= static_cast<double>(kMinTimeMs)) return kMinTimeMs;
  if (ms >= static_cast<double>(kMaxTimeMs)) return kMaxTimeMs;
  return static_cast<std::int64_t>(ms);
}

// Days from 1970-01-01 of a proleptic Gregorian date: counts in 400-year cycles from 1 March of year 0.
std::int64_t DaysFromCivil(int year, int month, int day) {
  const int y = month <= 2 ? year - 1 : year;
  const int cycle = (y >= 0 ? y : y - 399) / 400;
  const int year_of_cycle = y - cycle * 400;
  const int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const int day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
  return static_cast<std::int64_t>(cycle) * 146097 + day_of_cycle - 719468;
}

bool IsLeap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int DaysInMonth(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}

// Reads fixed-width fields from the front of a text; after a mismatch ok() is false for good.
class Fields {
 public:
  explicit Fields(std::string_view text) : text_(text) {}

  int Number(std::size_t digits, int smallest, int largest) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = Next();
      if (c < '0' || c > '9') ok_ = false;
      value = value * 10 + (c - '0');
    }
    if (value < smallest || value > largest) ok_ = false;
    return ok_ ? value : smallest;
  }
  void Expect(char c) {
    if (Next() != c) ok_ = false;
  }
  char Next() {
    if (text_.empty()) {
      ok_ = false;
      return '\0';
    }
    const char c = text_.front();
    text_.remove_prefix(1);
    return c;
  }
  // Milliseconds of a fraction with its point, or 0 when there is none.
  int Fraction() {
    if (!text_.starts_with('.')) return 0;
    text_.remove_prefix(1);
    int digits = 0;
    int ms = 0;
    for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; text_.remove_prefix(1)) {
      if (digits++ < 3) ms = ms * 10 + (text_.front() - '0');
    }
    if (digits == 0) ok_ = false;
    for (; digits < 3; ++digits) ms *= 10;
    return ms;
  }
  [[nodiscard]] bool Done() const { return ok_ && text_.empty(); }

 private:
  std::string_view text_;
  bool ok_ = true;
};

std::optional<std::int64_t> ParseRfc3339(std::string_view text) {
  Fields fields(text);
  const int year = fields.Number(4, 0, 9999);
  fields.Expect('-');
  const int month = fields.Number(2, 1, 12);
  fields.Expect('-');
  const int day = fields.Number(2, 1, DaysInMonth(year, month));
  fields.Expect('T');
  const int hour = fields.Number(2, 0, 23);
  fields.Expect(':');
  const int minute = fields.Number(2, 0, 59);
  fields.Expect(':');
  const int second = fields.Number(2, 0, 59);
  const int ms = fields.Fraction();
  int offset_minutes = 0;
  const char zone = fields.Next();
  if (zone == '+' || zone == '-') {
    const int zone_hour = fields.Number(2, 0, 23);
    fields.Expect(':');
    offset_minutes = (zone_hour * 60 + fields.Number(2, 0, 59)) * (zone == '+' ? 1 : -1);
  } else if (zone != 'Z') {
    return std::nullopt;
  }
  if (!fields.Done()) return std::nullopt;
  const std::int64_t minutes = (DaysFromCivil(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
  return (minutes * 60 + second) * 1000 + ms;
}

}  // namespace

std::optional<std::int64_t> ParseTimeMs(std::string_view text) {
  if (text == kMinTimeText) return kMinTimeMs;
  if (text == kMaxTimeText || (text.starts_with('+') && text.substr(1) == kMaxTimeText)) return kMaxTimeMs;
  if (const auto seconds = ParseSeconds(text)) return seconds;
  return ParseRfc3339(text);
}

}  // namespace wiregauge::query
