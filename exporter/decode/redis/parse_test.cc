#include "exporter/decode/redis/parse.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace wiregauge::decode::redis {
namespace {

TEST(FindCommand, EveryNameIsItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 1; i < kCommands.size(); ++i) {
    const std::string_view name = kCommands[i].name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_LE(name.size(), kCommandBytesMax);
    EXPECT_EQ(FindCommand(name), i);
    std::string lower(name);
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(FindCommand(lower), i);
    EXPECT_EQ(FindCommand(lower + "%"), kOtherCommand);
  }
  for (const std::string_view name : {"", "G", "_OTHER", "JSON.GET", "GET ", "get\r", "GEORADIUSBYMEMBER_ROX"}) {
    EXPECT_EQ(FindCommand(name), kOtherCommand) << name;
  }
}

TEST(ErrorWord, OnlyKnownOnesAreTold) {
  EXPECT_EQ(ErrorWord("WRONGTYPE Operation against a key"), "WRONGTYPE");
  EXPECT_EQ(ErrorWord("MOVED 3999 127.0.0.1:6381"), "MOVED");
  EXPECT_EQ(ErrorWord("LOADING"), "LOADING");
  EXPECT_EQ(ErrorWord("user:1234 is no good"), "_OTHER");
  EXPECT_EQ(ErrorWord("err lower case"), "_OTHER");
  EXPECT_EQ(ErrorWord(""), "_OTHER");
  for (const std::string_view word : kErrorWords) {
    EXPECT_LE(word.size(), kErrorWordBytesMax);
    EXPECT_EQ(ErrorWord(word), word);
  }
}

std::string Command(std::initializer_list<std::string_view> arguments) {
  std::string text = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string_view argument : arguments) {
    text += "$" + std::to_string(argument.size()) + "\r\n" + std::string(argument) + "\r\n";
  }
  return text;
}

Request Parsed(const std::string& text) {
  Request request;
  EXPECT_EQ(ParseCommand(text + "*1", request), text.size()) << text;
  return request;
}

TEST(ParseCommand, WholeOnes) {
  const Request set = Parsed(Command({"SeT", "key", "value"}));
  EXPECT_EQ(InfoOf(set.command).name, "SET");
  EXPECT_EQ(set.arguments, 2u);
  EXPECT_EQ(set.blocks_ns, 0u);
  EXPECT_EQ(Parsed(Command({"json.set", "a", "$", ""})).command, kOtherCommand);
  EXPECT_EQ(Parsed(Command({std::string(300, 'x')})).command, kOtherCommand);
}

TEST(ParseCommand, NothingElse) {
  const std::string whole = Command({"SET", "key", "value"});
  Request request;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(ParseCommand(whole.substr(0, size), request), 0u) << size;
  }
  for (const std::string_view text :
       {"*0\r\n$3\r\nGET\r\n", "*-1\r\n$3\r\nGET\r\n", "*1\r\n:3\r\nGET\r\n", "*1\r\n$3\r\nGETX\r",
        "*1\r\n$-1\r\nGET\r\n", "*1 $3\r\nGET\r\n\r\n", "*9999999999999\r\n$3\r\nGET\r\n", "PING\r\nPING\r\n",
        "*1\r\n$99999999999999999999\r\nGET\r\n"}) {
    EXPECT_EQ(ParseCommand(text, request), 0u) << text;
  }
}

