#include "exporter/match/mqtt/conversation.h"

#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/mqtt/test_packet.h"
#include "exporter/match/conversation_tap.h"

namespace wiregauge::match::mqtt {
namespace {

using namespace decode::mqtt::packets;
using Tap = ConversationTap<Conversation>;
using State = Conversation::State;

// Every payload byte was understood, and nothing is left over.
void ExpectExact(Tap& tap) {
  EXPECT_EQ(tap.Unparsed(), 0u);
  const ConnectionCounts& counts = tap.Counts();
  EXPECT_EQ(counts.unmatched_answers + counts.unpaired_requests + counts.evicted_requests + counts.late_answers, 0u);
}

// A connection of that level after its handshake; what it told of that is forgotten.
struct Connected : Tap {
  explicit Connected(int level, probe::Role role = probe::Role::kServer) : Tap(role) {
    Request(Connect(level));
    Answer(ConnAck(level, 0));
    EXPECT_EQ(sink.Text(), "connect:0x00");
    sink.all.clear();
    time_ns = 2'000;
  }
};

TEST(Mqtt, ConnectHasItsCode) {
  for (const int level : {3, 4, 5}) {
    Tap tap;
    tap.Request(Connect(level));
    EXPECT_EQ(tap.conversation.state(), State::kConfirmed);
    tap.Answer(ConnAck(level, level == 5 ? 0x87 : 5));
    EXPECT_EQ(tap.sink.Text(), "connect:0x87");
    EXPECT_EQ(tap.sink.all[0].error, "Not authorized");
    tap.Close();
    EXPECT_EQ(tap.sink.all.size(), 1u);
    ExpectExact(tap);
  }
}

TEST(Mqtt, QualityOfService0IsToldWhenItIsSent) {
  for (const probe::Role role : {probe::Role::kServer, probe::Role::kClient}) {
    Connected tap(4, role);
    const std::string packet = Publish(4, 0, 0, "a/b", "payload");
    tap.Request(packet.substr(0, 6));
    EXPECT_TRUE(tap.sink.all.empty());
    tap.Request(packet.substr(6));
    tap.Answer(Publish(4, 0, 0, "c", ""));
    ASSERT_EQ(tap.sink.all.size(), 2u);
    EXPECT_EQ(tap.sink.all[0], (ToldCall{"publish", "", "", "a/b", NoAnswer::kNone, 2'000, 2'001, role}));
    EXPECT_EQ(tap.sink.all[1], (ToldCall{"deliver", "", "", "c", NoAnswer::kNone, 2'002, 2'002, role}));
    ExpectExact(tap);
  }
}

TEST(Mqtt, QualityOfService1EndsWithPuback) {
  Connected tap(4);
  tap.Request(Publish(4, 1, 1, "a", "x") + Publish(4, 1, 2, "b", "x"));
  tap.Answer(Publish(4, 1, 1, "c", "x"));  // an identifier of the broker's own
  tap.Answer(Ack(4, 2));
  tap.Answer(Ack(4, 1));
  tap.Request(Ack(4, 1));
  EXPECT_EQ(tap.sink.Text(), "publish:0x00 publish:0x00 deliver:0x00");
  EXPECT_EQ(tap.sink.all[0],
            (ToldCall{"publish", "0x00", "", "b", NoAnswer::kNone, 2'000, 2'002, probe::Role::kServer}));
  EXPECT_EQ(tap.sink.all[1].destination, "a");
  EXPECT_EQ(tap.sink.all[2],
            (ToldCall{"deliver", "0x00", "", "c", NoAnswer::kNone, 2'001, 2'004, probe::Role::kServer}));
  ExpectExact(tap);
  EXPECT_EQ(tap.conversation.NextDeadline(), std::nullopt);
}

TEST(Mqtt, QualityOfService2EndsWithPubcomp) {
  Connected tap(5);
  tap.Request(Publish(5, 2, 1, "a", "x"));
  tap.Answer(Ack(5, 1));
  tap.Request(Ack(6, 1));
  EXPECT_TRUE(tap.sink.all.empty());
  tap.Answer(Ack(7, 1));
  EXPECT_EQ(tap.sink.Text(), "publish:0x00");
  EXPECT_EQ(tap.sink.all[0].end_ns - tap.sink.all[0].start_ns, 3u);
  tap.Request(Publish(5, 2, 2, "a", "x"));
  tap.Answer(Ack(5, 2, 0x97));
  EXPECT_EQ(tap.sink.all[1].error, "Quota exceeded");
  tap.Answer(Publish(5, 2, 2, "b", "x"));
  tap.Request(Ack(5, 2));
  tap.Answer(Ack(6, 2));
  tap.Request(Ack(7, 2));
  EXPECT_EQ(tap.sink.Text(), "publish:0x00 publish:0x97 deliver:0x00");
  ExpectExact(tap);
}

TEST(Mqtt, AReasonThatIsNoErrorIsNone) {
  Connected tap(5);
  tap.Request(Publish(5, 1, 1, "a", "x"));
  tap.Answer(Ack(4, 1, 0x10));
  EXPECT_EQ(tap.sink.Text(), "publish:0x10");  // no matching subscribers
  EXPECT_EQ(tap.sink.all[0].error, "");
}

TEST(Mqtt, SubscriptionsAndPings) {
  Connected tap(5);
  tap.Request(Subscribe(5, 1, {"a/#"}));
  tap.Answer(SubAck(5, 1, {1}));
  tap.Request(Subscribe(5, 2, {"a", "b"}));
  tap.Answer(SubAck(5, 2, {0, 0x87}));
  tap.Request(Unsubscribe(5, 3, {"a/#"}) + PingReq());
  tap.Answer(Raw(0xb0, std::string("\0\3\0\0", 4)));
  tap.Answer(PingResp());
  EXPECT_EQ(tap.sink.Text(), "subscribe:0x01 subscribe:0x87 unsubscribe:0x00 ping");
  EXPECT_EQ(tap.sink.all[0].destination, "a/#");
  EXPECT_EQ(tap.sink.all[1].destination, "");
  EXPECT_EQ(tap.sink.all[1].error, "Not authorized");
  ExpectExact(tap);
}

TEST(Mqtt, TopicAliasesAreEachSidesOwn) {
  Connected tap(5);
  const auto publish = [&](bool client, std::string_view topic, std::uint32_t alias) {
    const std::string packet = Publish(5, 0, 0, topic, "x", false, Property(0x23, alias, 2));
    client ? tap.Request(packet) : tap.Answer(packet);
    return tap.sink.all.back().destination;
  };
  EXPECT_EQ(publish(true, "a", 1), "a");
  EXPECT_EQ(publish(false, "b", 1), "b");
  EXPECT_EQ(publish(true, "", 1), "a");
  EXPECT_EQ(publish(false, "", 1), "b");
  EXPECT_EQ(publish(true, "", 2), "");
  EXPECT_EQ(publish(true, "c", 1), "c");
  EXPECT_EQ(publish(true, "", 1), "c");
  ExpectExact(tap);
}

TEST(Mqtt, DisconnectsAreToldWithTheirReason) {
  Connected client(5);
  client.Request(Disconnect());
  EXPECT_EQ(client.sink.Text(), "disconnect:0x00");
  Connected server(5);
  server.Request(Publish(5, 1, 1, "a", "x"));
  server.Answer(Raw(0xe0, std::string("\x8e", 1)));
  server.Close();
  EXPECT_EQ(server.sink.Text(), "disconnect:0x8e publish!closed");
  EXPECT_EQ(server.sink.all[0].error, "Session taken over");
}

TEST(Mqtt, AuthenticationInsideConnectIsPartOfIt) {
  Tap tap;
  tap.Request(Connect(5));
  tap.Answer(Raw(0xf0, std::string("\x18\0", 2)));
  tap.Request(Raw(0xf0, std::string("\x18\0", 2)));
  tap.Answer(ConnAck(5, 0));
  tap.Request(Raw(0xf0, std::string("\x19\0", 2)));
  tap.Answer(Raw(0xf0, std::string("\x18\0", 2)));
  tap.Request(Raw(0xf0, std::string("\x18\0", 2)));
  tap.Answer(Raw(0xf0, ""));
  EXPECT_EQ(tap.sink.Text(), "connect:0x00 auth:0x00");
  EXPECT_EQ(tap.sink.all[1].end_ns - tap.sink.all[1].start_ns, 3u);
  ExpectExact(tap);
}

TEST(Mqtt, ARetransmissionIsTheSameMessage) {
  Connected tap(3);
  tap.Request(Publish(3, 1, 1, "a", "x"));
  tap.Request(Publish(3, 1, 1, "a", "x", true));
  tap.Answer(Ack(4, 1));
  EXPECT_EQ(tap.sink.Text(), "publish:0x00");
  EXPECT_EQ(tap.sink.all[0].start_ns, 2'000u);
  ExpectExact(tap);
}

TEST(Mqtt, AReleaseFromAnEarlierConnectionIsNotTold) {
  Connected tap(4);
  tap.Request(Ack(6, 9));
  tap.Answer(Ack(7, 9));
  tap.Request(Publish(4, 2, 10, "a", "x", true));
  tap.Answer(Ack(5, 10));
  tap.Request(Ack(6, 10));
  tap.Answer(Ack(7, 10));
  EXPECT_EQ(tap.sink.Text(), "publish:0x00");
  ExpectExact(tap);
}

TEST(Mqtt, AnIdentifierThatIsUsedAgainIsNotPairedByGuess) {
  Connected tap(4);
  tap.Request(Publish(4, 1, 1, "a", "x") + Publish(4, 1, 1, "b", "x"));
  tap.Answer(Ack(4, 1));
  EXPECT_EQ(tap.sink.Text(), "publish:0x00");
  EXPECT_EQ(tap.sink.all[0].destination, "b");
  EXPECT_EQ(tap.Counts().unpaired_requests, 1u);
}

TEST(Mqtt, Timeouts) {
  Connected tap(4);
  tap.Request(Publish(4, 1, 1, "a", "x"));
  tap.time_ns = 2'000 + tap.options.answer_timeout_ns - 1;
  tap.Tick();
  EXPECT_TRUE(tap.sink.all.empty());
  tap.time_ns += 1;
  tap.Tick();
  EXPECT_EQ(tap.sink.Text(), "publish!timeout");
  EXPECT_EQ(tap.sink.all[0].destination, "a");
  tap.Answer(Ack(4, 1));
  EXPECT_EQ(tap.Counts().late_answers, 1u);
  EXPECT_EQ(tap.Counts().unmatched_answers, 0u);
}

TEST(Mqtt, PayloadsThatWereNotCapturedCostNothing) {
  Connected tap(5);
  tap.Request(Publish(5, 1, 1, "a", std::string(60'000, 'x')), 248);
  tap.Answer(Ack(4, 1));
  EXPECT_EQ(tap.sink.Text(), "publish:0x00");
  ExpectExact(tap);
}

TEST(Mqtt, WhatMayHaveBeenAnsweredInALossIsNoTimeout) {
  Connected tap(4);
  tap.Request(Publish(4, 1, 1, "a", "x") + PingReq());
  tap.LoseAnswer(Ack(4, 1) + PingResp());
  tap.Answer(Publish(4, 0, 0, "b", "x"));
  tap.Request(Publish(4, 1, 2, "c", "x") + PingReq());
  tap.time_ns += tap.options.answer_timeout_ns + 10;
  tap.Tick();
  EXPECT_EQ(tap.sink.Text(), "deliver publish!timeout ping!timeout");
  EXPECT_EQ(tap.sink.all[1].destination, "c");
  EXPECT_EQ(tap.Counts().unpaired_requests, 2u);
}

TEST(Mqtt, ALostMessageIsAnUnmatchedAcknowledgement) {
  Connected tap(4, probe::Role::kClient);  // what a client sends, passes the tap in order
  tap.LoseRequest(Publish(4, 1, 1, "a", "x") + PingReq());
  tap.Request(Publish(4, 1, 2, "b", "x"));
  tap.Answer(Ack(4, 1) + PingResp() + Ack(4, 2));
  tap.Request(PingReq());
  tap.Answer(PingResp());
  EXPECT_EQ(tap.sink.Text(), "publish:0x00 ping");
  EXPECT_EQ(tap.Counts().unmatched_answers, 2u);
}

TEST(Mqtt, MidStreamIsConfirmedByAnAcknowledgement) {
  Tap tap(probe::Role::kServer, true);
  tap.Request(" rest of a message");
  tap.Request(Publish(4, 0, 0, "a", "x"));
  tap.Request(Publish(4, 1, 7, "b", "x"));
  EXPECT_EQ(tap.conversation.state(), State::kUndecided);
  tap.Answer(Ack(4, 7));
  EXPECT_EQ(tap.conversation.state(), State::kConfirmed);
  tap.Request(Publish(4, 0, 0, "c", "x"));
  EXPECT_EQ(tap.sink.Text(), "publish:0x00 publish");
  EXPECT_EQ(tap.Counts().unpaired_requests, 1u);
}

TEST(Mqtt, Refuted) {
  Tap bytes;
  bytes.Request("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(bytes.conversation.state(), State::kRefuted);
  Tap first;
  first.Request(PingReq());
  EXPECT_EQ(first.conversation.state(), State::kRefuted);
  Tap level;
  level.Request(Connect(9));
  EXPECT_EQ(level.conversation.state(), State::kRefuted);
  Tap middle(probe::Role::kServer, true);
  middle.Request(PingReq());
  middle.Request("zzzz");
  EXPECT_EQ(middle.conversation.state(), State::kRefuted);
}

TEST(Mqtt, GivesItsMemoryBack) {
  Connected tap(5);
  for (std::uint32_t id = 1; id <= 20'000; ++id) tap.Request(Publish(5, 1, id, "topic/" + std::to_string(id), "x"));
  EXPECT_EQ(tap.Counts().evicted_requests, 20'000u - 16'384u);
  for (std::uint32_t id = 1; id <= 16'384; ++id) tap.Answer(Ack(4, id));
  EXPECT_EQ(tap.sink.all.size(), 16'384u);
  EXPECT_EQ(tap.sink.all[16'383].destination, "topic/16384");
  EXPECT_EQ(tap.budget.used(), 0u);
}

}  // namespace
}  // namespace wiregauge::match::mqtt
