#include "exporter/decode/memcached/parse.h"

#include <string>

#include <gtest/gtest.h>

namespace wiregauge::decode::memcached {
namespace {

TEST(ParseRequestLine, Storage) {
  const RequestLine set = ParseRequestLine("set key 0 3600 5");
  EXPECT_EQ(set.request.command, Command::kSet);
  EXPECT_EQ(set.value_bytes, 5u);
  EXPECT_FALSE(set.request.noreply);
  EXPECT_TRUE(ParseRequestLine("append key 0 -1 0 noreply").request.noreply);
  EXPECT_EQ(ParseRequestLine("cas key 1 0 7 12345").value_bytes, 7u);
  EXPECT_TRUE(ParseRequestLine("cas key 1 0 7 12345 noreply").request.noreply);
  for (const std::string line : {"set", "set key", "set key 0 0", "set key 0 0 x", "set key 0 0 -1", "set key x 0 1",
                                 "cas key 0 0 1", "set key 0 0 99999999999"}) {
    EXPECT_FALSE(ParseRequestLine(line).value_bytes) << line;
  }
  EXPECT_TRUE(ParseRequestLine("set " + std::string(kKeyBytesMax, 'k') + " 0 0 1").value_bytes);
  EXPECT_FALSE(ParseRequestLine("set " + std::string(kKeyBytesMax + 1, 'k') + " 0 0 1").value_bytes);
}

TEST(ParseRequestLine, Others) {
  for (std::size_t i = 1; i < kCommandNames.size(); ++i) {
    EXPECT_EQ(ParseRequestLine(kCommandNames[i]).request.command, static_cast<Command>(i));
  }
  EXPECT_EQ(ParseRequestLine("GET key").request.command, Command::kOther) << "names are lower case";
  EXPECT_EQ(ParseRequestLine("").request.command, Command::kOther);
  EXPECT_TRUE(ParseRequestLine("delete key noreply").request.noreply);
  EXPECT_TRUE(ParseRequestLine("flush_all noreply").request.noreply);
  EXPECT_FALSE(ParseRequestLine("get noreply noreply").request.noreply) << "a key";
}

TEST(ParseRequestLine, Meta) {
  const Request get = ParseRequestLine("mg key v q k O77").request;
  EXPECT_EQ(get.command, Command::kMetaGet);
  EXPECT_TRUE(get.quiet);
  EXPECT_NE(get.key, 0u);
  EXPECT_NE(get.opaque, 0u);
  EXPECT_EQ(ParseRequestLine("mg q v").request.quiet, false) << "a key";
  const RequestLine set = ParseRequestLine("ms key 12 T0 q");
  EXPECT_EQ(set.value_bytes, 12u);
  EXPECT_TRUE(set.request.quiet);
  EXPECT_FALSE(ParseRequestLine("ms key x").value_bytes);
  EXPECT_EQ(ParseRequestLine("mn").request.command, Command::kMetaNoop);
}

TEST(ParseAnswerLine, LinesThatEndAnAnswer) {
  for (const Code code :
       {Code::kStored, Code::kNotStored, Code::kExists, Code::kNotFound, Code::kDeleted, Code::kTouched, Code::kOk,
        Code::kReset, Code::kEnd, Code::kMetaHit, Code::kMetaMiss, Code::kMetaNotFound, Code::kMetaNotStored,
        Code::kMetaExists, Code::kMetaNoop, Code::kError, Code::kBusy}) {
    const auto read = ParseAnswerLine(CodeName(code));
    ASSERT_TRUE(read) << CodeName(code);
    EXPECT_EQ(read->answer.code, code);
    EXPECT_FALSE(read->value_bytes);
  }
  EXPECT_EQ(ParseAnswerLine("VERSION 1.6.18")->answer.code, Code::kVersion);
  EXPECT_EQ(ParseAnswerLine("SERVER_ERROR object too large for cache")->answer.code, Code::kServerError);
  EXPECT_EQ(ParseAnswerLine("CLIENT_ERROR bad data chunk")->answer.code, Code::kClientError);
  EXPECT_EQ(ParseAnswerLine("12  ")->answer.code, Code::kNumber);
  EXPECT_EQ(ParseAnswerLine("ME key exp=-1")->answer.code, Code::kMetaDebug);
  EXPECT_EQ(ParseAnswerLine("VA 5 f0 O7")->value_bytes, 5u);
  EXPECT_EQ(ParseAnswerLine("VA 5 f0 O7")->answer.opaque, ParseRequestLine("mg key O7").request.opaque);
  EXPECT_EQ(ParseAnswerLine("HD kkey")->answer.key, ParseRequestLine("mg key k").request.key);
  EXPECT_EQ(ParseAnswerLine("EN O7")->answer.opaque, ParseRequestLine("mg key O7").request.opaque);
}

TEST(ParseAnswerLine, LinesThatDoNot) {
  for (const std::string_view line : {"STAT pid 1", "ITEM key [5 b; 0 s]", "PREFIX a get 1", "key=a exp=-1", "mg a"}) {
    EXPECT_EQ(ParseAnswerLine(line)->answer.code, Code::kNone) << line;
  }
  const auto value = ParseAnswerLine("VALUE key 0 5 77");
  EXPECT_EQ(value->value_bytes, 5u);
  EXPECT_TRUE(value->is_value);
  EXPECT_TRUE(ParseAnswerLine("ts=1.2 gid=1 type=item_get")->is_log);
  for (const std::string_view line :
       {"", "VALUE key 0", "VALUE key x 5", "VA", "VA x", "+OK", "stored", "HTTP/1.1 200"}) {
    EXPECT_FALSE(ParseAnswerLine(line)) << line;
  }
}

TEST(FindRequestStart, BehindALoss) {
  EXPECT_EQ(FindRequestStart("get key\r\n", true), 0u);
  EXPECT_EQ(FindRequestStart("get key\r\n", false), std::string_view::npos);
  EXPECT_EQ(FindRequestStart("lue\r\nset key 0 0 5\r\n", true), 5u);
  EXPECT_EQ(FindRequestStart("lue\r\nset key 0 0 5", true), std::string_view::npos) << "not whole";
  EXPECT_EQ(FindRequestStart("the get key\r\nget \r\nmn\r\n", true), 19u);
}

Likeness Requests(std::string_view bytes, bool mid_stream = false) {
  return LooksLikeRequests(AsBytes(bytes), mid_stream);
}
Likeness Answers(std::string_view bytes, bool mid_stream = false) {
  return LooksLikeAnswers(AsBytes(bytes), mid_stream);
}

TEST(Likeness, OfRequests) {
  EXPECT_EQ(Requests("set key 0 0 5\r\n"), Likeness::kYes);
  EXPECT_EQ(Requests("ms key 5 T0\r\n", true), Likeness::kYes);
  for (const std::string_view maybe :
       {"g", "get", "get key\r\n", "set key 0", "mg key v\r\n", "mn\r\n", "version\r\n", "stats\r\n"}) {
    EXPECT_EQ(Requests(maybe), Likeness::kMaybe) << maybe;
    EXPECT_EQ(Requests(maybe, true), Likeness::kNo) << maybe;
  }
  for (const std::string_view no : {"GET / HTTP/1.1\r\n", "*1\r\n", "x", "HELO a\r\n", "set key value\r\n", "get \r\n",
                                    "\x80\x01", "getx key\r\n", "set key 0 0\r\n"}) {
    EXPECT_EQ(Requests(no), Likeness::kNo) << no;
  }
}

TEST(Likeness, OfAnswers) {
  for (const std::string_view yes : {"STORED\r\n", "VALUE key 0 5\r\nhe", "END\r\n", "NOT_STORED\r\n", "VA 5 f0\r\n"}) {
    EXPECT_EQ(Answers(yes), Likeness::kYes) << yes;
  }
  for (const std::string_view maybe :
       {"S", "VAL", "OK\r\n", "ERROR\r\n", "12\r\n", "HD\r\n", "VERSION 1", "STAT pid"}) {
    EXPECT_EQ(Answers(maybe), Likeness::kMaybe) << maybe;
  }
  for (const std::string_view no : {"+OK\r\n", "HTTP/1.1 200 OK\r\n", "220 mail\r\n\r\nx", "$5\r\n", "Hello\r\n"}) {
    EXPECT_EQ(Answers(no), no.starts_with("220") ? Likeness::kMaybe : Likeness::kNo) << no;
  }
}

}  // namespace
}  // namespace wiregauge::decode::memcached
