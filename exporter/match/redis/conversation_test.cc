#include "exporter/match/redis/conversation.h"

#include <string>

#include <gtest/gtest.h>

#include "exporter/match/conversation_tap.h"

namespace wiregauge::match::redis {
namespace {

using Tap = ConversationTap<Conversation>;
using State = Conversation::State;

constexpr std::uint64_t kSecond = 1'000'000'000;

std::string Command(std::initializer_list<std::string_view> arguments) {
  std::string text = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string_view argument : arguments) {
    text += "$" + std::to_string(argument.size()) + "\r\n" + std::string(argument) + "\r\n";
  }
  return text;
}

// Every payload byte was understood, and nothing is left over.
void ExpectExact(Tap& tap) {
  EXPECT_EQ(tap.Unparsed(), 0u);
  const ConnectionCounts& counts = tap.Counts();
  EXPECT_EQ(counts.unmatched_answers + counts.unpaired_requests + counts.evicted_requests + counts.late_answers, 0u);
}

TEST(Redis, EachCommandOfAPipelineHasItsOwnTimes) {
  for (const probe::Role role : {probe::Role::kServer, probe::Role::kClient}) {
    Tap tap(role);
    tap.Request(Command({"SET", "a", "1"}) + Command({"GET", "a"}) + "*1\r\n$4\r\n");  // 1000
    tap.Request("PING\r\n");                                                           // 1001
    tap.Answer("+OK\r\n$1\r\n");                                                       // 1002
    tap.Answer("1\r\n");                                                               // 1003
    tap.Answer("+PONG\r\n");                                                           // 1004
    ASSERT_EQ(tap.sink.all.size(), 3u);
    const auto times = [&](std::size_t i) { return std::pair(tap.sink.all[i].start_ns, tap.sink.all[i].end_ns); };
    EXPECT_EQ(times(0), std::pair(1'000ul, 1'002ul));
    EXPECT_EQ(times(1), std::pair(1'000ul, 1'003ul));
    EXPECT_EQ(times(2), std::pair(1'000ul, 1'004ul));
    EXPECT_EQ(tap.sink.all[0].role, role);
    EXPECT_EQ(tap.sink.Text(), "SET GET PING");
    EXPECT_EQ(tap.conversation.state(), State::kConfirmed);
    ExpectExact(tap);
  }
}

TEST(Redis, ErrorsAreToldByTheirWord) {
  Tap tap;
  tap.Request(Command({"GET", "a"}) + Command({"LPUSH", "a", "1"}) + Command({"FT.SEARCH", "a"}) +
              Command({"GET", "a"}));
  tap.Answer("-NOAUTH Authentication required.\r\n-WRONGTYPE x\r\n-Unknown index\r\n!21\r\nMOVED 1 127.0.0.1:700\r\n");
  EXPECT_EQ(tap.sink.Text(), "GET:NOAUTH LPUSH:WRONGTYPE _OTHER:_OTHER GET:MOVED");
  EXPECT_EQ(tap.sink.all[0].error, "NOAUTH");
  ExpectExact(tap);
}

TEST(Redis, Transactions) {
  Tap tap;
  tap.Request(Command({"MULTI"}) + Command({"INCR", "a"}) + Command({"LPUSH", "a", "1"}) +
              Command({"BLPOP", "b", "0"}) + Command({"EXEC"}) + Command({"EXEC"}));
  tap.Answer("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n-WRONGTYPE x\r\n*-1\r\n-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(tap.sink.Text(), "MULTI INCR LPUSH BLPOP EXEC:WRONGTYPE EXEC:ERR");
  tap.Request(Command({"LRANGE", "a", "0", "-1"}));
  tap.Answer("*1\r\n-ERR of a script\r\n");
  EXPECT_EQ(tap.sink.all.back().error, "") << "only a transaction's errors are its commands'";
  ExpectExact(tap);
}

TEST(Redis, SubscribeEndsWithItsLastConfirmation) {
  for (const std::string type : {"*", ">"}) {
    const auto array = [&](std::string_view kind, std::string_view channel, int left) {
      return type + "3\r\n$" + std::to_string(kind.size()) + "\r\n" + std::string(kind) + "\r\n$" +
             std::to_string(channel.size()) + "\r\n" + std::string(channel) + "\r\n:" + std::to_string(left) + "\r\n";
    };
    const std::string message = type + "3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n";
    Tap tap;
    tap.Request(Command({"SUBSCRIBE", "a", "b"}));     // 1000
    tap.Answer(array("subscribe", "a", 1) + message);  // 1001
    EXPECT_EQ(tap.sink.Text(), "");
    tap.Answer(array("subscribe", "b", 2));  // 1002
    EXPECT_EQ(tap.sink.Text(), "SUBSCRIBE");
    EXPECT_EQ(tap.sink.all[0].end_ns, 1'002u);
    tap.Answer(message + message);
    tap.Request(Command({"PSUBSCRIBE", "x*"}) + Command({"PING"}) + Command({"UNSUBSCRIBE"}));
    tap.Answer(message + array("psubscribe", "x*", 3) + message);
    tap.Answer(type == "*" ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : "+PONG\r\n");
    tap.Answer(array("unsubscribe", "a", 2) + message);
    EXPECT_EQ(tap.sink.Text(), "SUBSCRIBE PSUBSCRIBE PING");
    tap.Answer(array("unsubscribe", "b", 1));
    EXPECT_EQ(tap.sink.Text(), "SUBSCRIBE PSUBSCRIBE PING UNSUBSCRIBE");
    tap.Request(Command({"UNSUBSCRIBE"}) + Command({"PUNSUBSCRIBE", "x*"}));
    tap.Answer(type + "3\r\n$11\r\nunsubscribe\r\n" + (type == "*" ? "$-1" : "_") + "\r\n:1\r\n" +
               array("punsubscribe", "x*", 0));
    tap.Request(Command({"LRANGE", "l", "0", "-1"}));
    tap.Answer("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
    EXPECT_EQ(tap.sink.Text(), "SUBSCRIBE PSUBSCRIBE PING UNSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE LRANGE");
    ExpectExact(tap);
  }
}

TEST(Redis, SubscribeThatIsRefused) {
  Tap tap;
  tap.Request(Command({"SUBSCRIBE", "a", "b"}) + Command({"MULTI"}) + Command({"SUBSCRIBE", "a"}));
  tap.Answer("-NOPERM no\r\n+OK\r\n+QUEUED\r\n");
  EXPECT_EQ(tap.sink.Text(), "SUBSCRIBE:NOPERM MULTI SUBSCRIBE");
  ExpectExact(tap);
}

TEST(Redis, PushesAreNoAnswers) {
  Tap tap;
  tap.Request(Command({"HELLO", "3"}) + Command({"CLIENT", "TRACKING", "ON"}));
  tap.Answer("%1\r\n$5\r\nproto\r\n:3\r\n+OK\r\n");
  tap.Answer(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n");
  tap.Request(Command({"GET", "k"}));
  tap.Answer(">2\r\n$10\r\ninvalidate\r\n_\r\n|1\r\n+ttl\r\n:1\r\n$1\r\nv\r\n>4\r\n+pmessage\r\n+a*\r\n+a\r\n+m\r\n");
  EXPECT_EQ(tap.sink.Text(), "HELLO CLIENT GET");
  ExpectExact(tap);
}

TEST(Redis, Monitor) {
  Tap tap;
  tap.Request(Command({"MONITOR"}));
  tap.Answer("+OK\r\n+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n");
  tap.Request(Command({"PING"}));
  tap.Answer("+1339518083.107413 [0 127.0.0.1:60866] \"ping\"\r\n+PONG\r\n");
  tap.Request(Command({"RESET"}));
  tap.Answer("+RESET\r\n");
  EXPECT_EQ(tap.sink.Text(), "MONITOR PING RESET");
  ExpectExact(tap);
}

TEST(Redis, ClientReply) {
  Tap tap;
  tap.Request(Command({"CLIENT", "REPLY", "SKIP"}) + Command({"SET", "a", "1"}) + Command({"GET", "a"}));
  tap.Answer("$1\r\n1\r\n");
  EXPECT_EQ(tap.sink.Text(), "CLIENT SET GET");
  tap.Request(Command({"CLIENT", "REPLY", "OFF"}) + Command({"SET", "a", "1"}) + Command({"BLPOP", "a", "0"}));
  tap.Request(Command({"CLIENT", "REPLY", "ON"}) + Command({"PING"}));
  tap.Answer("+OK\r\n+PONG\r\n");
  EXPECT_EQ(tap.sink.Text(), "CLIENT SET GET CLIENT SET BLPOP CLIENT PING");
  ExpectExact(tap);
}

TEST(Redis, TimeoutIsToldOnceAndItsAnswerSwallowed) {
  Tap tap;
  tap.Request(Command({"GET", "a"}) + Command({"GET", "b"}));
  EXPECT_EQ(tap.conversation.NextDeadline(), 1'000 + 60 * kSecond);
  tap.time_ns = 1'000 + 60 * kSecond;
  tap.Tick();
  EXPECT_EQ(tap.sink.Text(), "GET!timeout GET!timeout");
  tap.Request(Command({"SET", "a", "1"}));
  tap.Answer("$1\r\n1\r\n$1\r\n1\r\n+OK\r\n");
  EXPECT_EQ(tap.sink.Text(), "GET!timeout GET!timeout SET");
  EXPECT_EQ(tap.Counts().late_answers, 2u);
}

TEST(Redis, BlockingCommandsHaveTheirOwnDeadline) {
  Tap tap;
  tap.Request(Command({"BLPOP", "a", "100"}));
  EXPECT_EQ(tap.conversation.NextDeadline(), 1'000 + 160 * kSecond);
  tap.time_ns = 100 * kSecond;
  tap.Answer("*-1\r\n");
  EXPECT_EQ(tap.sink.Text(), "BLPOP");
  tap.Request(Command({"BLPOP", "a", "0"}) + Command({"GET", "a"}));
  EXPECT_EQ(tap.conversation.NextDeadline(), std::nullopt);
  tap.time_ns = 10'000 * kSecond;
  tap.Tick();
  tap.Answer("*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(tap.conversation.NextDeadline(), 10'060 * kSecond) << "what waited behind it has waited from now";
  tap.Answer("$-1\r\n");
  EXPECT_EQ(tap.sink.Text(), "BLPOP BLPOP GET");
  ExpectExact(tap);
}

TEST(Redis, EndsOfConnections) {
  Tap closed;
  closed.Request(Command({"GET", "a"}) + Command({"SHUTDOWN"}));
  closed.Close();
  EXPECT_EQ(closed.sink.Text(), "GET!closed SHUTDOWN");
  Tap reset;
  reset.Request(Command({"GET", "a"}));
  reset.Reset();
  EXPECT_EQ(reset.sink.Text(), "GET!reset");
}

TEST(Redis, ReplicationLeavesTheProtocol) {
  Tap tap;
  tap.Request(Command({"REPLCONF", "capa", "eof"}));
  tap.Answer("+OK\r\n");
  tap.Request(Command({"PSYNC", "?", "-1"}));
  tap.Answer("\n\n+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 0\r\n$175\r\nREDIS0009");
  EXPECT_EQ(tap.sink.Text(), "REPLCONF PSYNC");
  EXPECT_EQ(tap.conversation.state(), State::kFinished);
  tap.Request(Command({"REPLCONF", "ACK", "0"}));
  EXPECT_EQ(tap.Unparsed(decode::Unparsed::kReplication), tap.Unparsed());
  EXPECT_EQ(tap.Unparsed(), 15u + 34);
  EXPECT_EQ(tap.sink.Text(), "REPLCONF PSYNC");
}

TEST(Redis, InlineIsCertainWithItsAnswer) {
  Tap tap;
  tap.Request("PING\r\n\r\nGET a\r\n");
  EXPECT_EQ(tap.conversation.state(), State::kUndecided);
  tap.Answer("+PONG\r\n$-1\r\n");
  EXPECT_EQ(tap.conversation.state(), State::kConfirmed);
  EXPECT_EQ(tap.sink.Text(), "PING GET");
  Tap other;
  other.Request("get a\r\n");
  other.Answer("VALUE a 0 1\r\nx\r\nEND\r\n");
  EXPECT_EQ(other.conversation.state(), State::kRefuted);
  EXPECT_EQ(other.sink.Text(), "");
}

TEST(Redis, LargeValuesThatAreNotCaptured) {
  Tap tap;
  const std::string value(1'000'000, 'v');
  tap.Request(Command({"SET", "a", value}), 248);
  tap.Answer("+OK\r\n");
  tap.Request(Command({"GET", "a"}));
  tap.Answer("$1000000\r\n" + value + "\r\n", 248);
  EXPECT_EQ(tap.sink.Text(), "SET GET");
  ExpectExact(tap);
}

TEST(Redis, AnArrayThatIsNotCapturedEndsWhenTheClientGoesOn) {
  Tap tap;
  std::string array = "*30000\r\n";
  for (int i = 0; i < 30'000; ++i) array += "$5\r\nvalue\r\n";
  tap.Request(Command({"LRANGE", "a", "0", "-1"}));  // 1000
  tap.Answer(array.substr(0, 60'000), 248);          // 1001
  tap.Answer(array.substr(60'000), 248);             // 1002
  EXPECT_EQ(tap.sink.Text(), "");
  tap.Request(Command({"GET", "a"}));
  EXPECT_EQ(tap.sink.Text(), "LRANGE");
  EXPECT_EQ(tap.sink.all[0].end_ns, 1'002u);
  tap.Answer("$1\r\nx\r\n");
  EXPECT_EQ(tap.sink.Text(), "LRANGE GET");
  EXPECT_EQ(tap.Counts().unmatched_answers + tap.Counts().unpaired_requests, 0u);
  tap.Request(Command({"LRANGE", "a", "0", "-1"}));
  tap.Answer(array, 248);
  tap.time_ns += 10 * kSecond;
  tap.Tick();
  EXPECT_EQ(tap.sink.Text(), "LRANGE GET LRANGE") << "the server has been silent";
  EXPECT_EQ(tap.sink.all[2].end_ns, 1'006u);
}

TEST(Redis, ACommandThatIsNotCapturedIsAnswered) {
  Tap tap;
  std::string push = "*10002\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n";
  for (int i = 0; i < 10'000; ++i) push += "$5\r\nvalue\r\n";
  tap.Request(push.substr(0, 60'000), 248);
  tap.Request(push.substr(60'000), 248);
  tap.Answer(":10000\r\n");
  EXPECT_EQ(tap.sink.Text(), "RPUSH");
  tap.Request(Command({"GET", "a"}));
  tap.Answer("$1\r\nx\r\n");
  EXPECT_EQ(tap.sink.Text(), "RPUSH GET");
  EXPECT_EQ(tap.Counts().unmatched_answers + tap.Counts().unpaired_requests, 0u);
}

// A whole turn after the loss the order is certain again; until then nothing is told.
TEST(Redis, NothingIsPairedByGuessAfterALoss) {
  const std::string get = Command({"GET", "a"});
  for (const bool lose_request : {true, false}) {
    Tap tap;
    tap.Request(get + get + get);
    if (lose_request) {
      tap.LoseRequest(get);
      tap.Request(get);
      tap.Answer("$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n");
    } else {
      tap.Answer("$1\r\na\r\n");
      tap.LoseAnswer("$1\r\nb\r\n");
      tap.Answer("$1\r\nc\r\n");
    }
    // What is received waits for a retransmission; the answers say that it is lost.
    const std::size_t told = tap.sink.all.size();
    const int turns = lose_request ? 1 : 2;  // answers are found again only with the first of them
    for (int turn = 0; turn < turns; ++turn) {
      tap.Request(get + Command({"SET", "a", "1"}));
      tap.Answer("$1\r\na\r\n+OK\r\n");
    }
    EXPECT_EQ(tap.sink.all.size(), told);
    tap.Request(Command({"INCR", "a"}) + Command({"DECR", "a"}));
    tap.Answer(":1\r\n-WRONGTYPE x\r\n");
    ASSERT_EQ(tap.sink.all.size(), told + 2);
    EXPECT_EQ(tap.sink.all[told].operation, "INCR");
    EXPECT_EQ(tap.sink.all[told + 1].error, "WRONGTYPE");
  }
}

TEST(Redis, JoinedInTheMiddle) {
  const std::string get = Command({"GET", "a"});
  Tap tap(probe::Role::kServer, true);
  tap.Answer("ue\r\n");
  tap.Answer("$1\r\na\r\n");  // of a request before
  tap.Request(get + get);
  tap.Answer("$1\r\nb\r\n$1\r\nc\r\n");
  EXPECT_EQ(tap.sink.Text(), "");
  tap.Request(Command({"SET", "a", "1"}));
  tap.Answer("+OK\r\n");
  EXPECT_EQ(tap.sink.Text(), "SET") << "as many answers as requests: nothing was on its way";
  EXPECT_EQ(tap.Counts().unpaired_requests, 2u);
  EXPECT_EQ(tap.Unparsed(decode::Unparsed::kMidStream), 4u);

  Tap pipelining(probe::Role::kServer, true);
  pipelining.Request(get);
  pipelining.Answer("$1\r\na\r\n$1\r\nb\r\n");  // one is of a request before
  for (int turn = 0; turn < 2; ++turn) {
    pipelining.Request(Command({"SET", "a", "1"}));
    pipelining.Answer("+OK\r\n");
  }
  EXPECT_EQ(pipelining.sink.Text(), "SET") << "the turn after the first whole one";
}

}  // namespace
}  // namespace wiregauge::match::redis
