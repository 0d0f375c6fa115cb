#include "exporter/decode/postgresql/decoder.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exporter/decode/postgresql/golden.h"

namespace wiregauge::decode::postgresql {
namespace {

using namespace std::string_view_literals;
using testing::ElementsAre;
using testing::IsEmpty;

std::string Message(char type, std::string_view body) {
  std::string text(1, type);
  const auto length = static_cast<std::uint32_t>(body.size() + 4);
  for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<char>(length >> shift));
  return text + std::string(body);
}

class Heard final : public Handler {
 public:
  void OnClientMessage(const ClientMessage& message) override {
    std::string text(message.type == '\0' ? "opening" : std::string(1, message.type));
    if (message.type == 'Q' || message.type == 'P') {
      text += " " + std::string(OperationName(message.operation)) + " " + std::string(message.table.text());
    }
    all.push_back(text);
    first_bytes.push_back(message.first_byte_ns);
  }
  void OnServerMessage(const ServerMessage& message) override {
    std::string text(1, message.type);
    if (!message.code.empty()) text += " " + std::string(message.code);
    if (!message.command_tag.empty()) text += " " + std::string(message.command_tag);
    if (message.after_loss) text += " after loss";
    all.push_back(text);
  }
  void OnEncryptionAnswer(char answer) override { all.push_back(std::string("answer ") + answer); }
  bool OnLost(Unparsed) override {
    all.emplace_back("lost");
    return holds;
  }
  void OnNotPostgresql() override { all.emplace_back("no"); }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    unparsed += bytes;
    last_reason = reason;
  }

  std::vector<std::string> all;
  std::vector<std::uint64_t> first_bytes;
  std::uint64_t unparsed = 0;
  Unparsed last_reason = Unparsed::kGap;
  bool holds = false;
};

struct Fed {
  explicit Fed(Sender sender, bool opened = true) : decoder(sender, false) {
    decoder.Confirm();
    if (sender == Sender::kClient && opened) {
      Bytes("\0\0\0\x0f\0\3\0\0user\0\0\0"sv);
      heard = Heard();
      told = 0;
      decoder.TakeParsedBytes();
    }
  }
  void Bytes(std::string_view text, std::uint64_t time_ns = 1) {
    told += text.size();
    decoder.OnBytes(AsBytes(text), time_ns, heard);
  }
  void Gap(std::uint64_t length, std::string_view tail = {}) {
    told += length;
    decoder.OnGap(length, AsBytes(tail), 1, heard);
  }
  void CheckBytes() {
    parsed += decoder.TakeParsedBytes();
    EXPECT_EQ(parsed + heard.unparsed + decoder.pending_bytes(), told);
  }

  Decoder decoder;
  Heard heard;
  std::uint64_t told = 0;
  std::uint64_t parsed = 0;
};

std::vector<std::string> Played(const golden::Turns& turns, Sender sender, std::size_t piece) {
  Fed fed(sender);
  for (const auto& turn : turns) {
    if (turn.sender != sender) continue;
    for (std::size_t at = 0; at < turn.bytes.size(); at += piece) fed.Bytes(turn.bytes.substr(at, piece));
  }
  fed.CheckBytes();
  EXPECT_EQ(fed.heard.unparsed, 0u);
  return fed.heard.all;
}

