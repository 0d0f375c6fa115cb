#include "remote_write/query/selector.h"

#include <string>

#include <gtest/gtest.h>

namespace wiregauge::query {
namespace {

using namespace std::string_literals;

// "name op value;" for each matcher, or the error.
std::string Parsed(std::string_view text) {
  const auto matchers = ParseSelector(text);
  if (!matchers) return "error " + matchers.error().message;
  std::string out;
  constexpr const char* kOperators[] = {"=", "!=", "=~", "!~"};
  for (const auto& matcher : *matchers) {
    out += matcher.name() + kOperators[static_cast<int>(matcher.type())] + matcher.value() + ";";
  }
  return out;
}

TEST(Selector, NamesAndMatchers) {
  EXPECT_EQ(Parsed("up"), "__name__=up;");
  EXPECT_EQ(Parsed("  job:up:sum  "), "__name__=job:up:sum;");
  EXPECT_EQ(Parsed("up{}"), "__name__=up;");
  EXPECT_EQ(Parsed(R"({__name__="up"})"), "__name__=up;");
  EXPECT_EQ(Parsed(R"(up{a="b",c=~"d.*",e!="f",g!~"h"})"), "__name__=up;a=b;c=~d.*;e!=f;g!~h;");
  EXPECT_EQ(Parsed(R"(up { a = "b" , } # trailing comma, spaces, a comment)"), "__name__=up;a=b;");
  EXPECT_EQ(Parsed("up{\n a=\"b\" # one\n,c=\"d\"\n}"), "__name__=up;a=b;c=d;");
  EXPECT_EQ(Parsed(R"(up{__name__="down"})"), "__name__=up;__name__=down;");
  EXPECT_EQ(Parsed("sum"), "__name__=sum;");
}

TEST(Selector, EveryQuotingAndEscapeOfPromql) {
  EXPECT_EQ(Parsed(R"({a="it's"})"), "a=it's;");
  EXPECT_EQ(Parsed(R"({a='say "x"'})"), "a=say \"x\";");
  EXPECT_EQ(Parsed(R"({a="\"\\\a\b\f\n\r\t\v"})"), "a=\"\\\a\b\f\n\r\t\v;");
  EXPECT_EQ(Parsed(R"({a='\''})"), "a=';");
  EXPECT_EQ(Parsed(R"({a="\x41\101\u00e9\U0001F600"})"), "a=AA\xc3\xa9\xf0\x9f\x98\x80;");
  EXPECT_EQ(Parsed("{a=`\\n\"'\nb`}"), "a=\\n\"'\nb;");
  EXPECT_EQ(Parsed("{a=\"\xc3\xa9\"}"), "a=\xc3\xa9;");
  EXPECT_EQ(Parsed(R"({a="\xc3\xa9"})"), "a=\xc3\xa9;");
  for (const auto* bad : {R"({a="\'"})", R"({a='\"'})", R"({a="\q"})", R"({a="\x4"})", R"({a="\8"})", R"({a="\400"})",
                          R"({a="\ud800"})", R"({a="\U00110000"})", R"({a="\xff"})", "{a=\"\xff\"}", "{a=\"x\ny\"}",
                          R"({a="x)", R"({a="x\)", "{a=`x", R"({a="\u00e"})"}) {
    EXPECT_EQ(Parsed(bad).substr(0, 6), "error ") << bad;
  }
}

TEST(Selector, RefusesWhatIsNoSelector) {
  for (const auto* bad : {"",
                          "{",
                          "}",
                          "up{",
                          "up}",
                          "up{a}",
                          "up{a=}",
                          "up{a=b}",
                          "up{,}",
                          "up{a=\"b\",,}",
                          "up[5m]",
                          "up offset 5m",
                          "sum(up)",
                          "up{a==\"b\"}",
                          "up{a~\"b\"}",
                          "up{a!\"b\"}",
                          "9up",
                          "up{a-b=\"c\"}",
                          "up{a=~\"(\"}",
                          "up down",
                          "up{a=\"b\" c=\"d\"}",
                          "{a:b=\"c\"}"}) {
    EXPECT_EQ(Parsed(bad).substr(0, 6), "error ") << bad;
  }
}

TEST(Selector, MustNotMeanEverything) {
  const std::string everything = "error match[] must contain at least one non-empty matcher";
  EXPECT_EQ(Parsed("{}"), everything);
  EXPECT_EQ(Parsed(R"({a=""})"), everything);
  EXPECT_EQ(Parsed(R"({a=~".*",b!="c",d!~".+"})"), everything);
  EXPECT_EQ(Parsed(R"({a=~".+"})"), "a=~.+;");
  EXPECT_EQ(Parsed(R"({a!=""})"), "a!=;");
}

TEST(Selector, LengthLimitIsExact) {
  const auto of_size = [](std::size_t size) { return std::string(size, 'a'); };
  EXPECT_TRUE(ParseSelector(of_size(kMaxSelectorBytes)).has_value());
  EXPECT_FALSE(ParseSelector(of_size(kMaxSelectorBytes + 1)).has_value());
}

}  // namespace
}  // namespace wiregauge::query
