#include "exporter/decode/postgresql/parse.h"

#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/postgresql/golden.h"

namespace wiregauge::decode::postgresql {
namespace {

using namespace std::string_view_literals;

std::string Big32(std::uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<char>(value >> shift));
  return text;
}

std::string Message(char type, std::string_view body) {
  return type + Big32(static_cast<std::uint32_t>(body.size() + 4)) + std::string(body);
}

TEST(PostgresqlParse, Openings) {
  const auto parse = [](std::uint32_t length, std::uint32_t code) {
    return ParseOpening(AsBytes(Big32(length) + Big32(code)));
  };
  EXPECT_EQ(parse(8, 80877103), Opening::kSslRequest);
  EXPECT_EQ(parse(9, 80877103), Opening::kNone);
  EXPECT_EQ(parse(8, 80877104), Opening::kGssEncRequest);
  EXPECT_EQ(parse(7, 80877104), Opening::kNone);
  EXPECT_EQ(parse(16, 80877102), Opening::kCancelRequest);
  EXPECT_EQ(parse(15, 80877102), Opening::kNone);
  EXPECT_EQ(parse(268, 80877102), Opening::kCancelRequest);
  EXPECT_EQ(parse(269, 80877102), Opening::kNone);
  EXPECT_EQ(parse(9, 3 << 16), Opening::kStartup);
  EXPECT_EQ(parse(8, 3 << 16), Opening::kNone);
  EXPECT_EQ(parse(10'000, 3 << 16 | 2), Opening::kStartup);
  EXPECT_EQ(parse(10'001, 3 << 16), Opening::kNone);
  EXPECT_EQ(parse(40, 2 << 16), Opening::kNone);
  EXPECT_EQ(parse(40, 4 << 16), Opening::kNone);
}

TEST(PostgresqlParse, LengthsAtTheirLimits) {
  struct Case {
    Sender sender;
    char type;
    std::uint32_t min;
    std::uint32_t max;
  };
  for (const Case& c : {Case{Sender::kClient, 'Q', 5, kLargeBytesMax}, Case{Sender::kClient, 'P', 8, kLargeBytesMax},
                        Case{Sender::kClient, 'B', 12, kLargeBytesMax}, Case{Sender::kClient, 'E', 9, kSmallBytesMax},
                        Case{Sender::kClient, 'D', 6, kSmallBytesMax}, Case{Sender::kClient, 'C', 6, kSmallBytesMax},
                        Case{Sender::kClient, 'S', 4, 4}, Case{Sender::kClient, 'H', 4, 4},
                        Case{Sender::kClient, 'X', 4, 4}, Case{Sender::kClient, 'p', 4, kAuthBytesMax},
                        Case{Sender::kServer, 'Z', 5, 5}, Case{Sender::kServer, 'C', 5, kSmallBytesMax},
                        Case{Sender::kServer, '1', 4, 4}, Case{Sender::kServer, 'D', 6, kLargeBytesMax},
                        Case{Sender::kServer, 'K', 12, 264}, Case{Sender::kServer, 'R', 8, kAuthBytesMax}}) {
    const Shape& shape = ShapeOf(c.sender, static_cast<std::uint8_t>(c.type));
    EXPECT_TRUE(shape.Fits(c.min)) << c.type;
    EXPECT_TRUE(shape.Fits(c.max)) << c.type;
    EXPECT_FALSE(shape.Fits(c.min - 1)) << c.type;
    EXPECT_FALSE(shape.Fits(c.max + 1)) << c.type;
  }
  for (const int type : {0, int{'z'}, int{'x'}, int{'@'}, 127, 128, 255}) {
    for (const Sender sender : {Sender::kClient, Sender::kServer}) {
      EXPECT_FALSE(ShapeOf(sender, static_cast<std::uint8_t>(type)).Fits(0)) << type;
      EXPECT_FALSE(ShapeOf(sender, static_cast<std::uint8_t>(type)).Fits(4)) << type;
    }
  }
}

TEST(PostgresqlParse, Statements) {
  const auto query = [](std::string_view body, bool whole = true) {
    return ParseClientMessage(client::kQuery, AsBytes(body), whole);
  };
  EXPECT_EQ(query("select * from Items\0"sv).operation, OperationOf(sql::Verb::kSelect));
  EXPECT_EQ(query("select * from Items\0"sv).table.text(), "items");
  EXPECT_EQ(query("begin; delete from t\0"sv).operation, OperationOf(sql::Verb::kBegin));
  EXPECT_EQ(query("\0"sv).operation, Operation::kOther);
  EXPECT_EQ(query("select * from ite", false).table.text(), "");  // it may be longer
  EXPECT_EQ(query(" START_REPLICATION 0/1\0"sv).operation, Operation::kStartReplication);
  EXPECT_EQ(query("base_backup (LABEL 'x')\0"sv).operation, Operation::kBaseBackup);
  EXPECT_EQ(query("BASE_BACKUPS\0"sv).operation, Operation::kOther);
  EXPECT_EQ(OperationName(query("IDENTIFY_SYSTEM\0"sv).operation), "IDENTIFY_SYSTEM");
}

TEST(PostgresqlParse, NamesAreHashes) {
  const auto parse = ParseClientMessage(client::kParse, AsBytes("one\0select 1\0\0\0"sv), true);
  const auto bind = ParseClientMessage(client::kBind, AsBytes("two\0one\0\0\0\0\0\0\0"sv), true);
  const auto execute = ParseClientMessage(client::kExecute, AsBytes("two\0\0\0\0\0"sv), true);
  EXPECT_EQ(parse.statement, bind.statement);
  EXPECT_EQ(bind.portal, execute.portal);
  EXPECT_NE(bind.portal, bind.statement);
  EXPECT_GT(bind.portal, kUnknownName);
  const auto unnamed = ParseClientMessage(client::kBind, AsBytes("\0\0\0\0\0\0\0\0"sv), true);
  EXPECT_EQ(unnamed.portal, kUnnamed);
  EXPECT_EQ(unnamed.statement, kUnnamed);
  const auto close = ParseClientMessage(client::kClose, AsBytes("Sone\0"sv), true);
  EXPECT_EQ(close.statement, parse.statement);
  EXPECT_EQ(close.portal, kUnknownName);
  EXPECT_EQ(ParseClientMessage(client::kClose, AsBytes("Ptwo\0"sv), true).portal, bind.portal);
  // Of a name whose end is not at hand nothing is said.
  EXPECT_EQ(ParseClientMessage(client::kBind, AsBytes("two\0on"sv), false).statement, kUnknownName);
  EXPECT_EQ(ParseClientMessage(client::kBind, AsBytes("tw"sv), false).portal, kUnknownName);
}

TEST(PostgresqlParse, ErrorCodes) {
  const auto code = [](std::string_view body) {
    return std::string(ParseServerMessage(server::kErrorResponse, AsBytes(body)).code);
  };
  EXPECT_EQ(code("SERROR\0VERROR\0C42P01\0Mx\0\0"sv), "42P01");
  EXPECT_EQ(code("SFEHLER\0C2200X\0\0"sv), "2200X");
  EXPECT_EQ(code("C_U_X1\0\0"sv), "_U_X1");
  EXPECT_EQ(code("C42P0\0\0"sv), "");
  EXPECT_EQ(code("C42P011\0\0"sv), "");
  EXPECT_EQ(code("SERROR\0\0C42P01\0"sv), "");
  EXPECT_EQ(code("SERROR\0C42P"sv), "");
  EXPECT_EQ(code(""), "");
}

TEST(PostgresqlParse, CommandTags) {
  const auto name = [](std::string_view tag) { return OperationName(OperationOfCommandTag(tag)); };
  EXPECT_EQ(name("INSERT 0 1"), "INSERT");
  EXPECT_EQ(name("SELECT 100"), "SELECT");
  EXPECT_EQ(name("CREATE TABLE"), "CREATE");
  EXPECT_EQ(name("START TRANSACTION"), "START TRANSACTION");
  EXPECT_EQ(name("BEGIN"), "BEGIN");
  EXPECT_EQ(name("???"), "_OTHER");
  EXPECT_EQ(name(""), "_OTHER");
}

TEST(PostgresqlParse, EndsOfTurns) {
  EXPECT_EQ(TurnEnd(Sender::kServer, AsBytes("1\0Z\0\0\0\5I"sv)), 'Z');
  EXPECT_EQ(TurnEnd(Sender::kServer, AsBytes("1\0Z\0\0\0\5X"sv)), '\0');
  EXPECT_EQ(TurnEnd(Sender::kServer, AsBytes("1\0Z\0\0\0\6I"sv)), '\0');
  EXPECT_EQ(TurnEnd(Sender::kServer, AsBytes("\0\0\0\5I"sv)), '\0');
  EXPECT_EQ(TurnEnd(Sender::kClient, AsBytes("xyzS\0\0\0\4"sv)), 'S');
  EXPECT_EQ(TurnEnd(Sender::kClient, AsBytes("c\0\0\0\4"sv)), 'c');
  EXPECT_EQ(TurnEnd(Sender::kClient, AsBytes("X\0\0\0\5"sv)), '\0');
  EXPECT_EQ(BeforeReady(AsBytes("1\0Z\0\0\0\5I"sv)), Before::kNoError);
  EXPECT_EQ(BeforeReady(AsBytes("\0\0Z\0\0\0\5I"sv)), Before::kError);
  EXPECT_EQ(BeforeReady(AsBytes("\0\4Z\0\0\0\5I"sv)), Before::kNoError);  // PortalSuspended
  EXPECT_EQ(BeforeReady(AsBytes("ab"
                                "Z\0\0\0\5I"sv)),
            Before::kUnknown);
  EXPECT_EQ(BeforeReady(AsBytes("Z\0\0\0\5I"sv)), Before::kUnknown);
}

TEST(PostgresqlParse, WholeTurns) {
  const std::string complete = Message('C', "SELECT 1\0"sv);
  const std::string ready = Message('Z', "I");
  EXPECT_TRUE(IsWholeTurn(Sender::kServer, AsBytes(complete + ready)));
  EXPECT_FALSE(IsWholeTurn(Sender::kServer, AsBytes(complete)));
  EXPECT_FALSE(IsWholeTurn(Sender::kServer, AsBytes(complete + ready + "Z")));
  EXPECT_FALSE(IsWholeTurn(Sender::kServer, AsBytes("x" + complete + ready)));
  EXPECT_TRUE(StartsWithMessage(Sender::kServer, AsBytes(complete + "D")));
  EXPECT_FALSE(StartsWithMessage(Sender::kServer, AsBytes(complete + "x")));
  EXPECT_FALSE(StartsWithMessage(Sender::kServer, AsBytes("Every word is no message")));
  EXPECT_TRUE(IsWholeTurn(Sender::kClient, AsBytes(Message('Q', "select 1\0"sv))));
  EXPECT_FALSE(IsWholeTurn(Sender::kClient, AsBytes(Message('Q', "select 1"))));
}

TEST(PostgresqlLikeness, OfRealBeginnings) {
  const auto& opening = golden::kScram;
  EXPECT_EQ(LooksLikeRequests(AsBytes(opening[0].bytes), false), Likeness::kYes);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(opening[1].bytes), false), Likeness::kMaybe);
  EXPECT_EQ(LooksLikeRequests(AsBytes(opening[2].bytes), false), Likeness::kYes);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(opening[3].bytes), false), Likeness::kYes);
  EXPECT_EQ(LooksLikeRequests(AsBytes(golden::kCancelRequest[0].bytes), false), Likeness::kYes);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(golden::kWrongPassword.back().bytes), false), Likeness::kYes);
  for (const auto* turns : {&golden::kExtended, &golden::kPrepared, &golden::kSeveralStatements, &golden::kCopyOut,
                            &golden::kAbortedPipeline, &golden::kFailedCommit}) {
    for (const auto& turn : *turns) {
      const Bytes first = AsBytes(turn.bytes.substr(0, 256));
      if (turn.sender == Sender::kClient) {
        EXPECT_EQ(LooksLikeRequests(first, true), Likeness::kYes);
        EXPECT_NE(LooksLikeAnswers(first, true), Likeness::kYes);
      } else {
        EXPECT_NE(LooksLikeAnswers(first, true), Likeness::kNo);
        EXPECT_NE(LooksLikeRequests(first, true), Likeness::kYes);
      }
    }
  }
}

