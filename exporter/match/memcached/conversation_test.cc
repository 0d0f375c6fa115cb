#include "exporter/match/memcached/conversation.h"

#include <string>

#include <gtest/gtest.h>

#include "exporter/match/conversation_tap.h"

namespace wiregauge::match::memcached {
namespace {

using Tap = ConversationTap<Conversation>;

constexpr std::uint64_t kSecond = 1'000'000'000;

// Every payload byte was understood, and nothing is left over.
void ExpectExact(Tap& tap) {
  EXPECT_EQ(tap.Unparsed(), 0u);
  const ConnectionCounts& counts = tap.Counts();
  EXPECT_EQ(counts.unmatched_answers + counts.unpaired_requests + counts.evicted_requests + counts.late_answers, 0u);
}

TEST(Memcached, EachCommandOfAPipelineHasItsOwnTimes) {
  for (const probe::Role role : {probe::Role::kServer, probe::Role::kClient}) {
    Tap tap(role);
    tap.Request("set k 0 0 5\r\nhello\r\nget k\r\nget none\r\nde");  // 1000
    tap.Request("lete k\r\nincr n 1\r\n");                           // 1001
    tap.Answer("STORED\r\nVALUE k 0 5\r\nhel");                      // 1002
    tap.Answer("lo\r\nEND\r\nEND\r\n");                              // 1003
    tap.Answer("DELETED\r\nNOT_FOUND\r\n");                          // 1004
    EXPECT_EQ(tap.sink.Text(), "set:STORED get:VALUE get:END delete:DELETED incr:NOT_FOUND");
    ASSERT_EQ(tap.sink.all.size(), 5u);
    EXPECT_EQ(tap.sink.all[1].start_ns, 1'000u);
    EXPECT_EQ(tap.sink.all[0].end_ns, 1'002u);
    EXPECT_EQ(tap.sink.all[1].end_ns, 1'003u);
    EXPECT_EQ(tap.sink.all[3].end_ns, 1'004u);
    EXPECT_EQ(tap.sink.all[4].start_ns, 1'001u);
    EXPECT_EQ(tap.sink.all[0].role, role);
    EXPECT_EQ(tap.sink.all[4].error, "") << "a miss is no error";
    ExpectExact(tap);
  }
}

TEST(Memcached, Errors) {
  Tap tap;
  tap.Request("nonsense\r\nset k 0 0 1\r\nxincr k x\r\n");
  tap.Request("set k 0 0 1\r\nx\r\n");
  tap.Answer("ERROR\r\nCLIENT_ERROR bad data chunk\r\nERROR\r\nSERVER_ERROR out of memory storing object\r\n");
  EXPECT_EQ(tap.sink.Text().substr(0, 40), "_OTHER:ERROR set:CLIENT_ERROR _OTHER:ERR");
  EXPECT_EQ(tap.sink.all.back().error, "SERVER_ERROR");
}

TEST(Memcached, NoReplyIsToldAtOnce) {
  Tap tap;
  tap.Request("set k 0 0 1 noreply\r\nx\r\ndelete k noreply\r\nget k\r\nquit\r\n");
  EXPECT_EQ(tap.sink.Text(), "set delete quit");
  tap.Answer("END\r\n");
  EXPECT_EQ(tap.sink.Text(), "set delete quit get:END");
  ExpectExact(tap);
}

TEST(Memcached, QuietCommandsByTheirOpaque) {
  Tap tap;
  tap.Request("mg a v q O1\r\nmg b v q O2\r\nmg c v q O3\r\nms d 1 q O4\r\nx\r\nmd e q O5\r\nma f q O6\r\nmn\r\n");
  tap.Answer("VA 1 O2\r\ny\r\nNS O4\r\nMN\r\n");
  EXPECT_EQ(tap.sink.Text(), "mg:EN mg:VA mg:EN ms:NS md ma:HD mn:MN");
  ExpectExact(tap);
}

TEST(Memcached, QuietCommandsByTheirKeyOrTheirKind) {
  Tap keys;
  keys.Request("mg a v q k\r\nmg b v q k\r\nmn\r\n");
  keys.Answer("VA 1 kb\r\ny\r\nMN\r\n");
  EXPECT_EQ(keys.sink.Text(), "mg:EN mg:VA mn:MN");
  Tap kinds;
  kinds.Request("ms a 1 q\r\nx\r\nmg b v q\r\nmg c v\r\n");
  kinds.Answer("VA 1\r\ny\r\nEN\r\n");
  EXPECT_EQ(kinds.sink.Text(), "ms:HD mg:VA mg:EN");
  ExpectExact(kinds);
}

TEST(Memcached, QuietCommandsThatNothingFollows) {
  Tap tap;
  tap.Request("ms a 1 q\r\nx\r\n");
  tap.time_ns += 60 * kSecond;
  tap.Tick();
  EXPECT_EQ(tap.sink.Text(), "ms:HD") << "no timeout: silence is its answer";
  EXPECT_EQ(tap.sink.all[0].end_ns, 1'000u);
  tap.Request("mg a q\r\n");
  tap.Close();
  EXPECT_EQ(tap.sink.Text(), "ms:HD mg:EN");
}

TEST(Memcached, AnAnswerThatCannotBeToItsRequestIsNotPaired) {
  Tap tap;
  tap.Request("get k\r\nset k 0 0 1\r\nx\r\n");
  tap.Answer("STORED\r\n");
  EXPECT_EQ(tap.sink.Text(), "");
  EXPECT_EQ(tap.Counts().unmatched_answers, 1u);
  EXPECT_EQ(tap.Counts().unpaired_requests, 2u);
}

TEST(Memcached, TimeoutsAndEnds) {
  Tap tap;
  tap.Request("get k\r\n");
  tap.time_ns += 60 * kSecond;
  tap.Tick();
  tap.Request("get l\r\nget m\r\n");
  tap.Answer("END\r\nEND\r\n");
  EXPECT_EQ(tap.sink.Text(), "get!timeout get:END");
  EXPECT_EQ(tap.Counts().late_answers, 1u);
  tap.Reset();
  EXPECT_EQ(tap.sink.Text(), "get!timeout get:END get!reset");
}

TEST(Memcached, LargeValuesThatAreNotCaptured) {
  Tap tap;
  const std::string value(900'000, 'v');
  tap.Request("set k 0 0 900000\r\n" + value + "\r\n", 248);
  tap.Answer("STORED\r\n");
  tap.Request("get k\r\n");
  tap.Answer("VALUE k 0 900000\r\n" + value + "\r\nEND\r\n", 248);
  EXPECT_EQ(tap.sink.Text(), "set:STORED get:VALUE");
  ExpectExact(tap);
}

TEST(Memcached, JoinedInTheMiddle) {
  Tap tap(probe::Role::kServer, true);
  tap.Answer("ue\r\n");
  tap.Request("get k\r\nget l\r\n");
  tap.Answer("END\r\nEND\r\n");
  tap.Request("set k 0 0 1\r\nx\r\n");
  tap.Answer("STORED\r\n");
  EXPECT_EQ(tap.sink.Text(), "set:STORED");
  EXPECT_EQ(tap.Counts().unpaired_requests, 2u);
}

TEST(Memcached, IsCertainWithItsFirstAnswer) {
  Tap tap;
  tap.Request("get k\r\n");
  EXPECT_EQ(tap.conversation.state(), Conversation::State::kUndecided);
  tap.Answer("$-1\r\n");
  EXPECT_EQ(tap.conversation.state(), Conversation::State::kRefuted);
  EXPECT_EQ(tap.sink.Text(), "");
}

}  // namespace
}  // namespace wiregauge::match::memcached