TEST(PostgresqlDecoder, RealSessions) {
  EXPECT_THAT(Played(golden::kSeveralStatements, Sender::kServer, 1'000),
              ElementsAre("C INSERT 0 1", "C UPDATE 1", "T", "C SELECT 1", "Z"));
  EXPECT_THAT(Played(golden::kSeveralStatements, Sender::kClient, 1'000), ElementsAre("Q INSERT items", "X"));
  EXPECT_THAT(Played(golden::kMissingTable, Sender::kServer, 1'000), ElementsAre("E 42P01", "Z"));
  EXPECT_THAT(Played(golden::kListenNotify, Sender::kServer, 1'000), ElementsAre("C LISTEN", "Z", "C NOTIFY", "Z"));
  EXPECT_THAT(Played(golden::kFailedCommit, Sender::kServer, 1'000),
              ElementsAre("1", "2", "n", "C INSERT 0 1", "E 23505", "Z"));
  EXPECT_THAT(Played(golden::kFailedCommit, Sender::kClient, 1'000),
              ElementsAre("P INSERT d", "B", "D", "E", "S", "X"));
}

TEST(PostgresqlDecoder, PiecesOfAnySizeMeanTheSame) {
  for (const auto* turns : {&golden::kSeveralStatements, &golden::kMissingTable, &golden::kCopyIn, &golden::kCopyOut,
                            &golden::kExtended, &golden::kPreparedPipeline, &golden::kFastPath}) {
    for (const Sender sender : {Sender::kClient, Sender::kServer}) {
      const auto whole = Played(*turns, sender, 10'000);
      for (std::size_t piece = 1; piece < 60; ++piece) EXPECT_EQ(Played(*turns, sender, piece), whole) << piece;
    }
  }
}

TEST(PostgresqlDecoder, FirstByteOfASplitMessage) {
  Fed fed(Sender::kClient);
  const std::string query = Message('Q', "select 1\0"sv);
  fed.Bytes(query + query.substr(0, 2), 5);
  fed.Bytes(query.substr(2, 6), 6);
  fed.Bytes(query.substr(8) + query, 7);
  EXPECT_THAT(fed.heard.first_bytes, ElementsAre(5, 5, 7));
}

TEST(PostgresqlDecoder, LongStatementsAreReadAsFarAsNeeded) {
  Fed fed(Sender::kClient);
  const std::string rows(300'000, 'x');
  const std::string query = Message('Q', "insert into t values ('" + rows + "')\0");
  for (std::size_t at = 0; at < query.size(); at += 4'096) fed.Bytes(query.substr(at, 4'096));
  EXPECT_THAT(fed.heard.all, ElementsAre("Q INSERT t"));
  fed.Bytes(query.substr(0, 40));
  fed.Gap(query.size() - 40, "xxxx')\0"sv);
  EXPECT_THAT(fed.heard.all, ElementsAre("Q INSERT t", "Q INSERT t"));
  // A gap within the name of the table: not told.
  fed.Bytes(query.substr(0, 5 + 13));
  fed.Gap(query.size() - 18);
  EXPECT_THAT(fed.heard.all, ElementsAre("Q INSERT t", "Q INSERT t", "Q INSERT "));
  fed.CheckBytes();
  EXPECT_EQ(fed.heard.unparsed, 0u);
}

TEST(PostgresqlDecoder, AGapInABodyCostsNothing) {
  Fed fed(Sender::kServer);
  const std::string row = Message('D', std::string(5'000, 'v'));
  fed.Bytes(row.substr(0, 300));
  fed.Gap(row.size() - 300, "vvvvvvvv");
  fed.Bytes(Message('Z', "I"));
  fed.Bytes(row.substr(0, 300));
  fed.Gap(row.size() - 300 + 2, "vvvvvvZ\0"sv);
  fed.Bytes("\0\0\5I"sv);
  EXPECT_THAT(fed.heard.all, ElementsAre("Z", "Z"));
  fed.CheckBytes();
  EXPECT_EQ(fed.heard.unparsed, 0u);
}

TEST(PostgresqlDecoder, AfterALossTheTurnsEndIsFound) {
  Fed server(Sender::kServer);
  server.Gap(100);
  server.Bytes("anything D\0\0\0");
  EXPECT_TRUE(server.decoder.lost());
  server.Gap(50, "1\0Z\0\0\0\5T"sv);
  EXPECT_FALSE(server.decoder.lost());
  server.Bytes(Message('C', "SELECT 1\0"sv));
  EXPECT_THAT(server.heard.all, ElementsAre("lost", "Z after loss", "C SELECT 1"));
  server.CheckBytes();

  Fed client(Sender::kClient);
  client.Gap(100, "xxxc\0\0\0\4"sv);
  client.Gap(100, "xxxS\0\0\0\4"sv);
  client.Bytes(Message('Q', "select 1\0"sv));
  EXPECT_THAT(client.heard.all, ElementsAre("lost", "c", "lost", "S", "Q SELECT "));
  client.CheckBytes();
}

TEST(PostgresqlDecoder, AfterALossAMessageThatIsDueIsFound) {
  Fed fed(Sender::kServer);
  fed.Gap(100);
  fed.Bytes(Message('T', "\0\0"sv) + Message('D', std::string(30, 'v')));
  EXPECT_THAT(fed.heard.all, ElementsAre("lost"));  // it may be anything
  fed.decoder.ExpectMessage();
  fed.Bytes(Message('T', "\0\0"sv) + Message('D', std::string(30, 'v')));
  EXPECT_THAT(fed.heard.all, ElementsAre("lost", "T"));
  fed.CheckBytes();
  EXPECT_EQ(fed.heard.unparsed, 100u + 7 + 35);
}

TEST(PostgresqlDecoder, ALossThatIsHeldMayBeKnown) {
  for (const bool known : {true, false}) {
    Fed fed(Sender::kServer);
    fed.heard.holds = true;
    fed.Bytes("D\0"sv);
    fed.Gap(100);
    fed.Bytes("anything");
    fed.CheckBytes();
    EXPECT_EQ(fed.decoder.pending_bytes(), 110u);
    fed.Gap(8, "1\0Z\0\0\0\5T"sv);
    fed.decoder.EndLoss(known, fed.heard);
    fed.CheckBytes();
    EXPECT_EQ(fed.heard.unparsed, known ? 0u : 118u);
    EXPECT_EQ(fed.decoder.pending_bytes(), 0u);
  }
}

TEST(PostgresqlDecoder, WhatBreaksTheGrammar) {
  Fed fed(Sender::kServer);
  fed.Bytes(Message('C', "SELECT 1\0"sv) + "nonsense that is no message");
  EXPECT_THAT(fed.heard.all, ElementsAre("C SELECT 1", "lost"));
  EXPECT_EQ(fed.heard.last_reason, Unparsed::kMalformed);
  fed.Bytes(Message('C', "SELECT 1\0"sv) + Message('Z', "I"));
  EXPECT_THAT(fed.heard.all, ElementsAre("C SELECT 1", "lost", "C SELECT 1", "Z"));
  fed.CheckBytes();

  Decoder unconfirmed(Sender::kClient, false);
  Heard heard;
  unconfirmed.OnBytes(AsBytes("GET / HTTP/1.1"), 1, heard);
  EXPECT_THAT(heard.all, ElementsAre("no"));
  EXPECT_EQ(heard.unparsed, 14u);
  EXPECT_EQ(heard.last_reason, Unparsed::kUnknownProtocol);
}

TEST(PostgresqlDecoder, EncryptionAnswers) {
  for (const std::string answer : {"N", "S", "G"}) {
    Fed fed(Sender::kServer);
    fed.decoder.ExpectEncryptionAnswer();
    fed.Bytes(answer + Message('Z', "I"));
    EXPECT_THAT(fed.heard.all, ElementsAre("answer " + answer, "Z"));
  }
  Fed error(Sender::kServer);
  error.decoder.ExpectEncryptionAnswer();
  error.Bytes(Message('E', "SERROR\0C42P01\0\0"sv));
  EXPECT_THAT(error.heard.all, ElementsAre("E 42P01"));
}

TEST(PostgresqlDecoder, StopsForGood) {
  Fed fed(Sender::kClient);
  fed.Bytes("Q\0\0");
  fed.decoder.StopDecoding(Unparsed::kEncrypted, fed.heard);
  fed.Bytes(Message('Q', "select 1\0"sv));
  fed.Gap(10, "12345678");
  fed.decoder.OnClose(fed.heard);
  EXPECT_THAT(fed.heard.all, IsEmpty());
  fed.CheckBytes();
  EXPECT_EQ(fed.heard.unparsed, fed.told);
}

}  // namespace
}  // namespace wiregauge::decode::postgresql
