#include "exporter/match/kafka/conversation.h"

#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/kafka/test_message.h"
#include "exporter/match/conversation_tap.h"

namespace wiregauge::match::kafka {
namespace {

using decode::kafka::Message;
using Tap = ConversationTap<Conversation>;
using State = Conversation::State;

constexpr std::uint64_t kSecond = 1'000'000'000;

// Every payload byte was understood, and nothing is left over.
void ExpectExact(Tap& tap) {
  EXPECT_EQ(tap.Unparsed(), 0u);
  const ConnectionCounts& counts = tap.Counts();
  EXPECT_EQ(counts.unmatched_answers + counts.unpaired_requests + counts.evicted_requests + counts.late_answers, 0u);
}

std::string Heartbeat(int id) { return Message::Request(12, 0, id).String("g").Int32(1).String("m").Frame(); }
std::string HeartbeatAnswer(int id, int error = 0) { return Message::Answer(id).Int16(error).Frame(); }

std::string Produce(int id, int acks, std::initializer_list<std::string_view> topics, std::size_t record_bytes = 20) {
  Message message = Message::Request(0, 7, id);
  message.Null().Int16(acks).Int32(30'000).Array(topics.size());
  for (const auto topic : topics) message.String(topic).Array(1).Int32(0).Bytes(std::string(record_bytes, 'r'));
  return message.Frame();
}
std::string ProduceAnswer(int id, std::initializer_list<int> errors) {
  Message message = Message::Answer(id);
  message.Array(1).String("orders").Array(errors.size());
  for (const int error : errors) message.Int32(0).Int16(error).Int64(0).Int64(-1).Int64(0);
  return message.Int32(0).Frame();
}

// A Fetch of version 11, of a session when `epoch` is above 0.
std::string Fetch(int id, std::initializer_list<std::string_view> topics, int epoch = -1, int wait_ms = 500) {
  Message message = Message::Request(1, 11, id);
  message.Int32(-1).Int32(wait_ms).Int32(1).Int32(1 << 20).Int8(0).Int32(epoch > 0 ? 9 : 0).Int32(epoch);
  message.Array(topics.size());
  for (const auto topic : topics) {
    message.String(topic).Array(1).Int32(0).Int32(-1).Int64(5).Int64(-1).Int32(1 << 20);
  }
  return message.Array(0).String("").Frame();
}
std::string FetchAnswer(int id, int error = 0, std::size_t record_bytes = 0) {
  Message message = Message::Answer(id);
  message.Int32(0).Int16(0).Int32(9).Array(1).String("orders").Array(1);
  message.Int32(0).Int16(error).Int64(5).Int64(5).Int64(0).NullArray().Int32(-1);
  return message.Bytes(std::string(record_bytes, 'x')).Frame();
}

TEST(Kafka, PairsByCorrelationIdWithTimes) {
  for (const probe::Role role : {probe::Role::kServer, probe::Role::kClient}) {
    Tap tap(role);
    tap.Request(Heartbeat(1));                              // 1000
    tap.Request(Produce(2, -1, {"orders"}).substr(0, 20));  // 1001
    tap.Request(Produce(2, -1, {"orders"}).substr(20));     // 1002
    tap.Answer(HeartbeatAnswer(1));                         // 1003
    tap.Answer(ProduceAnswer(2, {0}).substr(0, 9));         // 1004
    tap.Answer(ProduceAnswer(2, {0}).substr(9));            // 1005
    ASSERT_EQ(tap.sink.all.size(), 2u);
    const ToldCall heartbeat{"Heartbeat", "0", "", "", NoAnswer::kNone, 1'000, 1'003, role};
    const ToldCall produce{"Produce", "0", "", "orders", NoAnswer::kNone, 1'001, 1'005, role};
    EXPECT_EQ(tap.sink.all[0], heartbeat);
    EXPECT_EQ(tap.sink.all[1], produce);
    EXPECT_EQ(tap.conversation.state(), State::kConfirmed);
    ExpectExact(tap);
    EXPECT_EQ(tap.conversation.NextDeadline(), std::nullopt);
  }
}

TEST(Kafka, AnswersInAnyOrderFindTheirRequests) {
  Tap tap;
  for (int id = 1; id <= 1'000; ++id) tap.Request(id % 2 == 0 ? Heartbeat(id) : Produce(id, 1, {"orders"}));
  for (int id = 1'000; id >= 1; --id) {
    tap.Answer(id % 2 == 0 ? HeartbeatAnswer(id, id == 500 ? 27 : 0) : ProduceAnswer(id, {0, id == 501 ? 6 : 0}));
  }
  ASSERT_EQ(tap.sink.all.size(), 1'000u);
  int errors = 0;
  for (std::size_t i = 0; i < 1'000; ++i) {
    EXPECT_EQ(tap.sink.all[i].operation, i % 2 == 0 ? "Heartbeat" : "Produce");
    errors += tap.sink.all[i].error.empty() ? 0 : 1;
  }
  EXPECT_EQ(errors, 2);
  EXPECT_EQ(tap.sink.all[500].error, "REBALANCE_IN_PROGRESS");
  EXPECT_EQ(tap.sink.all[500].code, "27");
  EXPECT_EQ(tap.sink.all[499].error, "NOT_LEADER_OR_FOLLOWER");
  ExpectExact(tap);
}

TEST(Kafka, ProduceWithoutAcksIsToldWhenItIsSent) {
  Tap tap;
  const std::string request = Produce(1, 0, {"orders"});
  tap.Request(request.substr(0, 30));
  EXPECT_TRUE(tap.sink.all.empty());
  tap.Request(request.substr(30));
  ASSERT_EQ(tap.sink.all.size(), 1u);
  EXPECT_EQ(tap.sink.all[0].end_ns - tap.sink.all[0].start_ns, 1u);
  EXPECT_EQ(tap.sink.all[0].destination, "orders");
  EXPECT_EQ(tap.sink.all[0].code, "");
  tap.Close();
  EXPECT_EQ(tap.sink.all.size(), 1u);
  ExpectExact(tap);
}

TEST(Kafka, SeveralTopicsAreNoDestination) {
  Tap tap;
  tap.Request(Produce(1, 1, {"a", "b"}));
  tap.Answer(ProduceAnswer(1, {0}));
  tap.Request(Fetch(2, {"a", "b"}));
  tap.Answer(FetchAnswer(2));
  tap.Request(Fetch(3, {"b"}));
  tap.Answer(FetchAnswer(3));
  ASSERT_EQ(tap.sink.all.size(), 3u);
  EXPECT_EQ(tap.sink.all[0].destination, "");
  EXPECT_EQ(tap.sink.all[1].destination, "");
  EXPECT_EQ(tap.sink.all[2].destination, "b");
}

TEST(Kafka, AFetchSessionKeepsItsTopic) {
  Tap tap;
  int id = 0;
  const auto fetch = [&](std::initializer_list<std::string_view> topics, int epoch) {
    tap.Request(Fetch(++id, topics, epoch));
    tap.Answer(FetchAnswer(id));
    return tap.sink.all.back().destination;
  };
  EXPECT_EQ(fetch({"orders"}, 0), "orders");
  EXPECT_EQ(fetch({}, 1), "orders");
  EXPECT_EQ(fetch({"orders"}, 2), "orders");
  EXPECT_EQ(fetch({"other"}, 3), "");  // the session is about both now
  EXPECT_EQ(fetch({}, 4), "");
  EXPECT_EQ(fetch({"other"}, 0), "other");
  EXPECT_EQ(fetch({}, 1), "other");
}

TEST(Kafka, TopicIdsHaveTheNamesThatMetadataGaveThem) {
  Tap tap;
  tap.Request(Message::Request(3, 12, 1, true).NullArray().Int8(1).Int8(0).Tags().Frame());
  Message metadata = Message::Answer(1, true);
  metadata.Int32(0).Array(0).Null().Int32(1).Array(2);
  for (const char topic : {'a', 'b'}) {
    metadata.Int16(0).String(std::string(3, topic)).Uuid(topic).Int8(0).Array(0).Int32(0).Tags();
  }
  tap.Answer(metadata.Tags().Frame());
  const auto fetch = [&](int id, char topic) {
    Message message = Message::Request(1, 13, id, true);
    message.Int32(-1).Int32(500).Int32(1).Int32(1 << 20).Int8(0).Int32(0).Int32(0).Array(1).Uuid(topic).Array(1);
    message.Int32(0).Int32(-1).Int64(5).Int32(-1).Int64(-1).Int32(1 << 20).Tags().Tags().Array(0).String("").Tags();
    tap.Request(message.Frame());
    tap.Answer(Message::Answer(id, true).Int32(0).Int16(0).Int32(0).Array(0).Tags().Frame());
    return tap.sink.all.back().destination;
  };
  EXPECT_EQ(fetch(2, 'b'), "bbb");
  EXPECT_EQ(fetch(3, 'a'), "aaa");
  EXPECT_EQ(fetch(4, 'c'), "");
  ExpectExact(tap);
}

TEST(Kafka, TopicsUpToTheirLimit) {
  Tap tap;
  const auto produce = [&](std::size_t i) {
    tap.Request(Produce(static_cast<int>(i), 0, {"topic-" + std::to_string(i)}));
    return tap.sink.all.back().destination;
  };
  for (std::size_t i = 1; i <= Topics::kTopicsMax; ++i) ASSERT_EQ(produce(i), "topic-" + std::to_string(i));
  EXPECT_EQ(produce(Topics::kTopicsMax + 1), "");
  EXPECT_EQ(produce(7), "topic-7");
}

TEST(Kafka, TimeoutsWaitForLongPollsToo) {
  Tap tap;
  tap.Request(Heartbeat(1));
  tap.Request(Fetch(2, {"orders"}, -1, 30'000));
  tap.time_ns = tap.options.answer_timeout_ns + 999;
  tap.Tick();
  EXPECT_TRUE(tap.sink.all.empty());
  tap.time_ns += 1;
  tap.Tick();
  EXPECT_EQ(tap.sink.Text(), "Heartbeat!timeout");
  tap.time_ns = tap.options.answer_timeout_ns + 30 * kSecond + 1'000;
  tap.Tick();
  EXPECT_EQ(tap.sink.all.size(), 1u);
  tap.time_ns += 1;
  tap.Tick();
  EXPECT_EQ(tap.sink.Text(), "Heartbeat!timeout Fetch!timeout");
  tap.Answer(HeartbeatAnswer(1));
  EXPECT_EQ(tap.Counts().late_answers, 1u);
  EXPECT_EQ(tap.Counts().unmatched_answers, 0u);
}

TEST(Kafka, TheEndOfTheConnectionIsAnOutcome) {
  Tap tap;
  tap.Request(Heartbeat(1) + Heartbeat(2) + Produce(3, -1, {"orders"}));
  tap.Answer(HeartbeatAnswer(1) + HeartbeatAnswer(2).substr(0, 9));
  tap.Reset();
  EXPECT_EQ(tap.sink.Text(), "Heartbeat:0 Heartbeat!reset Produce!reset");
  EXPECT_EQ(tap.sink.all[2].destination, "orders");
  EXPECT_EQ(tap.Unparsed(decode::Unparsed::kCutOff), 0u);
}

TEST(Kafka, RecordsThatWereNotCapturedCostNothing) {
  Tap tap;
  tap.Request(Produce(1, -1, {"orders"}, 60'000), 248);
  tap.Answer(ProduceAnswer(1, {6}));
  tap.Request(Fetch(2, {"orders"}));
  tap.Answer(FetchAnswer(2, 0, 60'000), 248);
  EXPECT_EQ(tap.sink.Text(), "Produce:6 Fetch:0");
  ExpectExact(tap);
}

TEST(Kafka, ACodeThatWasNotSeenIsNotSuccess) {
  Tap tap;
  tap.Request(Produce(1, -1, {"orders"}));
  tap.Answer(ProduceAnswer(1, {0, 6}), 30);
  tap.Request(Produce(2, -1, {"orders"}));
  tap.Answer(ProduceAnswer(2, {6, 0, 0}), 50);
  EXPECT_EQ(tap.sink.Text(), "Produce Produce:6");
  EXPECT_GT(tap.Unparsed(decode::Unparsed::kGap), 0u);
}

TEST(Kafka, AfterLostAnswersTheRequestsBeforeTheNextAreNotTold) {
  Tap tap;
  tap.Request(Heartbeat(1) + Heartbeat(2) + Heartbeat(3) + Heartbeat(4));
  tap.Answer(HeartbeatAnswer(1));
  tap.LoseAnswer(HeartbeatAnswer(2));
  tap.Answer(HeartbeatAnswer(3));
  EXPECT_EQ(tap.sink.Text(), "Heartbeat:0 Heartbeat:0");
  EXPECT_EQ(tap.Counts().unpaired_requests, 1u);
  tap.LoseAnswer(HeartbeatAnswer(4));
  tap.Answer("the rest of an answer");  // shows the loss
  tap.time_ns += tap.options.answer_timeout_ns;
  tap.Tick();
  EXPECT_EQ(tap.Counts().unpaired_requests, 2u) << "its answer may be what was lost";
  EXPECT_EQ(tap.sink.all.size(), 2u);
}

TEST(Kafka, ALostRequestIsAnUnmatchedAnswer) {
  Tap tap(probe::Role::kClient);  // what a client sends, passes the tap in order
  tap.Request(Heartbeat(1));
  tap.LoseRequest(Heartbeat(2));
  tap.Request(Heartbeat(3));
  tap.Answer(HeartbeatAnswer(1) + HeartbeatAnswer(2, 27) + HeartbeatAnswer(3));
  EXPECT_EQ(tap.sink.Text(), "Heartbeat:0 Heartbeat:0");
  EXPECT_EQ(tap.Counts().unmatched_answers, 1u);
}

TEST(Kafka, AReusedCorrelationIdIsNotPairedByGuess) {
  Tap tap;
  tap.Request(Heartbeat(1) + Produce(1, 1, {"orders"}));
  tap.Answer(ProduceAnswer(1, {0}));
  EXPECT_EQ(tap.sink.Text(), "Produce:0");
  EXPECT_EQ(tap.Counts().unpaired_requests, 1u);
}

TEST(Kafka, MidStreamIsConfirmedByAnAnswer) {
  Tap tap(probe::Role::kServer, true);
  tap.Answer("the rest of an answer");
  tap.Request("the rest of a request");
  tap.Request(Heartbeat(100));
  tap.Answer(HeartbeatAnswer(99));
  EXPECT_EQ(tap.conversation.state(), State::kUndecided);
  tap.Answer(HeartbeatAnswer(100, 27));
  EXPECT_EQ(tap.conversation.state(), State::kConfirmed);
  EXPECT_EQ(tap.sink.Text(), "Heartbeat:27");
}

TEST(Kafka, MidStreamWithoutAnAnswerTellsNothing) {
  Tap tap(probe::Role::kServer, true);
  tap.Request(Heartbeat(100));
  tap.Close();
  EXPECT_EQ(tap.sink.Text(), "");
  EXPECT_EQ(tap.Counts().unpaired_requests, 1u);
}

TEST(Kafka, MidStreamIsRefutedByWhatIsNoRequest) {
  Tap tap(probe::Role::kServer, true);
  tap.Request(Heartbeat(100));
  for (int id = 1; id <= 65; ++id) tap.Answer(HeartbeatAnswer(id));
  EXPECT_EQ(tap.conversation.state(), State::kUndecided) << "answers are only found when they are expected";
  tap.Request("\xff\xff\xff\xff not a request");
  EXPECT_EQ(tap.conversation.state(), State::kRefuted);
}

TEST(Kafka, RefutedByTheFirstBytesOrTheFirstAnswer) {
  Tap bytes;
  bytes.Request("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(bytes.conversation.state(), State::kRefuted);
  Tap answer;
  answer.Request(Heartbeat(1));
  answer.Answer(HeartbeatAnswer(2));
  EXPECT_EQ(answer.conversation.state(), State::kRefuted);
  EXPECT_EQ(answer.sink.Text(), "");
}

TEST(Kafka, WhatBreaksTheGrammarLaterIsMalformed) {
  Tap tap;
  tap.Request(Heartbeat(1));
  tap.Answer(HeartbeatAnswer(1));
  tap.Request("\xff\xff\xff\xff not a request");
  tap.Request(Heartbeat(2));
  tap.Answer(HeartbeatAnswer(2));
  EXPECT_EQ(tap.sink.Text(), "Heartbeat:0 Heartbeat:0");
  EXPECT_EQ(tap.Unparsed(decode::Unparsed::kMalformed), 18u);
}

TEST(Kafka, BeyondItsLimitsRequestsAreCountedNotTold) {
  Tap tap;
  constexpr int kMax = 16'384;
  for (int id = 1; id <= kMax + 2; ++id) tap.Request(Heartbeat(id));
  for (int id = 1; id <= kMax + 2; ++id) tap.Answer(HeartbeatAnswer(id));
  EXPECT_EQ(tap.sink.all.size(), std::size_t{kMax});
  EXPECT_EQ(tap.Counts().evicted_requests, 2u);
  EXPECT_EQ(tap.Counts().unmatched_answers, 2u);
  EXPECT_EQ(tap.budget.used(), 0u);
}

}  // namespace
}  // namespace wiregauge::match::kafka
