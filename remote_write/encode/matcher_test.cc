#include "remote_write/encode/matcher.h"

#include <gtest/gtest.h>

namespace wiregauge::encode {
namespace {

bool Matches(MatchType type, std::string pattern, std::string_view value) {
  const auto matcher = Matcher::Compile(type, "l", std::move(pattern));
  EXPECT_TRUE(matcher.has_value());
  return matcher->Matches(value);
}

TEST(Matcher, RegexIsAnchoredAtBothEndsRe2) {
  EXPECT_TRUE(Matches(MatchType::kRegex, "a.*", "abc"));
  EXPECT_FALSE(Matches(MatchType::kRegex, "b", "abc"));
  EXPECT_TRUE(Matches(MatchType::kRegex, "a|abc", "abc"));
  EXPECT_TRUE(Matches(MatchType::kRegex, "", ""));
  EXPECT_FALSE(Matches(MatchType::kRegex, "", "a"));
  EXPECT_FALSE(Matches(MatchType::kRegex, "a|b", "ab"));
  EXPECT_TRUE(Matches(MatchType::kRegex, "(?i)ABC", "abc"));
  EXPECT_FALSE(Matches(MatchType::kRegex, "a.b", "a\nb"));  // 2.42: the dot is no newline
  EXPECT_TRUE(Matches(MatchType::kRegex, "(?s)a.b", "a\nb"));
  EXPECT_FALSE(Matches(MatchType::kRegex, "(?m)a$", "a\nb"));
  EXPECT_TRUE(Matches(MatchType::kRegex, "caf.", "caf\xc3\xa9"));
  EXPECT_TRUE(Matches(MatchType::kNotRegex, "b", "abc"));
  EXPECT_FALSE(Matches(MatchType::kNotRegex, ".*", ""));
}

TEST(Matcher, EqualityIsByteForByte) {
  EXPECT_TRUE(Matches(MatchType::kEqual, "a.b", "a.b"));
  EXPECT_FALSE(Matches(MatchType::kEqual, "a.b", "axb"));
  EXPECT_TRUE(Matches(MatchType::kNotEqual, "a", ""));
}

TEST(Matcher, KnowsWhetherItTakesTheEmptyValue) {
  const auto takes_empty = [](MatchType type, std::string value) {
    return Matcher::Compile(type, "l", std::move(value))->MatchesEmpty();
  };
  EXPECT_TRUE(takes_empty(MatchType::kEqual, ""));
  EXPECT_FALSE(takes_empty(MatchType::kEqual, "a"));
  EXPECT_TRUE(takes_empty(MatchType::kNotEqual, "a"));
  EXPECT_FALSE(takes_empty(MatchType::kNotEqual, ""));
  EXPECT_TRUE(takes_empty(MatchType::kRegex, ".*"));
  EXPECT_FALSE(takes_empty(MatchType::kRegex, ".+"));
  EXPECT_FALSE(takes_empty(MatchType::kNotRegex, ".*"));
  EXPECT_TRUE(takes_empty(MatchType::kNotRegex, ".+"));
}

TEST(Matcher, RefusesWhatIsNoExpression) {
  for (const std::string bad : {"(", ")(", "[", "a{2,1}", "(?<", "\\", "a**", "(?!x)"}) {
    const auto matcher = Matcher::Compile(MatchType::kRegex, "l", bad);
    ASSERT_FALSE(matcher.has_value()) << bad;
    EXPECT_EQ(matcher.error().code, Code::kInvalidArgument);
  }
  EXPECT_TRUE(Matcher::Compile(MatchType::kRegex, "l", std::string(Matcher::kMaxRegexBytes, 'a')).has_value());
  EXPECT_FALSE(Matcher::Compile(MatchType::kRegex, "l", std::string(Matcher::kMaxRegexBytes + 1, 'a')).has_value());
}

}  // namespace
}  // namespace wiregauge::encode
