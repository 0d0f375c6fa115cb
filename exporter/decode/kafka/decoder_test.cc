#include "exporter/decode/kafka/decoder.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/kafka/apis.h"
#include "exporter/decode/kafka/test_message.h"

namespace wiregauge::decode::kafka {
namespace {

constexpr std::string_view kWalks[] = {"", " cut", " odd", " unknown"};

// Writes down what a decoder finds.
class Script final : public Handler {
 public:
  void OnTopic(std::string_view name) override { text += "'" + std::string(name) + "' "; }
  void OnTopicId(const TopicId& id) override { text += "#" + std::string(1, static_cast<char>(id[0])) + " "; }
  void OnRequest(const Request& request) override {
    text += std::string(ApiName(request.api.key)) + " v" + std::to_string(request.api.version) + " " +
            std::to_string(request.correlation_id);
    if (request.topics > 0) text += " topics=" + std::to_string(request.topics);
    if (request.acks != Request::kAcksUnknown) text += " acks=" + std::to_string(request.acks);
    if (request.wait_ms != 0) text += " wait=" + std::to_string(request.wait_ms);
    if (request.session_epoch >= 0) text += " epoch=" + std::to_string(request.session_epoch);
    text += std::string(kWalks[static_cast<std::size_t>(request.walk)]) + "; ";
  }
  std::optional<Api> OnAnswerBegins(std::int32_t correlation_id) override {
    const auto found = asked.find(correlation_id);
    if (found == asked.end()) text += "unmatched; ";
    return found == asked.end() ? std::nullopt : std::optional(found->second);
  }
  void OnAnswer(const Answer& answer) override {
    text += "answer " + std::to_string(answer.correlation_id) + " error=" + std::to_string(answer.error) +
            std::string(kWalks[static_cast<std::size_t>(answer.walk)]) + "; ";
  }
  [[nodiscard]] bool IsExpected(std::int32_t correlation_id) const override { return asked.contains(correlation_id); }
  void OnLost() override { text += "lost; "; }
  void OnNotKafka() override { text += "not-kafka; "; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    unparsed[std::string(UnparsedName(reason))] += bytes;
    sum += bytes;
  }

  std::string text;
  std::map<std::int32_t, Api> asked;
  std::map<std::string, std::uint64_t> unparsed;
  std::uint64_t sum = 0;
};

struct Outcome {
  std::string text;
  std::map<std::string, std::uint64_t> unparsed;
  std::uint64_t pending = 0;

