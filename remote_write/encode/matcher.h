// A label matcher, with the semantics of Prometheus 2.42: a label that a series does not have counts as "", regular
// expressions are RE2 and anchored at both ends. Immutable after Compile; thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <re2/re2.h>

#include "base/result.h"

namespace wiregauge::encode {

enum class MatchType { kEqual, kNotEqual, kRegex, kNotRegex };

class Matcher {
 public:
  // Bytes of a regular expression: far above what dashboards' alternations of hosts need, far below what would make
  // RE2 spend its memory budget (8 MiB, after which the expression is refused too).
  static constexpr std::size_t kMaxRegexBytes = 64u << 10;

  // kInvalidArgument with RE2's own words for a bad expression.
  static Result<Matcher> Compile(MatchType type, std::string name, std::string value);

  [[nodiscard]] bool Matches(std::string_view label_value) const;
  [[nodiscard]] bool MatchesEmpty() const { return matches_empty_; }

  [[nodiscard]] MatchType type() const { return type_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& value() const { return value_; }

 private:
  Matcher(MatchType type, std::string name, std::string value)
      : type_(type), name_(std::move(name)), value_(std::move(value)) {}

  MatchType type_;
  std::string name_;
  std::string value_;
  std::shared_ptr<const RE2> regex_;  // for kRegex and kNotRegex
  bool matches_empty_ = false;
};

}  // namespace wiregauge::encode
