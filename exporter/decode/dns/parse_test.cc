#include "exporter/decode/dns/parse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wiregauge::decode::dns {
namespace {

using namespace std::string_literals;

// dig A www.Example.com with EDNS, and unbound's answer: a CNAME, two A records, OPT.
const std::string kQuery =
    "\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x03www\x07"
    "Example\x03"
    "com\x00\x00\x01\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"s;
const std::string kAnswer =
    "\x12\x34\x81\x80\x00\x01\x00\x03\x00\x00\x00\x01\x03www\x07"
    "example\x03"
    "com\x00\x00\x01\x00\x01"
    "\xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x07\x04"
    "edge\xc0\x10"
    "\xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x5d\xb8\xd8\x22"
    "\xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x2d\x00\x04\x5d\xb8\xd8\x23"
    "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"s;

std::string Header(std::uint8_t flags, std::uint8_t code, std::uint8_t questions = 1) {
  return {0, 1, static_cast<char>(flags), static_cast<char>(code), 0, static_cast<char>(questions), 0, 0, 0, 0, 0, 0};
}

TEST(DnsParse, ReadsAQuery) {
  const auto message = ParseMessage(AsBytes(kQuery));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id, 0x1234);
  EXPECT_FALSE(message->is_answer);
  EXPECT_EQ(message->question.view(), "www.example.com");
  EXPECT_EQ(TypeName(message->type), "A");
}

TEST(DnsParse, ReadsAnAnswer) {
  const auto message = ParseMessage(AsBytes(kAnswer));
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->is_answer);
  EXPECT_EQ(CodeName(message->code), "NOERROR");
  EXPECT_EQ(message->question.view(), "www.example.com");
  ASSERT_EQ(message->address_count, 2u);
  EXPECT_EQ(message->addresses[1], (Address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 93, 184, 216, 35}));
  EXPECT_EQ(message->ttl_s, 45u);
}

TEST(DnsParse, EveryTruncationIsSafe) {
  for (const std::string& whole : {kQuery, kAnswer}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<std::uint8_t> copy(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const auto message = ParseMessage(copy);
      EXPECT_EQ(message.has_value(), size >= kHeaderBytes + 17 + 4) << size;
    }
  }
}

TEST(DnsParse, TheCodeHasItsUpperBitsInEdns) {
  std::string answer = kAnswer;
  answer[answer.size() - 6] = 1;  // the first byte of OPT's TTL
  const auto message = ParseMessage(AsBytes(answer));
  ASSERT_TRUE(message);
  EXPECT_EQ(CodeName(message->code), "BADVERS");
}

TEST(DnsParse, NamesThatRunInCirclesAreRefused) {
  EXPECT_FALSE(ParseMessage(AsBytes(Header(0, 0) + "\xc0\x0c\x00\x01\x00\x01"s)));  // to itself
  EXPECT_FALSE(ParseMessage(AsBytes(Header(0, 0) + "\xc0\x20\x00\x01\x00\x01"s)));  // forward
  EXPECT_FALSE(ParseMessage(AsBytes(Header(0, 0) + "\x40"s + std::string(64, 'a') + "\x00\x00\x01\x00\x01"s)));
}

TEST(DnsParse, NamesHaveALimit) {
  const auto name_of = [](std::size_t size) {
    std::string wire;
    for (std::size_t left = size; left > 0;) {
      const std::size_t label = left <= 63 ? left : left == 64 ? 62 : 63;
      wire += static_cast<char>(label) + std::string(label, 'a');
      left -= std::min(left, label + 1);
    }
    return wire + "\x00\x00\x01\x00\x01"s;
  };
  for (const std::size_t size : {kNameMax - 1, kNameMax}) {
    const auto message = ParseMessage(AsBytes(Header(0, 0) + name_of(size)));
    ASSERT_TRUE(message) << size;
    EXPECT_EQ(message->question.size, size);
  }
  EXPECT_FALSE(ParseMessage(AsBytes(Header(0, 0) + name_of(kNameMax + 1))));
}

TEST(DnsParse, StrangeBytesInNamesAreMasked) {
  const auto message = ParseMessage(AsBytes(Header(0, 0) + "\x06"s + "a.\n\"\\\xff" + "\x00\x00\x01\x00\x01"s));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->question.view(), "a?????");
}

TEST(DnsParse, OtherMessagesAreNoDns) {
  EXPECT_FALSE(ParseMessage(AsBytes(Header(0x28, 0) + "\x01"s + "a\x00\x00\x01\x00\x01"s)));  // an update
  EXPECT_FALSE(ParseMessage(AsBytes(Header(0, 0x40) + "\x01"s + "a\x00\x00\x01\x00\x01"s)));  // the reserved bit
  EXPECT_FALSE(ParseMessage(AsBytes(Header(0, 0, 2) + "\x01"s + "a\x00\x00\x01\x00\x01"s)));
  EXPECT_FALSE(ParseMessage(AsBytes(Header(0, 0, 0))));
  EXPECT_TRUE(ParseMessage(AsBytes(Header(0x80, 1, 0))));  // FORMERR without the question
}

TEST(DnsParse, SearchSteps) {
  EXPECT_TRUE(IsSearchStep("example.com.shop.svc.cluster.local", "example.com"));
  EXPECT_TRUE(IsSearchStep("example.com.shop.svc.cluster.local", "example.com.svc.cluster.local"));
  EXPECT_TRUE(IsSearchStep("db.svc", "db.svc.shop.svc.cluster.local"));
  EXPECT_FALSE(IsSearchStep("example.com", "example.com"));
  EXPECT_FALSE(IsSearchStep("www.example.com", "www.example.org"));
  EXPECT_FALSE(IsSearchStep("www.example.com", "mail.example.com"));
  EXPECT_FALSE(IsSearchStep("example.com", "example.community"));
  EXPECT_FALSE(IsSearchStep("ab.c.d", "a.c.d"));
  EXPECT_FALSE(IsSearchStep("", "a"));
}

TEST(DnsParse, LikenessIsSureOnlyOfAWholeQuestion) {
  const std::string query = "\x00\x2c"s + kQuery;
  const std::string answer = std::string({0, static_cast<char>(kAnswer.size())}) + kAnswer;
  EXPECT_EQ(LooksLikeRequests(AsBytes(query), false), Likeness::kYes);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(answer), false), Likeness::kYes);
  EXPECT_EQ(LooksLikeRequests(AsBytes(answer), false), Likeness::kNo);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(query), false), Likeness::kNo);
  for (std::size_t size = 1; size < 2 + kHeaderBytes + 17 + 4; ++size) {
    EXPECT_EQ(LooksLikeRequests(AsBytes(std::string_view(query).substr(0, size)), false), Likeness::kMaybe) << size;
  }
  EXPECT_EQ(LooksLikeRequests(AsBytes("GET / HTTP/1.1\r\n"), false), Likeness::kNo);
}

}  // namespace
}  // namespace wiregauge::decode::dns