  bool operator==(const Outcome&) const = default;
};

using Asked = std::map<std::int32_t, Api>;

// Feeds `bytes` in runs of `step`, the first of `first` bytes, and checks that every byte is accounted for.
Outcome Decode(Kind kind, std::string_view bytes, std::size_t first, std::size_t step, const Asked& asked) {
  Decoder decoder(kind, false);
  Script script;
  script.asked = asked;
  std::uint64_t parsed = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min(bytes.size() - at, at == 0 && first > 0 ? first : step);
    const std::string piece(bytes.substr(at, size));  // so that a sanitizer sees views that live too long
    decoder.OnBytes(AsBytes(piece), at, script);
    at += size;
    parsed += decoder.TakeParsedBytes();
    EXPECT_EQ(parsed + script.sum + decoder.pending_bytes(), at);
  }
  return {script.text, script.unparsed, decoder.pending_bytes()};
}

// The events of `bytes`, after checking that every split in two and every step size gives the same.
Outcome AnySplit(Kind kind, const std::string& bytes, const Asked& asked = {}) {
  Outcome whole = Decode(kind, bytes, 0, bytes.size(), asked);
  for (std::size_t first = 1; first < bytes.size(); ++first) {
    EXPECT_EQ(Decode(kind, bytes, first, bytes.size(), asked).text, whole.text) << "split at " << first;
  }
  for (const std::size_t step : {1u, 2u, 3u, 7u}) EXPECT_EQ(Decode(kind, bytes, 0, step, asked).text, whole.text);
  return whole;
}

std::string Requests(const std::string& bytes) {
  const Outcome outcome = AnySplit(Kind::kRequests, bytes);
  EXPECT_TRUE(outcome.unparsed.empty());
  return outcome.text;
}

// What an answer with correlation id 7 to that API says.
std::string Answers(int key, int version, const std::string& bytes) {
  const Outcome outcome =
      AnySplit(Kind::kAnswers, bytes, {{7, {static_cast<std::int16_t>(key), static_cast<std::int16_t>(version)}}});
  EXPECT_TRUE(outcome.unparsed.empty());
  return outcome.text;
}

std::string ProduceV7(int correlation_id, int acks, std::string_view topic, std::string_view records) {
  return Message::Request(0, 7, correlation_id)
      .Null()
      .Int16(acks)
      .Int32(30'000)
      .Array(1)
      .String(topic)
      .Array(1)
      .Int32(0)
      .Bytes(records)
      .Frame();
}

// A Fetch answer of version 11 with one topic and partitions that have these errors and records.
std::string FetchAnswerV11(std::initializer_list<int> errors, const std::string& records) {
  Message message = Message::Answer(7);
  message.Int32(0).Int16(0).Int32(0).Array(1).String("orders").Array(errors.size());
  for (const int error : errors) {
    message.Int32(1).Int16(error).Int64(5).Int64(5).Int64(0).NullArray().Int32(-1).Bytes(records);
  }
  return message.Frame();
}

TEST(KafkaDecoder, Requests) {
  EXPECT_EQ(Requests(Message::Request(18, 0, 1).Frame()), "ApiVersions v0 1; ");
  EXPECT_EQ(Requests(Message::Request(18, 0, 1, false, std::nullopt).Frame()), "ApiVersions v0 1; ");
  EXPECT_EQ(Requests(Message::Request(18, 3, 2, true).String("librdkafka").String("2.0").Tags().Frame()),
            "ApiVersions v3 2; ");
  EXPECT_EQ(Requests(Message::Request(3, 4, 3).NullArray().Int8(1).Frame()), "Metadata v4 3; ");
  EXPECT_EQ(Requests(Message::Request(3, 1, 3).Array(2).String("a").String("b").Frame()), "Metadata v1 3 topics=2; ");
}

TEST(KafkaDecoder, ProduceNamesItsOnlyTopicAndAcks) {
  const std::string records(300, 'r');
  EXPECT_EQ(Requests(ProduceV7(4, -1, "orders", records) + ProduceV7(5, 0, "o2", "")),
            "'orders' Produce v7 4 topics=1 acks=-1 wait=30000; 'o2' Produce v7 5 topics=1 acks=0 wait=30000; ");
  Message two = Message::Request(0, 2, 6);
  two.Int16(1).Int32(0).Array(2);
  for (const std::string_view topic : {"a", "b"}) two.String(topic).Array(1).Int32(0).Bytes(records);
  EXPECT_EQ(Requests(two.Frame()), "Produce v2 6 topics=2 acks=1; ");
}

TEST(KafkaDecoder, FlexibleProduce) {
  Message message = Message::Request(0, 9, 4, true);
  message.Null().Int16(-1).Int32(0).Array(1).String("orders").Array(2);
  for (int i = 0; i < 2; ++i) message.Int32(i).Bytes(std::string(200, 'r')).Tag(3, "tagged");
  EXPECT_EQ(Requests(message.Tags().Tags().Frame()), "'orders' Produce v9 4 topics=1 acks=-1; ");
}

TEST(KafkaDecoder, FetchSaysItsWaitAndItsSession) {
  Message by_name = Message::Request(1, 11, 9);
  by_name.Int32(-1).Int32(500).Int32(1).Int32(1 << 20).Int8(0).Int32(0).Int32(0).Array(1).String("orders").Array(1);
  by_name.Int32(0).Int32(-1).Int64(5).Int64(-1).Int32(1 << 20).Array(0).String("rack");
  EXPECT_EQ(Requests(by_name.Frame()), "'orders' Fetch v11 9 topics=1 wait=500 epoch=0; ");
  Message by_id = Message::Request(1, 13, 9, true);
  by_id.Int32(-1).Int32(500).Int32(1).Int32(1 << 20).Int8(0).Int32(77).Int32(3).Array(1).Uuid('k').Array(1);
  by_id.Int32(0).Int32(-1).Int64(5).Int32(-1).Int64(-1).Int32(1 << 20).Tags().Tags();
  by_id.Array(1).Uuid('z').Array(2).Int32(1).Int32(2).Tags().String("rack").Tags();
  EXPECT_EQ(Requests(by_id.Frame()), "#k Fetch v13 9 topics=1 wait=500 epoch=3; ");
}

TEST(KafkaDecoder, ErrorsAtEveryLevel) {
  EXPECT_EQ(Answers(12, 0, Message::Answer(7).Int16(27).Frame()), "answer 7 error=27; ");
  EXPECT_EQ(Answers(12, 4, Message::Answer(7, true).Int32(0).Int16(25).Tags().Frame()), "answer 7 error=25; ");
  EXPECT_EQ(Answers(1, 11, FetchAnswerV11({0, 0, 0}, std::string(100, 'x'))), "answer 7 error=0; ");
  EXPECT_EQ(Answers(1, 11, FetchAnswerV11({0, 6, 3}, std::string(100, 'x'))), "answer 7 error=6; ");
  Message metadata = Message::Answer(7, true);
  metadata.Int32(0).Array(1).Int32(1).String("host").Int32(9092).Null().Tags().String("cluster").Int32(1).Array(2);
  for (const char id : {'a', 'b'}) {
    metadata.Int16(0).String(std::string(3, id)).Uuid(id).Int8(0).Array(1);
    metadata.Int16(id == 'b' ? 5 : 0).Int32(0).Int32(1).Int32(2).Array(1).Int32(1).Array(1).Int32(1).Array(0).Tags();
    metadata.Int32(0).Tags();
  }
  EXPECT_EQ(Answers(3, 12, metadata.Tags().Frame()), "'aaa' #a 'bbb' #b answer 7 error=5; ");
}

TEST(KafkaDecoder, AnUnsupportedVersionIsAnsweredInTheOldest) {
  const std::string answer =
      Message::Answer(7).Int16(35).Array(2).Int16(0).Int16(0).Int16(7).Int16(18).Int16(0).Int16(2).Frame();
  EXPECT_EQ(Answers(18, 3, answer), "answer 7 error=35; ");
  Message good = Message::Answer(7, true, false);
  good.Int16(0).Array(1).Int16(0).Int16(0).Int16(9).Tags().Int32(0);
  EXPECT_EQ(Answers(18, 3, good.Tag(1, "12345678").Frame()), "answer 7 error=0; ");
}

TEST(KafkaDecoder, WhatDoesNotFitItsSchemaSaysNoCode) {
  const std::string extra = Message::Answer(7).Int16(6).Int16(0).Frame();
  const Outcome outcome = AnySplit(Kind::kAnswers, extra, {{7, {12, 0}}});
  EXPECT_EQ(outcome.text, "answer 7 error=6 odd; ");
  const std::string missing = Message::Answer(7).Int32(0).Frame();
  EXPECT_EQ(AnySplit(Kind::kAnswers, missing, {{7, {12, 1}}}).text, "answer 7 error=0 odd; ");
  const std::string newer = Message::Answer(7, true).Int32(0).Int16(6).Tags().Frame();
  EXPECT_EQ(AnySplit(Kind::kAnswers, newer, {{7, {12, 9}}}).text, "answer 7 error=0 unknown; ");
}

TEST(KafkaDecoder, AnswersToNothingAreSkipped) {
  const std::string bytes = Message::Answer(3).Int64(0).Frame() + Message::Answer(7).Int16(0).Frame();
  EXPECT_EQ(Answers(12, 0, bytes), "unmatched; answer 7 error=0; ");
}

TEST(KafkaDecoder, NotKafka) {
  for (const std::string_view bytes : {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
                                       "\x16\x03\x01zzzzzzzzzzzzzzz"}) {
    const Outcome outcome = AnySplit(Kind::kRequests, std::string(bytes));
    EXPECT_EQ(outcome.text, "not-kafka; ");
    EXPECT_EQ(outcome.unparsed.at("unknown_protocol"), bytes.size());
  }
}

// Feeds all of `bytes` but those from `from` to `to`, which are a gap whose last `tail` bytes are at hand.
Outcome WithGap(Kind kind, const std::string& bytes, std::size_t from, std::size_t to, const Asked& asked,
                std::size_t tail = 0, const std::string& after = "") {
  Decoder decoder(kind, false);
  Script script;
  script.asked = asked;
  decoder.OnBytes(AsBytes(bytes).first(from), 1, script);
  decoder.OnGap(to - from, AsBytes(bytes).subspan(to - tail, tail), 2, script);
  decoder.OnBytes(AsBytes(bytes).subspan(to), 3, script);
  decoder.OnBytes(AsBytes(after), 4, script);
  EXPECT_EQ(decoder.TakeParsedBytes() + script.sum + decoder.pending_bytes(), bytes.size() + after.size());
  return {script.text, script.unparsed, decoder.pending_bytes()};
}

TEST(KafkaDecoder, GapsInRecordsCostNothing) {
  const std::string answer = FetchAnswerV11({0, 6}, std::string(100, 'x'));
  const std::size_t records = answer.size() - 100;
  const Outcome last = WithGap(Kind::kAnswers, answer, records, answer.size(), {{7, {1, 11}}});
  EXPECT_EQ(last.text, "answer 7 error=6; ");
  EXPECT_TRUE(last.unparsed.empty());
  const std::string request = ProduceV7(4, -1, "orders", std::string(500, 'r'));
  const Outcome produce = WithGap(Kind::kRequests, request, 248, request.size(), {}, 8, ProduceV7(5, 1, "b", "x"));
  EXPECT_EQ(produce.text,
            "'orders' Produce v7 4 topics=1 acks=-1 wait=30000; 'b' Produce v7 5 topics=1 acks=1 "
            "wait=30000; ");
  EXPECT_TRUE(produce.unparsed.empty());
}

TEST(KafkaDecoder, TheTailOfASegmentHasTheTagsBehindTheRecords) {
  Message message = Message::Answer(7, true);
  message.Int32(0).Int16(0).Int32(0).Array(1).String("orders").Array(1);
  message.Int32(0).Int16(0).Int64(5).Int64(5).Int64(0).Array(0).Int32(-1).Bytes(std::string(900, 'x'));
  const std::string answer = message.Tags().Tags().Tags().Frame();
  EXPECT_EQ(WithGap(Kind::kAnswers, answer, 248, answer.size(), {{7, {1, 12}}}, 8).text, "answer 7 error=0; ");
  EXPECT_EQ(WithGap(Kind::kAnswers, answer, 248, answer.size(), {{7, {1, 12}}}).text, "answer 7 error=0 cut; ");
}

TEST(KafkaDecoder, EveryGapInsideAMessageLeavesTheNextOne) {
  const std::string answer = FetchAnswerV11({0, 6}, std::string(40, 'x'));
  const std::string next = Message::Answer(8).Int16(0).Frame();
  for (std::size_t from = kAnswerHeaderBytes; from < answer.size(); ++from) {
    for (std::size_t to = from + 1; to <= answer.size(); ++to) {
      const Outcome outcome = WithGap(Kind::kAnswers, answer, from, to, {{7, {1, 11}}, {8, {12, 0}}}, 0, next);
      ASSERT_TRUE(outcome.text.ends_with("answer 8 error=0; ")) << from << " to " << to << ": " << outcome.text;
      ASSERT_NE(outcome.text.substr(0, 18), "answer 7 error=0; ") << "a code that was not seen is none";
    }
  }
}

TEST(KafkaDecoder, AfterALossAnExpectedAnswerIsFoundAtASegmentsStart) {
  const std::string one = Message::Answer(7).Int16(0).Frame();
  const std::string two = Message::Answer(8).Int16(0).Frame();
  const Outcome outcome = WithGap(Kind::kAnswers, one, 3, one.size(), {{7, {12, 0}}, {8, {12, 0}}}, 0, two);
  EXPECT_EQ(outcome.text, "lost; answer 8 error=0; ");
  EXPECT_EQ(outcome.unparsed.at("gap"), one.size());
  EXPECT_EQ(WithGap(Kind::kAnswers, one, 3, one.size(), {{7, {12, 0}}}, 0, two).text, "lost; ");
}

TEST(KafkaDecoder, AfterALossARequestOfTheSameClientIsFoundAnywhere) {
  const std::string first = ProduceV7(4, 1, "orders", "");
  const std::string lost = ProduceV7(5, 1, "orders", std::string(100, 'r'));
  const std::string next = ProduceV7(9, 1, "orders", std::string(100, 'r'));
  const Outcome outcome = WithGap(Kind::kRequests, first + lost + next, first.size(), first.size() + 60, {});
  EXPECT_EQ(outcome.text,
            "'orders' Produce v7 4 topics=1 acks=1 wait=30000; lost; "
            "'orders' Produce v7 9 topics=1 acks=1 wait=30000; ");
  EXPECT_EQ(outcome.unparsed.at("gap"), lost.size());
}

TEST(KafkaDecoder, MidStream) {
  Decoder decoder(Kind::kRequests, true);
  Script script;
  decoder.OnBytes(AsBytes("some rest of a message"), 1, script);
  EXPECT_EQ(script.text, "");
  decoder.OnBytes(AsBytes(Message::Request(18, 0, 1).Frame()), 2, script);
  EXPECT_EQ(script.text, "ApiVersions v0 1; ");
  EXPECT_EQ(script.unparsed.at("mid_stream"), 22u);
}

// The API's message with no elements in any array and empty strings, by its schema: what the walker must accept.
std::string Least(const Schema& schema, int version, bool flexible) {
  std::string body;
  for (std::size_t at = 0;; ++at) {
    const Op& op = schema.ops[at];
    using K = Op::Kind;
    const bool has = version >= op.from && version <= op.to;
    switch (op.kind) {
      case K::kClose: return flexible ? body + '\0' : body;
      case K::kSkip:
      case K::kError:
      case K::kAcks:
      case K::kWait:
      case K::kEpoch:
      case K::kTopicId: body += has ? std::string(op.size, '\0') : ""; break;
      case K::kString:
      case K::kTopic: body += has ? std::string(flexible ? 1 : 2, '\0') : ""; break;
      case K::kBytes:
      case K::kSkipArray:
      case K::kStringArray: body += has ? std::string(flexible ? 1 : 4, '\0') : ""; break;
      case K::kArray:
      case K::kTopicArray:
        body += has ? std::string(flexible ? 1 : 4, '\0') : "";
        at = op.size;
        break;
      case K::kNullable:
        body += has ? "\xff" : "";
        at = op.size;
        break;
      case K::kStruct:
        ADD_FAILURE() << "a structure at the top";
        at = op.size;
        break;
    }
  }
}

TEST(KafkaDecoder, EveryVersionOfEveryApi) {
  for (std::int16_t key = 0; key < kApis; ++key) {
    const ApiRow& row = RowOf(key);
    for (std::int16_t version = 0; version <= row.version_max; ++version) {
      const bool flexible = version >= row.flexible_from;
      if (row.answer.walked) {
        std::string body =
            Message::Answer(7, flexible, key != kApiVersions).Frame() + Least(row.answer, version, flexible);
        body[3] = static_cast<char>(body.size() - 4);
        EXPECT_EQ(Decode(Kind::kAnswers, body, 0, body.size(), {{7, {key, version}}}).text, "answer 7 error=0; ")
            << row.name << " v" << version;
      }
      std::string body = Message::Request(key, version, 5, flexible).Frame() + Least(row.request, version, flexible);
      body[3] = static_cast<char>(body.size() - 4);
      const std::string text = Decode(Kind::kRequests, body, 0, body.size(), {}).text;
      EXPECT_EQ(text.substr(0, row.name.size()), row.name);
      EXPECT_EQ(text.ends_with(" unknown; "), !row.request.walked) << text;
      EXPECT_EQ(text.find(" odd"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace wiregauge::decode::kafka
