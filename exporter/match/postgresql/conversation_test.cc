#include "exporter/match/postgresql/conversation.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exporter/match/postgresql/test_tap.h"

namespace wiregauge::match::postgresql {
namespace {

namespace golden = decode::postgresql::golden;
using decode::Unparsed;
using decode::postgresql::Sender;
using testing::ElementsAre;
using testing::IsEmpty;

using namespace std::string_view_literals;
using Texts = std::vector<std::string>;

std::string Number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}
std::string Message(char type, const std::string& body = {}) {
  return type + Number(static_cast<std::uint32_t>(body.size() + 4), 4) + body;
}
const std::string kZero(1, '\0');

std::string Query(const std::string& text) { return Message('Q', text + kZero); }
std::string Parse(const std::string& name, const std::string& text) {
  return Message('P', name + kZero + text + kZero + Number(0, 2));
}
std::string Bind(const std::string& portal, const std::string& name) {
  return Message('B', portal + kZero + name + kZero + Number(0, 6));
}
std::string DescribePortal(const std::string& name) { return Message('D', "P" + name + kZero); }
std::string DescribeStatement(const std::string& name) { return Message('D', "S" + name + kZero); }
std::string CloseStatement(const std::string& name) { return Message('C', "S" + name + kZero); }
std::string ClosePortal(const std::string& name) { return Message('C', "P" + name + kZero); }
std::string Execute(const std::string& portal) { return Message('E', portal + kZero + Number(0, 4)); }
// Parse, Bind, Describe, Execute as libpq sends them for PQsendQueryParams.
std::string Extended(const std::string& text) {
  return Parse("", text) + Bind("", "") + DescribePortal("") + Execute("");
}
const std::string kSync = Message('S');
const std::string kFlush = Message('H');

std::string Startup() {
  const std::string body = Number(196'608, 4) + "user" + kZero + "anna" + kZero + kZero;
  return Number(static_cast<std::uint32_t>(body.size() + 4), 4) + body;
}
std::string Complete(const std::string& tag) { return Message('C', tag + kZero); }
std::string Error(const std::string& code) {
  return Message('E', "SERROR" + kZero + "VERROR" + kZero + "C" + code + kZero + "Mno" + kZero + kZero);
}
std::string Ready(char status = 'I') { return Message('Z', std::string(1, status)); }
std::string Row(std::size_t size) {
  return Message('D', Number(1, 2) + Number(static_cast<std::uint32_t>(size), 4) + std::string(size, 'v'));
}
const std::string kRowDescription = Message('T', Number(0, 2));
const std::string kParsed = Message('1');
const std::string kBound = Message('2');
const std::string kClosed = Message('3');
const std::string kNoData = Message('n');

// A session that is open: CONNECT is told, and taken out.
struct Opened : Tap {
  explicit Opened(probe::Role role = probe::Role::kServer) : Tap(role) {
    Client(Startup());
    Server(Message('R', Number(0, 4)) + Ready());
    EXPECT_THAT(sink.all, ElementsAre("CONNECT"));
    sink.all.clear();
    sink.times.clear();
  }
};

struct Golden {
  std::string name;
  const golden::Turns& turns;
  bool opened;  // it goes on behind an opening
  Texts calls;
};

std::vector<Golden> Goldens() {
  return {
      {"scram", golden::kScram, false, {"CONNECT", "SELECT"}},
      {"md5", golden::kMd5, false, {"CONNECT", "SELECT"}},
      {"cleartext", golden::kCleartext, false, {"CONNECT", "SELECT"}},
      {"wrong password", golden::kWrongPassword, false, {"CONNECT 28P01"}},
      {"several statements", golden::kSeveralStatements, true, {"INSERT items"}},
      {"missing table", golden::kMissingTable, true, {"SELECT missing 42P01"}},
      {"copy in", golden::kCopyIn, true, {"COPY items"}},
      {"copy out", golden::kCopyOut, true, {"COPY items"}},
      {"copy in fails", golden::kCopyInFails, true, {"COPY items 22P02"}},
      {"listen and notify", golden::kListenNotify, true, {"LISTEN", "NOTIFY"}},
      {"empty", golden::kEmptyQuery, true, {"_OTHER"}},
      {"extended", golden::kExtended, true, {"SELECT items", "SELECT items"}},
      {"prepared", golden::kPrepared, true, {"PREPARE items", "SELECT items", "SELECT items"}},
      {"prepared pipeline",
       golden::kPreparedPipeline,
       true,
       {"PREPARE items", "PREPARE items", "PREPARE", "SELECT items", "UPDATE items", "SELECT", "SELECT items",
        "UPDATE items", "SELECT"}},
      {"aborted pipeline",
       golden::kAbortedPipeline,
       true,
       {"SELECT", "SELECT 22012", "SELECT pipeline_aborted", "INSERT items pipeline_aborted", "SELECT"}},
      {"fast path", golden::kFastPath, true, {"BEGIN", "SELECT pg_proc", "FUNCTION_CALL 42704", "ROLLBACK"}},
      {"failed commit", golden::kFailedCommit, true, {"INSERT d 23505"}},
      {"extended copy in", golden::kExtendedCopyIn, true, {"COPY items", "COPY items 22P02", "SELECT"}},
      {"describe", golden::kDescribe, true, {"PREPARE items", "DESCRIBE", "DESCRIBE 26000", "PREPARE missing 42P01"}},
      {"cancelled", golden::kCancelled, true, {"BEGIN", "SELECT 57014"}},
  };
}

// The pieces of the turns: `cut(turn, size)` gives where each is cut.
std::unique_ptr<Tap> PlayGolden(const Golden& golden, probe::Role role,
                                const std::function<std::vector<std::size_t>(std::size_t, std::size_t)>& cut) {
  auto tap = std::make_unique<Tap>(role);
  if (golden.opened) {
    tap->Client(Startup());
    tap->Server(Message('R', Number(0, 4)) + Ready());
    tap->sink.all.clear();
  }
  for (std::size_t i = 0; i < golden.turns.size(); ++i) {
    const auto& turn = golden.turns[i];
    std::size_t begin = 0;
    for (const std::size_t end : cut(i, turn.bytes.size())) {
      if (end > begin) tap->Pass(turn.sender, turn.bytes.substr(begin, end - begin), end - begin);
      begin = end;
    }
    if (begin < turn.bytes.size()) tap->Pass(turn.sender, turn.bytes.substr(begin), turn.bytes.size() - begin);
  }
  tap->Close();
  return tap;
}

void CheckGolden(const Golden& golden, Tap& tap) {
  EXPECT_EQ(tap.sink.all, golden.calls) << golden.name;
  EXPECT_EQ(tap.Unparsed(), 0u) << golden.name;
  EXPECT_EQ(tap.Counts().parsed_bytes, tap.told) << golden.name;
  EXPECT_EQ(tap.Counts().unmatched_answers + tap.Counts().unpaired_requests + tap.Counts().late_answers, 0u)
      << golden.name;
  EXPECT_EQ(tap.conversation.state(), Conversation::State::kConfirmed) << golden.name;
}

TEST(PostgresqlConversation, TellsWhatRealSessionsDid) {
  for (const Golden& golden : Goldens()) {
    for (const probe::Role role : {probe::Role::kServer, probe::Role::kClient}) {
      const auto tap = PlayGolden(golden, role, [](std::size_t, std::size_t) { return std::vector<std::size_t>(); });
      CheckGolden(golden, *tap);
      for (const probe::Role told : tap->sink.roles) EXPECT_EQ(told, role);
    }
  }
}

TEST(PostgresqlConversation, EverySplitMeansTheSame) {
  for (const Golden& golden : Goldens()) {
    for (std::size_t turn = 0; turn < golden.turns.size(); ++turn) {
      for (std::size_t at = 1; at < golden.turns[turn].bytes.size(); ++at) {
        const auto tap = PlayGolden(golden, probe::Role::kServer, [turn, at](std::size_t i, std::size_t) {
          return i == turn ? std::vector<std::size_t>{at} : std::vector<std::size_t>();
        });
        CheckGolden(golden, *tap);
        if (testing::Test::HasFailure()) FAIL() << "turn " << turn << " at " << at;
      }
    }
    const auto bytewise = PlayGolden(golden, probe::Role::kServer, [](std::size_t, std::size_t size) {
      std::vector<std::size_t> all;
      for (std::size_t i = 1; i < size; ++i) all.push_back(i);
      return all;
    });
    CheckGolden(golden, *bytewise);
  }
}

TEST(PostgresqlConversation, CancelRequestIsAnsweredByTheClose) {
  Tap tap;
  tap.Play(golden::kCancelRequest);
  EXPECT_THAT(tap.sink.all, IsEmpty());
  tap.time_ns = 5'000;
  tap.Close();
  EXPECT_THAT(tap.sink.all, ElementsAre("CANCEL"));
  EXPECT_EQ(tap.sink.times[0], std::pair(std::uint64_t{1'000}, std::uint64_t{5'000}));

  Tap reset;
  reset.Play(golden::kCancelRequest);
  reset.Reset();
  EXPECT_THAT(reset.sink.all, ElementsAre("CANCEL reset"));
}

TEST(PostgresqlConversation, EncryptionThatIsGrantedLeaves) {
  for (const char* answer : {"S", "G"}) {
    Tap tap;
    tap.Client(std::string_view("\0\0\0\10\4\322\26/", 8));
    tap.Server(answer);
    EXPECT_EQ(tap.conversation.state(), Conversation::State::kFinished);
    tap.Client("\26\3\1");
    tap.Close();
    EXPECT_THAT(tap.sink.all, IsEmpty());
    EXPECT_EQ(tap.Counts().unparsed_bytes[static_cast<std::size_t>(Unparsed::kEncrypted)], 3u);
    EXPECT_EQ(tap.Counts().parsed_bytes, 9u);
  }
}

TEST(PostgresqlConversation, GssIsRefusedThenTls) {
  Tap tap;
  tap.Client(std::string_view("\0\0\0\10\4\322\26\60", 8));
  tap.Server("N");
  tap.Client(std::string_view("\0\0\0\10\4\322\26/", 8));
  tap.Server("N");
  tap.Client(Startup());
  tap.Server(Message('R', Number(0, 4)) + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("CONNECT"));
}

TEST(PostgresqlConversation, PlaintextOfTlsBeginsWithTheStartup) {
  Tap tap;
  tap.Client(Startup());
  tap.Server(Error("53300"));
  EXPECT_THAT(tap.sink.all, ElementsAre("CONNECT 53300"));
  tap.Close();
  EXPECT_EQ(tap.sink.all.size(), 1u);
}

TEST(PostgresqlConversation, OtherBytesAreRefuted) {
  for (const std::string& text :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(16, '\0'), std::string("\26\3\1\2\0\1\0\1\xfc", 9)}) {
    Tap tap;
    tap.Client(text);
    EXPECT_EQ(tap.conversation.state(), Conversation::State::kRefuted);
    EXPECT_THAT(tap.sink.all, IsEmpty());
  }
}

TEST(PostgresqlConversation, TimesAreOfTheFirstAndLastByte) {
  Opened tap;
  tap.time_ns = 2'010;
  const std::string query = Query("select 1");
  tap.Client(query.substr(0, 3));  // 2,010
  tap.Client(query.substr(3));     // 2,011
  const std::string answer = kRowDescription + Complete("SELECT 1") + Ready();
  tap.Server(answer.substr(0, 8));
  tap.time_ns = 2'020;
  tap.Server(answer.substr(8));  // 2,020
  ASSERT_THAT(tap.sink.all, ElementsAre("SELECT"));
  EXPECT_EQ(tap.sink.times[0], std::pair(std::uint64_t{2'010}, std::uint64_t{2'020}));
}

TEST(PostgresqlConversation, EachExecuteOfAPipelineHasItsOwnTimes) {
  Opened tap;
  tap.time_ns = 2'010;
  tap.Client(Extended("select 1"));                       // 2,010
  tap.Client(Extended("update t set a = 1"));             // 2,011
  tap.Client(kSync + Extended("delete from t") + kSync);  // 2,012
  tap.time_ns = 2'020;
  tap.Server(kParsed + kBound + kRowDescription + Row(1) + Complete("SELECT 1"));  // 2,020
  tap.Server(kParsed + kBound + kNoData + Complete("UPDATE 1"));                   // 2,021
  tap.Server(Ready());                                                             // 2,022
  tap.Server(kParsed + kBound + kNoData + Complete("DELETE 1") + Ready());         // 2,023
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT", "UPDATE t", "DELETE t"));
  using P = std::pair<std::uint64_t, std::uint64_t>;
  EXPECT_THAT(tap.sink.times, ElementsAre(P(2'010, 2'020), P(2'011, 2'021), P(2'012, 2'023)));
}

TEST(PostgresqlConversation, ABatchEndsWithItsSyncAndTheNextGoesOn) {
  Opened tap;
  tap.Client(Extended("select 1") + Extended("bad") + Extended("select 2") + kSync + Extended("select 3") + kSync);
  tap.Server(kParsed + kBound + kNoData + Complete("SELECT 1") + Error("42601"));
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT", "_OTHER 42601"));
  tap.Server(Ready() + kParsed + kBound + kNoData + Complete("SELECT 1") + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT", "_OTHER 42601", "SELECT pipeline_aborted", "SELECT"));
}

TEST(PostgresqlConversation, WhatIsSentAfterTheErrorIsSkippedToo) {
  Opened tap;
  tap.Client(Extended("select 1") + kFlush);
  tap.Server(Error("42P01"));
  tap.Client(Extended("select 2") + Query("select 3") + kSync);
  tap.Server(Ready());
  tap.Client(Query("select 4"));
  tap.Server(Complete("SELECT 1") + Ready());
  EXPECT_THAT(tap.sink.all,
              ElementsAre("SELECT 42P01", "SELECT pipeline_aborted", "SELECT pipeline_aborted", "SELECT"));
  EXPECT_EQ(tap.Counts().unpaired_requests, 0u);
}

TEST(PostgresqlConversation, StatementsAndPortalsAreResolvedByName) {
  Opened tap;
  tap.Client(Parse("a", "select * from apples") + Parse("b", "delete from berries") + kSync);
  tap.Server(kParsed + kParsed + Ready());
  tap.Client(Bind("p", "b") + Bind("q", "a") + Execute("p") + Execute("q") + Execute("q") + kSync);
  tap.Server(kBound + kBound + Complete("DELETE 1") + Message('s') + Complete("SELECT 1") + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("PREPARE apples", "PREPARE berries", "BIND berries", "BIND apples",
                                        "DELETE berries", "SELECT apples", "SELECT apples"));
  EXPECT_EQ(tap.Counts().unpaired_requests, 0u);
}

TEST(PostgresqlConversation, AClosedOrRefusedNameIsForgotten) {
  Opened tap;
  tap.Client(Parse("a", "select * from apples") + kSync);
  tap.Server(kParsed + Ready());
  // A name in use: the server refuses, and keeps what it had.
  tap.Client(Parse("a", "update berries set b = 1") + kSync);
  tap.Server(Error("42P05") + Ready());
  tap.Client(Bind("", "a") + Execute("") + kSync);
  tap.Server(kBound + Complete("SELECT 1") + Ready());
  // Closed, it may be used again.
  tap.Client(CloseStatement("a") + Parse("a", "update berries set b = 1") + Bind("", "a") + Execute("") + kSync);
  tap.Server(kClosed + kParsed + kBound + Complete("UPDATE 1") + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("PREPARE apples", "PREPARE berries 42P05", "SELECT", "UPDATE berries"));
}

TEST(PostgresqlConversation, APrepareThatFailedIsNotKept) {
  Opened tap;
  tap.Client(Extended("bad") + Parse("a", "select * from apples") + kSync);
  tap.Server(Error("42601") + Ready());
  tap.Client(Bind("", "a") + Execute("") + kSync);
  tap.Server(Error("26000") + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("_OTHER 42601", "PREPARE apples pipeline_aborted", "_OTHER 26000"));
}

TEST(PostgresqlConversation, UnknownStatementsAreNamedByTheServersTag) {
  Tap tap(probe::Role::kServer, true);
  tap.Client(Bind("", "S_1") + DescribePortal("") + Execute("") + kSync);
  tap.Server(kBound + kNoData + Complete("INSERT 0 1") + Ready());
  tap.Client(Bind("", "S_2") + Execute("") + kSync);
  tap.Server(kBound + Error("23505") + Ready());
  tap.Client(Bind("", "S_3") + Execute("") + kSync);
  tap.Server(kBound + Complete("START TRANSACTION") + Ready('T'));
  EXPECT_THAT(tap.sink.all, ElementsAre("INSERT", "_OTHER 23505", "START TRANSACTION"));
  EXPECT_EQ(tap.conversation.state(), Conversation::State::kConfirmed);
  EXPECT_EQ(tap.Unparsed(), 0u);
}

TEST(PostgresqlConversation, AsynchronousMessagesAreNoAnswers) {
  Opened tap;
  const std::string notice = Message('N', "SNOTICE" + kZero + "C00000" + kZero + kZero);
  const std::string notification = Message('A', Number(7, 4) + "c" + kZero + kZero);
  const std::string parameter = Message('S', "TimeZone" + kZero + "UTC" + kZero);
  tap.Server(notice + notification + parameter);
  tap.Client(Query("set timezone = 'UTC'"));
  tap.Server(notification);
  tap.Server(notice + parameter + Complete("SET") + notice + Ready());
  tap.Server(notification);
  EXPECT_THAT(tap.sink.all, ElementsAre("SET"));
  EXPECT_EQ(tap.Counts().unmatched_answers, 0u);
}

TEST(PostgresqlConversation, ASessionThatTheServerEnds) {
  Opened idle;
  idle.Server(Error("57P01"));
  idle.Close();
  EXPECT_THAT(idle.sink.all, IsEmpty());
  EXPECT_EQ(idle.Counts().unmatched_answers, 0u);

  Opened busy;
  busy.Client(Query("select pg_sleep(9)"));
  busy.Server(Error("57P01"));
  busy.Close();
  EXPECT_THAT(busy.sink.all, ElementsAre("SELECT 57P01"));
}

TEST(PostgresqlConversation, EveryCodeIsTold) {
  Opened tap;
  for (const char* code : {"ZZ999", "P0001", "TS001", "00000", "XX000", "_U_X1"}) {
    tap.sink.all.clear();
    tap.Client(Query("select 1"));
    tap.Server(Error(code) + Ready());
    EXPECT_THAT(tap.sink.all, ElementsAre("SELECT " + std::string(code)));
  }
  tap.sink.all.clear();
  tap.Client(Query("select 1"));
  tap.Server(Message('E', "SERROR" + kZero + "Mno code" + kZero + kZero) + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT _OTHER code "));
}

TEST(PostgresqlConversation, ReplicationLeavesRequestAndAnswer) {
  Opened tap;
  tap.Client(Query("IDENTIFY_SYSTEM"));
  tap.Server(kRowDescription + Row(3) + Complete("IDENTIFY_SYSTEM") + Ready());
  tap.Client(Query("START_REPLICATION SLOT \"s\" 0/0 TIMELINE 1"));
  tap.Server(Message('W', std::string(3, '\0')));
  tap.Server(Message('d', "w" + std::string(300, 'x')));
  tap.Client(Message('d', "r" + std::string(33, 'x')));
  EXPECT_THAT(tap.sink.all, ElementsAre("IDENTIFY_SYSTEM", "START_REPLICATION"));
  tap.Server(Message('c'));
  tap.Client(Message('c'));
  tap.Server(Complete("COPY 0") + Complete("START_STREAMING") + Ready());
  tap.Client(Query("SHOW x"));
  tap.Server(Complete("SHOW") + Ready());
  tap.Close();
  EXPECT_THAT(tap.sink.all, ElementsAre("IDENTIFY_SYSTEM", "START_REPLICATION", "SHOW"));
  EXPECT_EQ(tap.Unparsed(), 0u);
}

TEST(PostgresqlConversation, PrepareAndDescribeAndCloseOnTheirOwn) {
  Opened tap;
  // asyncpg: Flush instead of Sync behind Parse and Describe.
  tap.Client(Parse("a", "select * from t") + DescribeStatement("a") + kFlush);
  tap.Server(kParsed + Message('t', Number(0, 2)) + kRowDescription);
  EXPECT_THAT(tap.sink.all, ElementsAre("PREPARE t"));
  tap.Client(Bind("", "a") + Execute("") + kSync);
  tap.Server(kBound + Complete("SELECT 0") + Ready());
  tap.Client(CloseStatement("a") + kSync);
  tap.Server(kClosed + Ready());
  // A Close behind a request, and a Sync alone, are none.
  tap.Client(Extended("select 1") + ClosePortal("") + kSync + kSync);
  tap.Server(kParsed + kBound + kNoData + Complete("SELECT 1") + kClosed + Ready() + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("PREPARE t", "SELECT t", "CLOSE", "SELECT"));
}

TEST(PostgresqlConversation, AParseThatIsAnsweredBeforeItsBindCame) {
  Opened tap;
  tap.Client(Parse("", "select * from t"));
  tap.Server(kParsed);
  EXPECT_THAT(tap.sink.all, IsEmpty());
  tap.Client(Bind("", "") + Execute("") + kSync);
  tap.Server(kBound + Complete("SELECT 0") + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t"));
  tap.Client(Parse("a", "select * from t"));
  tap.Server(kParsed);
  tap.Client(kSync);
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t", "PREPARE t"));
}

TEST(PostgresqlConversation, AParseThatFailsBeforeItsBindCame) {
  Tap tap;
  tap.Client(Startup());
  tap.Server(Message('R', Number(0, 4)) + Ready());
  tap.Client(Parse("", "select * from t"));
  tap.Server(Error("42P01"));
  tap.Client(Bind("", "") + Execute("") + Extended("select * from u") + kSync);
  tap.Server(Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("CONNECT", "SELECT t 42P01", "SELECT u pipeline_aborted"));
  tap.Client(Parse("", "select * from t"));
  tap.Server(Error("57P01"));
  tap.Close();
  EXPECT_EQ(tap.sink.all.back(), "PREPARE t 57P01");
}

TEST(PostgresqlConversation, ACommitThatFailsAtTheSync) {
  Opened tap;
  tap.Client(Extended("insert into t values (1)") + kFlush);
  tap.Server(kParsed + kBound + kNoData + Complete("INSERT 0 1"));
  tap.Client(kSync);
  tap.Server(Error("40001") + Ready());
  tap.Client(Query("select 1"));
  tap.Server(Complete("SELECT 1") + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("INSERT t", "COMMIT 40001", "SELECT"));
}

// ---- Captures that end early, losses, deadlines ----

TEST(PostgresqlConversation, LargeMessagesAreSkippedByLength) {
  Opened tap;
  const std::string insert = Query("insert into t values ('" + std::string(200'000, 'x') + "')");
  tap.Client(insert.substr(0, 65'536));
  tap.Client(insert.substr(65'536), 100);
  tap.Server(Complete("INSERT 0 1") + Ready());
  tap.Client(Query("select * from t"));
  tap.Server(kRowDescription + Row(100'000) + Complete("SELECT 1") + Ready(), 248);
  EXPECT_THAT(tap.sink.all, ElementsAre("INSERT t", "SELECT t"));
}

// What the kernel tells of a long answer: the first bytes of each segment and its last 8.
TEST(PostgresqlConversation, ALongAnswerEndsWithTheReadyInItsTail) {
  std::string rows = kRowDescription;
  for (int i = 0; i < 1'000; ++i) rows += Row(300);
  struct Case {
    std::string end;
    std::string told;
  };
  for (const Case& c : {Case{Complete("SELECT 1000") + Ready(), "SELECT t"},
                        Case{Error("57014") + Ready('E'), "SELECT t _OTHER code "}}) {
    Opened tap;
    tap.Client(Query("select * from t"));
    const std::string answer = rows + c.end;
    for (std::size_t at = 0; at < answer.size(); at += 10'000) tap.Server(answer.substr(at, 10'000), 248);
    EXPECT_THAT(tap.sink.all, ElementsAre(c.told));
    tap.Client(Query("select 1"));
    tap.Server(Complete("SELECT 1") + Ready());
    EXPECT_THAT(tap.sink.all, ElementsAre(c.told, "SELECT"));
    EXPECT_EQ(tap.Counts().unpaired_requests + tap.Counts().unmatched_answers, 0u);
    EXPECT_EQ(tap.Counts().parsed_bytes, tap.told);
    EXPECT_EQ(tap.Unparsed(), 0u);
  }
}

TEST(PostgresqlConversation, AReadySplitOverTwoTailsIsFound) {
  std::string answer = kRowDescription;
  for (int i = 0; i < 100; ++i) answer += Row(300);
  answer += Complete("SELECT 100") + Ready();
  for (std::size_t cut = 1; cut < 6; ++cut) {
    Opened tap;
    tap.Client(Query("select * from t"));
    tap.Server(answer.substr(0, answer.size() - cut), 248);
    tap.Server(answer.substr(answer.size() - cut));
    EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t")) << cut;
  }
}

TEST(PostgresqlConversation, TheEndOfALongPreparedAnswer) {
  std::string rows;
  for (int i = 0; i < 1'000; ++i) rows += Row(300);
  Opened tap;
  tap.Client(Extended("select * from t") + kSync);
  tap.Server(kParsed + kBound + kRowDescription + rows + Complete("SELECT 1000") + Ready(), 248);
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t"));
  // Of two in one batch only the last one's end is seen.
  tap.Client(Extended("select * from t") + Extended("select * from u") + kSync);
  tap.Server(kParsed + kBound + kRowDescription + rows + Complete("SELECT 1000") + kParsed + kBound + kRowDescription +
                 rows + Complete("SELECT 1000") + Ready(),
             248);
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT t", "SELECT u"));
  EXPECT_EQ(tap.Counts().unpaired_requests, 1u);
  // Which of the two failed is not known.
  tap.Client(Extended("select * from t") + Extended("select * from u") + kSync);
  tap.Server(kParsed + kBound + kRowDescription + rows + Error("57014") + Ready(), 248);
  EXPECT_EQ(tap.sink.all.size(), 2u);
  EXPECT_EQ(tap.Counts().unpaired_requests, 3u);
  tap.Client(Query("select 1"));
  tap.Server(Complete("SELECT 1") + Ready());
  EXPECT_EQ(tap.sink.all.back(), "SELECT");
}

TEST(PostgresqlConversation, CopyDataThatIsNotCaptured) {
  for (const bool extended : {false, true}) {
    Opened tap;
    tap.Client(extended ? Extended("copy t from stdin") + kSync : Query("copy t from stdin"));
    tap.Server((extended ? kParsed + kBound + kNoData : std::string()) + Message('G', std::string(3, '\0')));
    std::string data;
    for (int i = 0; i < 100; ++i) data += Message('d', std::string(900, 'x'));
    tap.Client(data, 248);
    tap.Client(data + Message('c') + (extended ? kSync : ""), 248);
    tap.Server(Complete("COPY 200") + Ready());
    EXPECT_THAT(tap.sink.all, ElementsAre("COPY t"));
    tap.Client(Query("select 1"));
    tap.Server(Complete("SELECT 1") + Ready());
    EXPECT_THAT(tap.sink.all, ElementsAre("COPY t", "SELECT"));
    EXPECT_EQ(tap.Counts().unpaired_requests, 0u);
    EXPECT_EQ(tap.Counts().parsed_bytes, tap.told);
  }
}

TEST(PostgresqlConversation, ALostAnswerIsNotGuessed) {
  Opened tap;
  tap.Client(Query("select 1"));
  tap.Lose(Sender::kServer, Complete("SELECT 1") + Ready());
  tap.Client(Query("select 2"));  // the loss shows only with the next answer
  tap.Server(Complete("SELECT 1") + Ready());
  EXPECT_THAT(tap.sink.all, IsEmpty());
  tap.Client(Query("select 3"));
  tap.Server(Error("22012") + Ready());
  tap.Client(Query("delete from t"));
  tap.Server(Complete("DELETE 1") + Ready());
  EXPECT_EQ(tap.sink.all.back(), "DELETE t");
  const std::size_t told = tap.sink.all.size();
  EXPECT_EQ(told + tap.Counts().unpaired_requests, 4u);
}

TEST(PostgresqlConversation, ALostRequestIsNotGuessed) {
  Opened tap(probe::Role::kClient);
  tap.Client(Query("select 1"));
  tap.Server(Complete("SELECT 1") + Ready());
  tap.Lose(Sender::kClient, Query("delete from t"));
  tap.Server(Complete("DELETE 1") + Ready());
  tap.Client(Query("update t set a = 1"));
  tap.Server(Complete("UPDATE 1") + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT", "UPDATE t"));
  EXPECT_EQ(tap.Counts().unmatched_answers, 1u);
}

TEST(PostgresqlConversation, ALossInAPipelineEndsWithCertainty) {
  Opened tap(probe::Role::kClient);
  const std::string request = Extended("select * from t") + kSync;
  const std::string answer = kParsed + kBound + kNoData + Complete("SELECT 1") + Ready();
  tap.Client(request + request);
  tap.Server(answer + answer);
  EXPECT_EQ(tap.sink.all.size(), 2u);
  tap.Client(request);
  tap.Lose(Sender::kClient, request);
  tap.Client(request);
  tap.Server(answer + answer + answer);
  const std::size_t told = tap.sink.all.size();
  EXPECT_GE(told, 3u);  // what went before the loss
  std::size_t sent = 5;
  for (int turn = 0; turn < 5; ++turn, sent += 2) {
    tap.Client(request + request);
    tap.Server(answer + answer);
  }
  EXPECT_GE(tap.sink.all.size(), told + 6);
  EXPECT_EQ(tap.sink.all.size() + tap.Counts().unpaired_requests + 1, sent);
}

TEST(PostgresqlConversation, AnswersThatDoNotFitEndThePairing) {
  Tap tap(probe::Role::kServer, true);
  // In flight before the tap: the answer is to a statement that was not seen.
  tap.Client(Parse("", "select * from t") + Bind("", "") + Execute("") + kSync);
  tap.Server(kBound + Complete("UPDATE 1") + Ready());
  EXPECT_THAT(tap.sink.all, IsEmpty());
  EXPECT_EQ(tap.Counts().unpaired_requests, 1u);
}

TEST(PostgresqlConversation, TimeoutsAndWhatBeginsInTime) {
  Opened tap;
  tap.time_ns = 1'000'000'000;
  tap.Client(Query("select 1"));
  ASSERT_TRUE(tap.conversation.NextDeadline());
  EXPECT_EQ(*tap.conversation.NextDeadline(), 61'000'000'000u);
  tap.time_ns = 61'000'000'000;
  tap.Tick();
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT timeout"));
  EXPECT_EQ(tap.sink.times[0].second, 61'000'000'000u);
  tap.Server(Complete("SELECT 1") + Ready());
  EXPECT_EQ(tap.Counts().late_answers, 1u);
  // An answer that has begun has no deadline.
  tap.Client(Query("copy t to stdout"));
  tap.Server(Message('H', std::string(3, '\0')));
  tap.time_ns += 100'000'000'000;
  tap.Tick();
  tap.Server(Message('c') + Complete("COPY 0") + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT timeout", "COPY t"));
  // Nor has a batch that the client has not ended.
  tap.Client(Extended("select * from t"));
  tap.time_ns += 100'000'000'000;
  tap.Tick();
  tap.Client(kSync);
  tap.Server(kParsed + kBound + kNoData + Complete("SELECT 0") + Ready());
  EXPECT_THAT(tap.sink.all, ElementsAre("SELECT timeout", "COPY t", "SELECT t"));
}

TEST(PostgresqlConversation, WhatWaitsAtTheEndIsTold) {
  for (const bool reset : {false, true}) {
    Opened tap;
    tap.Client(Query("select 1"));
    tap.Client(Extended("update t set a = 1") + kSync);
    reset ? tap.Reset() : tap.Close();
    EXPECT_THAT(tap.sink.all, reset ? ElementsAre("SELECT reset", "UPDATE t reset")
                                    : ElementsAre("SELECT closed", "UPDATE t closed"));
  }
}

TEST(PostgresqlConversation, AMessageThatIsCutOffIsNoRequest) {
  Opened tap;
  tap.Client("Q\0\0"sv);
  tap.Close();
  EXPECT_THAT(tap.sink.all, IsEmpty());
  EXPECT_EQ(tap.Counts().unparsed_bytes[static_cast<std::size_t>(Unparsed::kCutOff)], 3u);
}

TEST(PostgresqlConversation, TheBudgetIsGivenBack) {
  decode::MemoryBudget budget(2'000);
  {
    const Options options;
    KeptCalls sink;
    Conversation conversation({.role = probe::Role::kServer, .mid_stream = true}, options, budget);
    std::uint32_t seq = 0;
    for (int i = 0; i < 500; ++i) {
      const std::string name = "s" + std::to_string(i);
      const std::string text = Parse(name, "select * from " + name) + Bind(name, name) + Execute(name) + kSync;
      conversation.OnData({.seq = seq, .length = static_cast<std::uint32_t>(text.size()), .captured = AsBytes(text)},
                          sink);
      seq += static_cast<std::uint32_t>(text.size());
    }
    EXPECT_LE(budget.used(), 2'000u);
    EXPECT_GT(budget.used(), 0u);
    conversation.OnClose({}, sink);
  }
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace wiregauge::match::postgresql