TEST(ParseCommand, HowLongACommandMayWait) {
  constexpr std::uint64_t kMs = 1'000'000;
  const auto blocks = [](std::initializer_list<std::string_view> arguments) {
    return Parsed(Command(arguments)).blocks_ns;
  };
  EXPECT_EQ(blocks({"BLPOP", "a", "b", "5"}), 5'000 * kMs);
  EXPECT_EQ(blocks({"BRPOP", "a", "0.25"}), 250 * kMs);
  EXPECT_EQ(blocks({"BRPOP", "a", "0.0000000000001"}), kForever);
  EXPECT_EQ(blocks({"BLPOP", "a", "0"}), kForever);
  EXPECT_EQ(blocks({"BLPOP", "a", "nonsense"}), kForever);
  EXPECT_EQ(blocks({"BLPOP", "a", "-1"}), kForever);
  EXPECT_EQ(blocks({"BLPOP"}), kForever);
  EXPECT_EQ(blocks({"BLMOVE", "a", "b", "LEFT", "RIGHT", "2"}), 2'000 * kMs);
  EXPECT_EQ(blocks({"BLMPOP", "3", "1", "a", "LEFT"}), 3'000 * kMs);
  EXPECT_EQ(blocks({"BZMPOP", "0", "1", "a", "MIN"}), kForever);
  EXPECT_EQ(blocks({"WAIT", "1", "100"}), 100 * kMs);
  EXPECT_EQ(blocks({"WAITAOF", "1", "1", "0"}), kForever);
  EXPECT_EQ(blocks({"XREAD", "COUNT", "2", "block", "1500", "STREAMS", "a", "$"}), 1'500 * kMs);
  EXPECT_EQ(blocks({"XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "a", ">"}), kForever);
  EXPECT_EQ(blocks({"XREAD", "STREAMS", "block", "7"}), 0u) << "a stream of that name";
  EXPECT_EQ(blocks({"LPOP", "a", "5"}), 0u);
}

TEST(ParseCommand, ReplyModes) {
  const auto mode = [](std::initializer_list<std::string_view> arguments) {
    return Parsed(Command(arguments)).reply_mode;
  };
  EXPECT_EQ(mode({"client", "reply", "off"}), ReplyMode::kOff);
  EXPECT_EQ(mode({"CLIENT", "REPLY", "ON"}), ReplyMode::kOn);
  EXPECT_EQ(mode({"CLIENT", "REPLY", "SKIP"}), ReplyMode::kSkip);
  EXPECT_EQ(mode({"CLIENT", "REPLY", "x"}), ReplyMode::kUnchanged);
  EXPECT_EQ(mode({"CLIENT", "SETNAME", "OFF"}), ReplyMode::kUnchanged);
}

TEST(ParseInline, ArgumentsAndQuotes) {
  const auto arguments = [](std::string_view line) {
    return ParseInline(line).value_or(Request{.arguments = 99}).arguments;
  };
  EXPECT_EQ(InfoOf(ParseInline("ping")->command).name, "PING");
  EXPECT_EQ(InfoOf(ParseInline("  set a b ")->command).name, "SET");
  EXPECT_EQ(InfoOf(ParseInline("\"GET\" 'a b'")->command).name, "GET");
  EXPECT_EQ(arguments("set a b"), 2u);
  EXPECT_EQ(arguments("set \"a b\\\" c\" 'd e'"), 2u);
  EXPECT_EQ(arguments("set \"open"), 1u);
  EXPECT_EQ(arguments("set \"open\\"), 1u);
  EXPECT_EQ(ParseInline("blpop a 2")->blocks_ns, 2'000'000'000u);
  EXPECT_FALSE(ParseInline(""));
  EXPECT_FALSE(ParseInline(" \t "));
}

TEST(FindRequestStart, BehindALossOnlyCommandsAreFound) {
  const std::string get = Command({"GET", "k"});
  EXPECT_EQ(FindRequestStart(get, true), 0u);
  EXPECT_EQ(FindRequestStart(get, false), std::string_view::npos);
  EXPECT_EQ(FindRequestStart("rest of it\r\n" + get, false), 12u);
  EXPECT_EQ(FindRequestStart("rest of it\n" + get, false), std::string_view::npos);
  EXPECT_EQ(FindRequestStart("*2\r\n$3", true), 0u) << "cut short";
  EXPECT_EQ(FindRequestStart("x\r\n*2\r\n$3", true), std::string_view::npos) << "cut short, and not where one begins";
  EXPECT_EQ(FindRequestStart("\r\n*2\r\n$3\r\n\x01\x02\x03\r\n" + get, true), 15u);
  EXPECT_EQ(FindRequestStart("PING\r\n", true), std::string_view::npos);
}

Likeness Requests(std::string_view bytes, bool mid_stream = false) {
  return LooksLikeRequests(AsBytes(bytes), mid_stream);
}
Likeness Answers(std::string_view bytes, bool mid_stream = false) {
  return LooksLikeAnswers(AsBytes(bytes), mid_stream);
}

TEST(Likeness, OfRequests) {
  const std::string set = Command({"SET", "key", "value"});
  for (std::size_t size = 1; size <= set.size(); ++size) {
    EXPECT_EQ(Requests(set.substr(0, size)), size < 9 ? Likeness::kMaybe : Likeness::kYes) << size;
  }
  EXPECT_EQ(Requests(Command({"FT._LIST"})), Likeness::kYes);
  for (const std::string_view no : {"*x", "*1\r\n$3\r\n\x01", "*0\r\n", "*1\r\n:3", "*1\n", "*\r\n", "* 1", "$3\r\nGET",
                                    "GETTING /", "\x16\x03\x01", "HELO x\r\n", "STARTTLS\r\n", "A1 LOGIN x y\r\n",
                                    "USER x\r\n", "SSH-2.0-x\r\n", "CONNECT {}\r\n", "*1\r\n$999999\r\n"}) {
    EXPECT_EQ(Requests(no), Likeness::kNo) << no;
  }
  EXPECT_EQ(Requests("PING\r\n"), Likeness::kMaybe);
  EXPECT_EQ(Requests("set a b"), Likeness::kMaybe);
  EXPECT_EQ(Requests("PIN"), Likeness::kMaybe);
  EXPECT_EQ(Requests("PING\r\n", true), Likeness::kNo) << "too little in the middle of something";
  EXPECT_EQ(Requests(set, true), Likeness::kYes);
}

TEST(Likeness, OfAnswers) {
  for (const std::string_view yes : {"$5\r\nhello\r\n", "$-1\r\n", ":1\r\n", "+PONG\r\n", "+QUEUED\r\n",
                                     "-NOAUTH x\r\n", "%7\r\n$6", ">3\r\n", "_\r\n"}) {
    EXPECT_EQ(Answers(yes), Likeness::kYes) << yes;
  }
  for (const std::string_view maybe : {"+OK\r\n", "+", "-ERR x\r\n", "*2\r\n$1", "$5", "$5\r", "-MY own\r\n"}) {
    EXPECT_EQ(Answers(maybe), Likeness::kMaybe) << maybe;
  }
  for (const std::string_view no : {"STORED\r\n", "HTTP/1.1 200", "$x\r\n", ":\r\n", "220 mail", "-1\r\n", "+\x01\x02",
                                    "INFO {}", "$5\rx", "\x4a\x00\x00\x00\x0a"}) {
    EXPECT_EQ(Answers(no), Likeness::kNo) << no;
  }
}

}  // namespace
}  // namespace wiregauge::decode::redis