TEST(PostgresqlLikeness, OfOthers) {
  const std::string_view others[] = {
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "*1\r\n$4\r\nPING\r\n",
      "+PONG\r\n",
      "-ERR unknown\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"sv,
      "\x4a\x00\x00\x00\x0a"
      "8.0.36\0"sv,                               // MySQL's greeting
      "\x21\x00\x00\x00\x03select 1"sv,           // MySQL's query
      "\x51\x00\x00\x00\x03select 1"sv,           // one of 81 bytes: 'Q'
      "\x53\x00\x00\x00\x16select 1"sv,           // MySQL's prepare, 83 bytes: 'S'
      "\0\0\0\x1a\0\3\0\0\0\0\0\1\0\6rdkafka"sv,  // Kafka's Metadata request, version 0
      "\0\0\0\x23\0\x12\0\3\0\0\0\1\0\7rdkafka"sv,
      "get key\r\n",
      "set key 0 0 1\r\nx\r\n",
      "STORED\r\n",
      "VALUE key 0 1\r\nx\r\nEND\r\n",
      "\x10\x1a\x00\x04MQTT\x04\x02\x00\x3c"sv,
      "EHLO host\r\n",
      "SSH-2.0-OpenSSH_9.2\r\n",
      "QUIT\r\n",
      "PASS word\r\n",
  };
  for (const std::string_view text : others) {
    for (const bool mid_stream : {false, true}) {
      EXPECT_EQ(LooksLikeRequests(AsBytes(text), mid_stream), Likeness::kNo) << text << mid_stream;
      EXPECT_EQ(LooksLikeAnswers(AsBytes(text), mid_stream), Likeness::kNo) << text << mid_stream;
    }
  }
}

}  // namespace
}  // namespace wiregauge::decode::postgresql
