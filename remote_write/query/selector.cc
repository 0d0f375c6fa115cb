#include "remote_write/query/selector.h"

#include <optional>
#include <string>

#include <fmt/format.h>

#include "remote_write/receive/labels.h"

namespace wiregauge::query {
namespace {

using encode::Matcher;
using encode::MatchType;

bool IsIdentifierStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsIdentifier(char c) { return IsIdentifierStart(c) || (c >= '0' && c <= '9'); }

void AppendUtf8(std::uint32_t point, std::string& out) {
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xc0 | point >> 6));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | point >> 12));
    out.push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xf0 | point >> 18));
    out.push_back(static_cast<char>(0x80 | (point >> 12 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  }
}

// A recursive-descent parser over one selector. Every step either moves on or sets the error; the first error stays.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Matcher>> Run() {
    SkipSpace();
    const bool named = position_ < text_.size() && (IsIdentifierStart(text_[position_]) || text_[position_] == ':');
    if (named) AddMatcher(MatchType::kEqual, std::string(receive::kMetricName), std::string(Word(true)));
    SkipSpace();
    if (Take('{')) {
      Braces();
    } else if (!named) {
      Fail("unexpected end or character, want a metric name or \"{\"");
    }
    SkipSpace();
    if (!error_ && position_ < text_.size()) Fail("unexpected character after the selector");
    if (error_) return *error_;
    for (const Matcher& matcher : matchers_) {
      if (!matcher.MatchesEmpty()) return std::move(matchers_);
    }
    return Error{Code::kInvalidArgument, "match[] must contain at least one non-empty matcher"};
  }

 private:
  void Braces() {
    SkipSpace();
    while (!error_ && !Take('}')) {
      OneMatcher();
      SkipSpace();
      if (error_ || Take('}')) return;
      if (!Take(',')) {
        Fail("unexpected end or character in label matching, want \",\" or \"}\"");
        return;
      }
      SkipSpace();
    }
  }

  void OneMatcher() {
    if (position_ >= text_.size() || !IsIdentifierStart(text_[position_])) {
      Fail("unexpected end or character in label matching, want a label name or \"}\"");
      return;
    }
    const std::string label(Word(false));
    SkipSpace();
    const auto type = Operator();
    SkipSpace();
    if (!type) {
      Fail("unexpected end or character in label matching, want one of = != =~ !~");
      return;
    }
    const auto value = Quoted();
    if (value) AddMatcher(*type, label, *value);
  }

  void AddMatcher(MatchType type, std::string label, std::string value) {
    auto matcher = Matcher::Compile(type, std::move(label), std::move(value));
    if (!matcher) {
      Fail(matcher.error().message);
    } else {
      matchers_.push_back(*std::move(matcher));
    }
  }

  std::optional<MatchType> Operator() {
    if (Take('=')) return Take('~') ? MatchType::kRegex : MatchType::kEqual;
    if (!Take('!')) return std::nullopt;
    if (Take('=')) return MatchType::kNotEqual;
    return Take('~') ? std::optional(MatchType::kNotRegex) : std::nullopt;
  }

  std::string_view Word(bool colons) {
    const std::size_t begin = position_;
    while (position_ < text_.size() && (IsIdentifier(text_[position_]) || (colons && text_[position_] == ':'))) {
      ++position_;
    }
    return text_.substr(begin, position_ - begin);
  }

  // Double or single quotes with escapes, or back quotes without.
  std::optional<std::string> Quoted() {
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    if (quote != '"' && quote != '\'' && quote != '`') return Fail("unexpected end or character, want a string");
    ++position_;
    std::string out;
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (c == quote) {
        ++position_;
        if (!receive::IsValidUtf8(out)) return Fail("string is not UTF-8");
        return out;
      }
      if (c == '\n' && quote != '`') return Fail("unterminated quoted string");
      ++position_;
      if (c != '\\' || quote == '`') {
        if (c != '\r' || quote != '`') out.push_back(c);  // Go drops carriage returns in raw strings
      } else if (!Escape(quote, out)) {
        return Fail("invalid escape sequence in a string");
      }
    }
    return Fail("unterminated quoted string");
  }

  // What follows a backslash.
  bool Escape(char quote, std::string& out) {
    if (position_ >= text_.size()) return false;
    const char c = text_[position_++];
    constexpr std::string_view kLetters = "abfnrtv\\";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\";
    if (const std::size_t at = kLetters.find(c); at != std::string_view::npos) {
      out.push_back(kMeanings[at]);
      return true;
    }
    if (c == quote) {
      out.push_back(c);
      return true;
    }
    switch (c) {
      case 'x': return EscapedByte(2, 16, out);
      case 'u': return EscapedPoint(4, out);
      case 'U': return EscapedPoint(8, out);
      default: --position_; return c >= '0' && c <= '7' && EscapedByte(3, 8, out);
    }
  }

  bool EscapedByte(std::size_t digits, int base, std::string& out) {
    const auto value = Number(digits, base);
    if (!value || *value > 0xff) return false;
    out.push_back(static_cast<char>(*value));
    return true;
  }

  bool EscapedPoint(std::size_t digits, std::string& out) {
    const auto value = Number(digits, 16);
    if (!value || *value > 0x10ffff || (*value >= 0xd800 && *value <= 0xdfff)) return false;
    AppendUtf8(*value, out);
    return true;
  }

  std::optional<std::uint32_t> Number(std::size_t digits, int base) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = position_ < text_.size() ? text_[position_] : '\0';
      int digit = 99;
      if (c >= '0' && c <= '9') digit = c - '0';
      if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
      if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
      if (digit >= base) return std::nullopt;
      value = value * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(digit);
      ++position_;
    }
    return value;
  }

  bool Take(char c) {
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  void SkipSpace() {
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (c == '#') {
        const std::size_t line_end = text_.find('\n', position_);
        position_ = line_end == std::string_view::npos ? text_.size() : line_end;
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++position_;
      } else {
        return;
      }
    }
  }

  std::nullopt_t Fail(std::string_view what) {
    if (!error_) {
      error_ = Error{Code::kInvalidArgument, fmt::format("1:{}: parse error: {}", position_ + 1, what)};
    }
    position_ = text_.size();
    return std::nullopt;
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::vector<Matcher> matchers_;
  std::optional<Error> error_;
};

}  // namespace

Result<std::vector<encode::Matcher>> ParseSelector(std::string_view text) {
  if (text.size() > kMaxSelectorBytes) {
    return Error{Code::kInvalidArgument,
                 fmt::format("parse error: selector of {} bytes, max {}", text.size(), kMaxSelectorBytes)};
  }
  return Parser(text).Run();
}

}  // namespace wiregauge::query
