#include "exporter/match/mysql/conversation.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exporter/match/mysql/test_tap.h"

namespace wiregauge::match::mysql {
namespace {

using decode::Unparsed;
using decode::mysql::golden::Session;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using State = match::Conversation::State;
namespace golden = decode::mysql::golden;

const std::string kOk = Unhex("0700000100000002000000");
const std::string kGreeting = Unhex(golden::kClient[0].hex);
const std::string kLogin = Unhex(golden::kClient[1].hex);
const std::string kLoginOk = Unhex(golden::kClient[2].hex);

std::string Error(std::uint16_t code, std::uint8_t sequence = 1) {
  const char number[] = {static_cast<char>(code), static_cast<char>(code >> 8)};
  return Packet(sequence, "\xff" + std::string(number, 2) + "#42S02Table 'd.t' doesn't exist");
}

// Parts of a result set of one column.
std::string Head() {
  return Packet(1, "\x01") + Packet(2, std::string("\x03"
                                                   "def\x01"
                                                   "d\x01t\x01t\x01"
                                                   "a\x01"
                                                   "a",
                                                   14));
}
std::string Eof(std::uint8_t sequence, char status = 2) {
  return Packet(sequence, std::string("\xfe\0\0", 3) + status + '\0');
}
std::string NewEof(std::uint8_t sequence, char status = 2) {
  return Packet(sequence, std::string("\xfe\0\0", 3) + status + std::string("\0\0\0", 3));
}
std::string Rows(std::size_t count, std::uint8_t first_sequence, std::size_t size = 100) {
  std::string rows;
  for (std::size_t i = 0; i < count; ++i) {
    rows += Packet(static_cast<std::uint8_t>(first_sequence + i), static_cast<char>(size) + std::string(size, 'r'));
  }
  return rows;
}

// What a session is told as, after checking that no split of a piece in two segments changes it.
std::vector<std::string> Told(const Session& session) {
  Tap whole;
  whole.Play(session);
  whole.Close();
  EXPECT_EQ(whole.budget.used(), 0u);
  for (std::size_t cut = 0; cut < session.size(); ++cut) {
    const std::string bytes = Unhex(session[cut].hex);
    for (std::size_t at = 1; at < bytes.size(); ++at) {
      Tap tap;
      for (std::size_t i = 0; i < session.size(); ++i) {
        if (i != cut) {
          tap.Segment(session[i].request, Unhex(session[i].hex));
        } else {
          tap.Segment(session[i].request, bytes.substr(0, at));
          tap.Segment(session[i].request, bytes.substr(at));
        }
      }
      tap.Close();
      EXPECT_EQ(tap.sink.all, whole.sink.all) << "piece " << cut << " split at " << at;
      EXPECT_EQ(tap.counts.unparsed_bytes, whole.counts.unparsed_bytes) << "piece " << cut << " split at " << at;
    }
  }
  Tap bytewise(false, probe::Role::kClient);
  for (const auto& piece : session) {
    for (const char byte : Unhex(piece.hex)) bytewise.Segment(piece.request, std::string(1, byte));
  }
  bytewise.Close();
  EXPECT_EQ(bytewise.sink.all, whole.sink.all);
  EXPECT_EQ(whole.Unparsed(), whole.Unparsed(Unparsed::kCompressed));
  return whole.sink.all;
}

TEST(MysqlConversation, Client) {
  EXPECT_THAT(Told(golden::kClient), ElementsAre("CONNECT", "SELECT t", "SELECT nix 1146"));
}

TEST(MysqlConversation, PreparedStatements) {
  EXPECT_THAT(Told(golden::kPrepared),
              ElementsAre("CONNECT", "PREPARE t", "SELECT t", "SELECT t", "SELECT t", "FETCH t", "STMT_RESET",
                          "PREPARE l", "INSERT l", "PREPARE t", "UPDATE t", "PING", "STATISTICS", "USE", "SELECT",
                          "RESET_CONNECTION", "CHANGE_USER", "SET_OPTION", "FIELD_LIST"));
}

TEST(MysqlConversation, ProceduresAndFiles) {
  EXPECT_THAT(Told(golden::kCalls), ElementsAre("CONNECT", "CALL", "LOAD t", "LOAD t"));
}

TEST(MysqlConversation, NewFormOfEof) {
  EXPECT_THAT(Told(golden::kNewEof),
              ElementsAre("CONNECT", "SELECT t", "SELECT t", "PREPARE t", "PREPARE t", "PREPARE", "_OTHER 1243",
                          "_OTHER 1243", "FETCH 1243", "CALL", "SET_OPTION", "FIELD_LIST", "FIELD_LIST 1146",
                          "SELECT 1064", "_OTHER 1047", "PROCESS_INFO", "BINLOG_DUMP 1236"));
  EXPECT_THAT(Told(golden::kNewEofPrepared), ElementsAre("CONNECT", "PREPARE t", "SELECT t", "SELECT t", "FETCH t",
                                                         "PREPARE t", "UPDATE t", "SELECT", "PING", "SELECT 1146"));
}

TEST(MysqlConversation, Denied) { EXPECT_THAT(Told(golden::kDenied), ElementsAre("CONNECT 1045")); }

TEST(MysqlConversation, CompressedIsCountedAndNotRead) {
  EXPECT_THAT(Told(golden::kCompressed), ElementsAre("CONNECT"));
  Tap tap;
  tap.Play(golden::kCompressed);
  EXPECT_EQ(tap.conversation.state(), State::kFinished);
  EXPECT_EQ(tap.Unparsed(Unparsed::kCompressed), 20u + 61 + 12);
}

TEST(MysqlConversation, Times) {
  Tap tap;
  tap.Play(golden::kClient);  // pieces at 1000, 1001, ...
  EXPECT_THAT(tap.sink.times, ElementsAre(KeptCalls::Times{1'001, 1'002}, KeptCalls::Times{1'003, 1'004},
                                          KeptCalls::Times{1'005, 1'006}));
}

TEST(MysqlConversation, AJoinInTheMiddle) {
  Tap tap(true);
  for (std::size_t i = 3; i < golden::kNewEofPrepared.size(); ++i) {
    tap.Segment(golden::kNewEofPrepared[i].request, Unhex(golden::kNewEofPrepared[i].hex));
  }
  EXPECT_THAT(tap.sink.all, ElementsAre("PREPARE t", "SELECT t", "SELECT t", "FETCH t", "PREPARE t", "UPDATE t",
                                        "SELECT", "PING", "SELECT 1146"));
  EXPECT_EQ(tap.Unparsed(), 0u);
  EXPECT_EQ(tap.conversation.state(), State::kConfirmed);
}

TEST(MysqlConversation, AJoinAmongAnswersAndAfterThePrepare) {
  Tap tap(true);
  tap.Answer(Rows(3, 77));
  EXPECT_EQ(tap.Unparsed(Unparsed::kMidStream), Rows(3, 77).size());
  EXPECT_EQ(tap.conversation.state(), State::kUndecided);
  for (std::size_t i = 5; i < 13; ++i) {
    tap.Segment(golden::kPrepared[i].request, Unhex(golden::kPrepared[i].hex));
  }
  EXPECT_THAT(tap.sink.all, ElementsAre("_OTHER", "_OTHER", "_OTHER", "FETCH"));
  EXPECT_EQ(tap.counts.unmatched_answers, 1u);
}

TEST(MysqlConversation, WhatTlsCarries) {
  for (const bool mid_stream : {false, true}) {
    Tap tap(mid_stream);
    std::string login = kLogin;
    login[3] = 2;
    std::string ok = kLoginOk;
    ok[3] = 3;
    tap.Request(login);
    tap.Answer(ok);
    tap.Request(Query("SELECT 1 FROM t"));
    tap.Answer(Error(1'146));
    EXPECT_THAT(tap.sink.all, ElementsAre("CONNECT", "SELECT t 1146"));
    EXPECT_EQ(tap.Unparsed(), 0u);
  }
}

TEST(MysqlConversation, TlsIsCountedAndNotRead) {
  Tap tap;
  tap.Answer(kGreeting);
  tap.Request(Packet(1, Unhex("8caebf000000001021000000000000000000000000000000000000000000000000").substr(0, 32)));
  EXPECT_EQ(tap.conversation.state(), State::kFinished);
  tap.Request("\x16\x03\x01 hello");
  tap.Answer("\x16\x03\x01 hello");
  EXPECT_EQ(tap.Unparsed(Unparsed::kEncrypted), 18u);
  tap.Close();
  EXPECT_THAT(tap.sink.all, IsEmpty());
}

TEST(MysqlConversation, TurnedAway) {
  Tap tap;
  tap.Answer(Packet(0, "\xff\x10\x04Too many connections"));
  tap.Close();
  EXPECT_THAT(tap.sink.all, ElementsAre("CONNECT 1040"));
}

TEST(MysqlConversation, AnUnaskedErrorIsNoAnswer) {
  Tap tap;
  tap.Play(Session(golden::kClient.begin(), golden::kClient.begin() + 3));
  tap.Answer(Error(4'031, 0));  // idle for too long
  tap.Close();
  EXPECT_THAT(tap.sink.all, ElementsAre("CONNECT"));
  EXPECT_EQ(tap.Unparsed(Unparsed::kGap), Error(4'031, 0).size());
}

class Connected : public testing::Test {
 protected:
  Connected() {
    tap.Play(Session(golden::kClient.begin(), golden::kClient.begin() + 3));
    tap.sink.all.clear();
    tap.sink.times.clear();
  }
  // After a loss one turn is not told, the next is.
  void TwoTurns() {
    for (int i = 0; i < 2; ++i) {
      tap.Request(Query("DO 1"));
      tap.Answer(kOk);
    }
  }
  void ExpectGood() {
    tap.Request(Query("SELECT a FROM fine"));
    tap.Answer(Head() + Eof(3) + Rows(2, 4) + Eof(6));
    ASSERT_THAT(tap.sink.all, Not(IsEmpty()));
    EXPECT_EQ(tap.sink.all.back(), "SELECT fine");
  }
  Tap tap;
};

using MysqlLoss = Connected;
using MysqlLong = Connected;
using MysqlEnds = Connected;

TEST_F(MysqlLong, RowsOfKnownLengthCostNothing) {
  tap.Request(Query("SELECT a FROM t"));
  const std::string row = Packet(4, "\xfd" + std::string("\x70\x11\x01", 3) + std::string(70'000, 'r'));
  tap.Answer(Head() + Eof(3));
  tap.Answer(row, 248);
  tap.Answer(Eof(5));
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t"));
  EXPECT_EQ(tap.Unparsed(), 0u);
}

TEST_F(MysqlLong, AManyPacketRow) {
  tap.Request(Query("SELECT a FROM t"));
  tap.Answer(Head() + Eof(3));
  tap.Answer(Packet(4, std::string(0xffffff, '\xfe')), 100);
  tap.Answer(Packet(5, std::string(0xffffff, '\xff')));
  tap.Answer(Packet(6, ""));
  tap.Answer(Packet(7, std::string(0xffffff, '\xfe')) + Packet(8, "\xff\xff\xff") + Eof(9));
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t"));
  EXPECT_EQ(tap.Unparsed(), 0u);
}

TEST_F(MysqlLong, AManyPacketRequest) {
  const std::string statement = "\x03INSERT INTO t VALUES ('" + std::string(0xffffff, 'x');
  tap.Request(Packet(0, statement.substr(0, 0xffffff)), 248);
  tap.Request(Packet(1, statement.substr(0xffffff)));
  tap.Answer(Unhex("0700000200010002000000"));
  EXPECT_THAT(tap.sink.all, ElementsAre("INSERT t"));
  EXPECT_EQ(tap.Unparsed(), 0u);
  ExpectGood();
}

TEST_F(MysqlLong, AManyPacketRequestWhoseFramingIsLost) {
  const std::string statement = "\x03INSERT INTO t VALUES ('" + std::string(0xffffff, 'x');
  const std::string bytes = Packet(0, statement.substr(0, 0xffffff)) + Packet(1, statement.substr(0xffffff));
  tap.Request(bytes.substr(0, 60'000), 248);
  tap.Request(bytes.substr(60'000), 248);
  tap.Request(std::string(10, 'y'));
  tap.Answer(Unhex("0700000200010002000000"));
  EXPECT_THAT(tap.sink.all, ElementsAre("INSERT t"));
  EXPECT_EQ(tap.Unparsed(), 0u);
  ExpectGood();
}

TEST_F(MysqlLong, AFileWhoseFramingIsLost) {
  tap.Request(Query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t"));
  tap.Answer(Packet(1,
                    "\xfb"
                    "f"));
  std::string file;
  for (int i = 0; i < 600; ++i) file += Packet(static_cast<std::uint8_t>(2 + i), std::string(4'000, 'f'));
  tap.Request(file.substr(0, 10'000));
  for (std::size_t at = 10'000; at < file.size(); at += 60'000) tap.Request(file.substr(at, 60'000), 248);
  tap.Request(Packet(static_cast<std::uint8_t>(602), ""));
  tap.Answer(Unhex("0700005b00000002000000"));
  EXPECT_THAT(tap.sink.all, ElementsAre("LOAD t"));
  EXPECT_EQ(tap.Unparsed(), 0u);
  ExpectGood();
}

TEST_F(MysqlLong, AFileThatPasses256Packets) {
  tap.Request(Query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t"));
  tap.Answer(Packet(1,
                    "\xfb"
                    "f"));
  for (int i = 0; i < 600; ++i) tap.Request(Packet(static_cast<std::uint8_t>(2 + i), "\x03SELECT 1"));
  tap.Request(Packet(static_cast<std::uint8_t>(602), ""));
  tap.Answer(Error(1'062, static_cast<std::uint8_t>(603)));
  EXPECT_THAT(tap.sink.all, ElementsAre("LOAD t 1062"));
  ExpectGood();
}

// Only the heads and tails of segments: the answer ends with the segment that ends with an EOF.
TEST_F(MysqlLong, RowsWhoseFramingIsLostEndByTheTail) {
  for (const bool old_eof : {true, false}) {
    tap.sink.all.clear();
    tap.Request(Query("SELECT a FROM t"));
    tap.Answer(Head() + (old_eof ? Eof(3) : "") + Rows(1, old_eof ? 4 : 3));
    const std::string rows = Rows(997, old_eof ? 5 : 4);
    for (std::size_t at = 0; at < rows.size(); at += 16'384) tap.Answer(rows.substr(at, 16'384), 248);
    EXPECT_THAT(tap.sink.all, IsEmpty());
    const std::uint64_t now = tap.time_ns;
    tap.Answer("rrr" + Rows(9, 17) + (old_eof ? Eof(33) : NewEof(33)), 248);
    EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t"));
    EXPECT_EQ(tap.sink.times.back().end_ns, now);
    EXPECT_EQ(tap.Unparsed(), 0u);
    ExpectGood();
  }
}

TEST_F(MysqlLong, RowsWhoseFramingIsLostMayEndWithAnError) {
  tap.Request(Query("SELECT a FROM t"));
  tap.Answer(Head() + Eof(3) + Rows(3, 4));
  tap.Answer(Rows(99, 7), 248);
  tap.Answer(Rows(1, 106).substr(50) + Error(1'317, 107));
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t 1317"));
  ExpectGood();
}

// The packet that ends them is split over segments.
TEST_F(MysqlLong, RowsWhoseFramingIsLostEndInTheNextSegment) {
  const std::string rows = Rows(99, 7) + Eof(106);
  for (std::size_t behind = 1; behind <= 9; ++behind) {
    tap.sink.all.clear();
    tap.Request(Query("SELECT a FROM t"));
    tap.Answer(Head() + Eof(3) + Rows(3, 4));
    tap.Answer(rows.substr(0, rows.size() - behind), 248);
    EXPECT_THAT(tap.sink.all, IsEmpty());
    tap.Answer(rows.substr(rows.size() - behind));
    EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t")) << behind;
    EXPECT_EQ(tap.Unparsed(), 0u);
  }
  ExpectGood();
}

TEST_F(MysqlLong, RowsWhoseFramingIsLostEndWhenTheClientGoesOn) {
  tap.Request(Query("CALL p()"));
  tap.Answer(Head() + Eof(3) + Rows(3, 4));
  const std::uint64_t last = tap.time_ns;
  tap.Answer(Rows(99, 7) + Eof(106, 0x0a) + Unhex("0700006b00000002000000"), 248);
  EXPECT_THAT(tap.sink.all, IsEmpty());
  EXPECT_FALSE(tap.conversation.NextDeadline());
  tap.Tick(1'000'000'000'000);
  ExpectGood();
  EXPECT_THAT(tap.sink.all, ElementsAre("CALL", "SELECT fine"));
  EXPECT_EQ(tap.sink.times.front().end_ns, last);
  EXPECT_EQ(tap.Unparsed(Unparsed::kGap), tap.Unparsed());
  EXPECT_GT(tap.Unparsed(), 0u);
}

TEST_F(MysqlLong, RowsWhoseFramingIsLostMayEndWithAnErrorThatIsNotAtHand) {
  tap.Request(Query("SELECT a FROM t"));
  tap.Answer(Head() + Eof(3) + Rows(3, 4));
  tap.Answer(Rows(99, 7) + Error(1'317, 106), 248);
  ExpectGood();
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t another error", "SELECT fine"));
}

TEST_F(MysqlLong, RowsWhoseEndIsNotAtHandAreNotTold) {
  tap.Request(Query("SELECT a FROM t"));
  tap.Answer(Head() + Eof(3) + Rows(3, 4));
  tap.LoseAnswer(100);
  tap.Answer("rows");
  ExpectGood();
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT fine"));
  EXPECT_EQ(tap.counts.unpaired_requests, 1u);
}

TEST_F(MysqlLong, RowsWhoseFramingIsLostAtTheClose) {
  tap.Request(Query("SELECT a FROM t"));
  tap.Answer(Head() + Eof(3) + Rows(3, 4));
  tap.Answer(Rows(99, 7), 248);
  tap.Close();
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t closed"));
}

TEST_F(MysqlLong, MoreResultsBehindATailAreNoEnd) {
  tap.Request(Query("CALL p()"));
  tap.Answer(Head() + Eof(3) + Rows(3, 4));
  tap.Answer(Rows(99, 7) + Eof(106, 0x0a), 248);
  EXPECT_THAT(tap.sink.all, IsEmpty());
  tap.Answer(Unhex("0700006b00000002000000"));
  ExpectGood();
  EXPECT_THAT(tap.sink.all, ElementsAre("CALL", "SELECT fine"));
}

TEST_F(MysqlLoss, AnAnswerIsLost) {
  tap.Request(Query("SELECT 1 FROM one"));
  tap.LoseAnswer(kOk.size());
  tap.Request(Query("SELECT 1 FROM two"));
  tap.Answer(kOk);
  TwoTurns();
  EXPECT_EQ(tap.counts.unpaired_requests, 2u + 1);
  ExpectGood();
  EXPECT_THAT(tap.sink.all, ElementsAre("DO", "SELECT fine"));
}

TEST_F(MysqlLoss, ARequestIsLost) {
  tap.LoseRequest(Query("SELECT 1 FROM one").size());
  tap.Answer(kOk);
  tap.Request(Query("SELECT 1 FROM two"));
  tap.Answer(Error(1'146));
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT two 1146"));
  EXPECT_EQ(tap.counts.unpaired_requests, 0u);
  EXPECT_EQ(tap.counts.unmatched_answers, 1u);
  ExpectGood();
}

TEST_F(MysqlLoss, ARequestOfAClientThatPipelinesIsLost) {
  tap.Request(Query("DO 1") + Query("DO 2"));
  tap.Answer(kOk + kOk);
  tap.LoseRequest(Query("DO 3").size());
  tap.Request(Query("DO 4"));
  tap.Answer(kOk + kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre("DO", "DO"));
  EXPECT_EQ(tap.counts.unpaired_requests, 1u);
  TwoTurns();
  ExpectGood();
}

class MysqlStatements : public Connected {
 protected:
  void Prepare() {
    tap.Request(Packet(0, "\x16SELECT a FROM t"));
    tap.Answer(Packet(1, Unhex("000100000000000000000000")));
  }
  void Execute() {
    tap.Request(Unhex("0a00000017010000000001000000"));
    tap.Answer(kOk);
  }
};

TEST_F(MysqlStatements, PartsOfALongValueMayBeLost) {
  Prepare();
  tap.Request(Packet(0, std::string("\x18\x01\0\0\0\0\0", 7) + std::string(60'000, 'p')), 248);
  tap.Request(Packet(0, std::string("\x18\x01\0\0\0\0\0", 7) + std::string(100, 'p')).substr(0, 60));
  tap.Request(std::string(60'000, 'p'), 248);
  tap.Request(std::string(60'000, 'p'), 248);
  Execute();
  EXPECT_THAT(tap.sink.all, ElementsAre("PREPARE t", "SELECT t"));
  EXPECT_EQ(tap.counts.unpaired_requests, 0u);
}

TEST_F(MysqlStatements, AreForgottenWhenAnAnswerBelongsToNothing) {
  Prepare();
  Execute();
  tap.LoseRequest(5);  // perhaps a kResetConnection
  tap.Answer(kOk);
  Execute();
  EXPECT_THAT(tap.sink.all, ElementsAre("PREPARE t", "SELECT t", "_OTHER"));
}

TEST_F(MysqlLoss, TheBeginningOfAnAnswerIsLost) {
  tap.Request(Query("SELECT 1 FROM t"));
  tap.LoseAnswer(30);
  tap.Answer(Rows(1, 5));
  tap.Answer(Eof(6));
  ExpectGood();
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT fine"));
  EXPECT_EQ(tap.counts.unpaired_requests, 1u);
}

TEST_F(MysqlLoss, PipelinedRowsWithoutFramingAreNotPaired) {
  tap.Request(Query("SELECT a FROM t") + Query("SELECT b FROM t"));
  tap.Answer(Head() + Eof(3) + Rows(3, 4));
  tap.Answer(Rows(99, 7) + Eof(106) + kOk, 248);
  EXPECT_THAT(tap.sink.all, IsEmpty());
  EXPECT_EQ(tap.counts.unpaired_requests, 2u);
  TwoTurns();
  ExpectGood();
}

TEST_F(MysqlEnds, Timeout) {
  tap.Request(Query("SELECT SLEEP(100) FROM t"));
  const std::uint64_t asked = tap.time_ns - 1;
  ASSERT_EQ(tap.conversation.NextDeadline(), asked + tap.options.answer_timeout_ns);
  tap.Tick(tap.options.answer_timeout_ns - 2);
  EXPECT_THAT(tap.sink.all, IsEmpty());
  tap.Tick(1);
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t timeout"));
  tap.Answer(kOk);
  EXPECT_EQ(tap.counts.late_answers, 1u);
  ExpectGood();
}

TEST_F(MysqlEnds, AnAnswerThatHasBegunHasNoDeadline) {
  tap.Request(Query("ALTER TABLE t FORCE"));
  tap.Answer(Unhex("19000001ffffff0102020000000f456e642062756c6b20696e73657274"));  // a report of progress
  EXPECT_FALSE(tap.conversation.NextDeadline());
  tap.Tick(1'000 * tap.options.answer_timeout_ns);
  tap.Answer(Unhex("0700000200000002000000"));
  EXPECT_THAT(tap.sink.all, ElementsAre("ALTER t"));
}

TEST_F(MysqlEnds, CloseAndReset) {
  tap.Request(Query("SELECT 1 FROM t") + Packet(0, "\x01"));
  tap.Answer(Head());
  tap.Close(true);
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t reset"));
}

TEST_F(MysqlEnds, CommandsWithoutAnAnswerAreNoRequests) {
  tap.Request(Unhex("050000001901000000") + Unhex("0c0000001802000000000068656c6c6f") + Packet(0, "\x01"));
  tap.Close();
  EXPECT_THAT(tap.sink.all, IsEmpty());
  EXPECT_EQ(tap.Unparsed(), 0u);
}

TEST_F(MysqlEnds, Replication) {
  tap.Request(Packet(0, std::string("\x12\x04\0\0\0\0\0\x01\0\0\0b", 12)));
  tap.Answer(Packet(1, std::string("\0event", 6)));
  EXPECT_THAT(tap.sink.all, ElementsAre("BINLOG_DUMP"));
  EXPECT_EQ(tap.conversation.state(), State::kFinished);
  tap.Answer(Packet(2, std::string("\0event", 6)));
  EXPECT_EQ(tap.Unparsed(Unparsed::kUpgraded), 10u);
}

TEST_F(MysqlEnds, StatementsAreBounded) {
  for (std::uint32_t id = 1; id <= Conversation::kStatementsMax + 1; ++id) {
    tap.Request(Packet(0, "\x16SELECT a FROM t"));
    const char low[] = {static_cast<char>(id), static_cast<char>(id >> 8), 0, 0};
    tap.Answer(Packet(1, std::string(1, '\0') + std::string(low, 4) + std::string(7, '\0')));
  }
  EXPECT_GT(tap.budget.used(), 0u);
  tap.sink.all.clear();
  for (const std::string& id : {std::string("\xff\x0f", 2), std::string("\x00\x10", 2), std::string("\x01\x10", 2)}) {
    tap.Request(Packet(0, "\x17" + id + std::string("\0\0\0\x01\0\0\0", 7)));
    tap.Answer(kOk);
  }
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t", "SELECT t", "_OTHER"));
  tap.Request(Packet(0, "\x1f"));
  tap.Answer(kOk);
  EXPECT_EQ(tap.budget.used(), 0u);
}

TEST(MysqlConversation, RefutesWhatIsNone) {
  for (std::string bytes :
       {"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "\x16\x03\x01\x02\x03\x01"}) {
    bytes += std::string(40, 'z');
    for (const bool mid_stream : {false, true}) {
      Tap tap(mid_stream);
      tap.Request(bytes);
      EXPECT_EQ(tap.conversation.state(), State::kRefuted) << bytes;
    }
    Tap tap;
    tap.Answer(bytes);
    EXPECT_EQ(tap.conversation.state(), State::kRefuted) << bytes;
    EXPECT_THAT(tap.sink.all, IsEmpty());
  }
}

TEST(MysqlConversation, MalformedAnswersAreCountedAndLeft) {
  Tap tap;
  tap.Play(Session(golden::kClient.begin(), golden::kClient.begin() + 3));
  tap.Request(Query("SELECT a FROM t"));
  tap.Answer(Head() + Packet(9, "\x01r"));  // 3 was next
  EXPECT_EQ(tap.Unparsed(Unparsed::kMalformed), 6u);
  EXPECT_EQ(tap.counts.unpaired_requests, 1u);
  tap.Close();
  EXPECT_THAT(tap.sink.all, ElementsAre("CONNECT"));
}

}  // namespace
}  // namespace wiregauge::match::mysql
