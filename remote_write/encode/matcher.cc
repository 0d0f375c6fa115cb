#include "remote_write/encode/matcher.h"

#include <fmt/format.h>

namespace wiregauge::encode {

Result<Matcher> Matcher::Compile(MatchType type, std::string name, std::string value) {
  Matcher matcher(type, std::move(name), std::move(value));
  if (type == MatchType::kRegex || type == MatchType::kNotRegex) {
    if (matcher.value_.size() > kMaxRegexBytes) {
      return Error{Code::kInvalidArgument,
                   fmt::format("regular expression of {} bytes, max {}", matcher.value_.size(), kMaxRegexBytes)};
    }
    RE2::Options options;
    options.set_log_errors(false);
    auto regex = std::make_shared<RE2>("(?:" + matcher.value_ + ")", options);
    // An expression like ")(" is only made valid by our parentheses: it has to be valid alone too.
    if (!regex->ok() || !RE2(matcher.value_, options).ok()) {
      return Error{Code::kInvalidArgument,
                   fmt::format("regular expression \"{}\": {}", matcher.value_.substr(0, 200), regex->error())};
    }
    matcher.regex_ = std::move(regex);
  }
  matcher.matches_empty_ = matcher.Matches("");
  return matcher;
}

bool Matcher::Matches(std::string_view label_value) const {
  switch (type_) {
    case MatchType::kEqual: return label_value == value_;
    case MatchType::kNotEqual: return label_value != value_;
    case MatchType::kRegex: return RE2::FullMatch(re2::StringPiece(label_value.data(), label_value.size()), *regex_);
    case MatchType::kNotRegex:
      return !RE2::FullMatch(re2::StringPiece(label_value.data(), label_value.size()), *regex_);
  }
  return false;
}

}  // namespace wiregauge::encode
