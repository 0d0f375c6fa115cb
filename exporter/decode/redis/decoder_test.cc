#include "exporter/decode/redis/decoder.h"

#include <string>

#include <gtest/gtest.h>

namespace wiregauge::decode::redis {
namespace {

// Writes down what a decoder finds, one word an event.
class Script final : public RequestHandler, public AnswerHandler {
 public:
  void OnRequest(const Request& request, std::uint64_t first_byte_ns) override {
    text += std::string(InfoOf(request.command).name) + "/" + std::to_string(request.arguments) + " ";
    first_byte = first_byte_ns;
  }
  void OnAnswer(const Answer& answer) override {
    text += answer.type;
    text += answer.error;
    if (!answer.element_error.empty()) text += "[" + std::string(answer.element_error) + "]";
    if (answer.pubsub != PubSub::kNone) text += "p" + std::to_string(static_cast<int>(answer.pubsub));
    if (answer.subscriptions >= 0) text += "=" + std::to_string(answer.subscriptions);
    text += answer.queued ? "q" : "";
    text += answer.monitored ? "m" : "";
    text += answer.sync ? "s" : "";
    text += answer.pubsub != PubSub::kNone && answer.no_channel ? "n" : "";
    text += " ";
  }
  void OnLost(const Request* open, std::uint64_t) override {
    text += open != nullptr ? "lost:" + std::string(InfoOf(open->command).name) + " " : "lost ";
  }
  void OnLost(bool open) override { text += open ? "lost-open " : "lost "; }
  void OnMalformed() override { text += "malformed "; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    unparsed[static_cast<std::size_t>(reason)] += bytes;
    sum += bytes;
  }

  std::string text;
  std::uint64_t first_byte = 0;
  std::array<std::uint64_t, kUnparsedReasons> unparsed{};
  std::uint64_t sum = 0;
};

enum class Of { kRequests, kAnswers };

struct Feed {
  explicit Feed(Of which, bool mid_stream = false) : of(which), requests(mid_stream), answers(mid_stream) {}

  Feed& Bytes(std::string_view text) {
    const std::string copy(text);  // so that a sanitizer sees views that live too long
    of == Of::kRequests ? requests.OnBytes(AsBytes(copy), told, script) : answers.OnBytes(AsBytes(copy), script);
    told += text.size();
    Account();
    return *this;
  }
  Feed& Gap(std::uint64_t length, std::string_view tail = {}) {
    const std::string copy(tail);
    of == Of::kRequests ? requests.OnGap(length, AsBytes(copy), told, script)
                        : answers.OnGap(length, AsBytes(copy), script);
    told += length;
    Account();
    return *this;
  }
  [[nodiscard]] std::uint64_t Unparsed(Unparsed reason) const {
    return script.unparsed[static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] std::uint64_t pending() const {
    return of == Of::kRequests ? requests.pending_bytes() : answers.pending_bytes();
  }
  void Account() {
    parsed += requests.TakeParsedBytes() + answers.TakeParsedBytes();
    EXPECT_EQ(parsed + script.sum + pending(), told);
  }

  Of of;
  RequestDecoder requests;
  AnswerDecoder answers;
  Script script;
  std::uint64_t told = 0;
  std::uint64_t parsed = 0;
};

// The events of `bytes`, after checking that every split in two and every step size gives the same.
std::string Events(Of of, std::string_view bytes) {
  Feed whole(of);
  whole.Bytes(bytes);
  for (std::size_t first = 1; first < bytes.size(); ++first) {
    Feed split(of);
    split.Bytes(bytes.substr(0, first)).Bytes(bytes.substr(first));
    EXPECT_EQ(split.script.text, whole.script.text) << "split at " << first;
    EXPECT_EQ(split.parsed, whole.parsed) << "split at " << first;
  }
  for (const std::size_t step : {1u, 2u, 3u, 7u}) {
    Feed stepped(of);
    for (std::size_t at = 0; at < bytes.size(); at += step) stepped.Bytes(bytes.substr(at, step));
    EXPECT_EQ(stepped.script.text, whole.script.text) << "step " << step;
    EXPECT_EQ(stepped.script.unparsed, whole.script.unparsed) << "step " << step;
  }
  return whole.script.text;
}

// Of bytes that come at once: a search for the next start sees only one run at a time.
std::string EventsAtOnce(Of of, std::string_view bytes) { return Feed(of).Bytes(bytes).script.text; }

std::string Requests(std::string_view bytes) { return Events(Of::kRequests, bytes); }
std::string Answers(std::string_view bytes) { return Events(Of::kAnswers, bytes); }

TEST(RequestDecoder, Pipelined) {
  EXPECT_EQ(Requests("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n$3\r\nxxx\r\n*2\r\n$3\r\nget\r\n$1\r\nk\r\n"
                     "*1\r\n$4\r\nPING\r\n*2\r\n$8\r\nJSON.GET\r\n$1\r\nk\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n"),
            "SET/2 GET/1 PING/0 _OTHER/1 ECHO/1 ");
}

TEST(RequestDecoder, InlineAmongArrays) {
  EXPECT_EQ(Requests("PING\r\nset a 'b c'\n\r\n*1\r\n$4\r\nPING\r\n*0\r\n*-1\r\nget a\r\n"),
            "PING/0 SET/2 PING/0 GET/1 ");
}

TEST(RequestDecoder, ValuesThatLookLikeCommands) {
  EXPECT_EQ(Requests("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$23\r\n*1\r\n$8\r\nFLUSHALL\r\nGET\r\n\r\n*1\r\n$4\r\nPING\r\n"),
            "SET/2 PING/0 ");
}

TEST(RequestDecoder, FirstByteIsTheCommandsOwn) {
  Feed feed(Of::kRequests);
  feed.Bytes("*1\r\n$4\r\nPING\r\n*2\r\n").Bytes("$3\r\nGET\r\n").Bytes("$1\r\nk\r\n");
  EXPECT_EQ(feed.script.first_byte, 0u);
  feed.Bytes("*1\r\n$4\r\nPI");
  feed.Bytes("NG\r\n");
  EXPECT_EQ(feed.script.first_byte, 34u);
}

TEST(RequestDecoder, WhatBreaksTheGrammar) {
  EXPECT_EQ(EventsAtOnce(Of::kRequests, "\x16\x03\x01\x02\n"), "malformed lost ");
  EXPECT_EQ(EventsAtOnce(Of::kRequests, "*1\r\nGET\r\n"), "malformed lost ");
  EXPECT_EQ(EventsAtOnce(Of::kRequests, "*x\r\n"), "malformed lost ");
  EXPECT_EQ(EventsAtOnce(Of::kRequests, "*2\r\n$3\r\nGET\r\n:1\r\n"), "malformed lost:GET ");
  EXPECT_EQ(EventsAtOnce(Of::kRequests, "*2\r\n$3\r\nGET\r\n$1\r\nkk\n"), "malformed lost:GET ");
}

TEST(RequestDecoder, InlineUpToItsLimit) {
  for (const std::size_t step : {std::size_t{1} << 20, std::size_t{1'000}}) {
    for (const std::size_t size : {kInlineBytesMax - 1, kInlineBytesMax, kInlineBytesMax + 1}) {
      const std::string line = "PING " + std::string(size - 5, 'x') + "\r\n";
      Feed feed(Of::kRequests);
      for (std::size_t at = 0; at < line.size(); at += step) feed.Bytes(std::string_view(line).substr(at, step));
      EXPECT_EQ(feed.script.text.substr(0, 7), size <= kInlineBytesMax ? "PING/1 " : "lost ") << size;
      EXPECT_EQ(feed.Unparsed(Unparsed::kTooLarge), size <= kInlineBytesMax ? 0 : line.size()) << size;
    }
  }
}

TEST(RequestDecoder, AGapInAValueCostsNothing) {
  Feed feed(Of::kRequests);
  feed.Bytes("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nabc")
      .Gap(1'000'000 - 3 + 2, "yz\r\n")
      .Bytes("*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(feed.script.text, "SET/2 PING/0 ");
  EXPECT_EQ(feed.script.sum, 0u);
}

TEST(RequestDecoder, AGapBeyondAValueLosesWhatIsBehindIt) {
  Feed feed(Of::kRequests);
  feed.Bytes("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nabc").Gap(150).Bytes("rest\r\n*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(feed.script.text, "SET/2 lost lost lost PING/0 ");
  EXPECT_EQ(feed.Unparsed(Unparsed::kGap), 150u - 99 + 6);
}

TEST(RequestDecoder, AGapInsideACommandTellsWhatHadBegun) {
  Feed feed(Of::kRequests);
  feed.Bytes("*500\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n$1").Gap(5'000, "value\r\n").Bytes("*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(feed.script.text, "lost:RPUSH lost lost PING/0 ");
  EXPECT_EQ(feed.Unparsed(Unparsed::kGap), 5'000u + 2);
}

TEST(RequestDecoder, MidStreamBeginsWithACommand) {
  Feed feed(Of::kRequests, true);
  feed.Bytes("lue\r\n").Bytes("*1\r\n$4\r\nPING\r\nPING\r\n");
  EXPECT_EQ(feed.script.text, "lost PING/0 PING/0 ");
  EXPECT_EQ(feed.Unparsed(Unparsed::kMidStream), 5u);
}

TEST(AnswerDecoder, Resp2) {
  EXPECT_EQ(
      Answers("+OK\r\n:12\r\n:-3\r\n$5\r\nhello\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*2\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n"),
      "+ : : $ $ $ * * * ");
}

TEST(AnswerDecoder, Resp3) {
  EXPECT_EQ(Answers("_\r\n#t\r\n,1.5e3\r\n,inf\r\n(123456789012345678901234567890\r\n=8\r\ntxt:abcd\r\n"
                    "%2\r\n+a\r\n:1\r\n+b\r\n~2\r\n:1\r\n_\r\n~0\r\n%0\r\n"),
            "_ # , , ( = % ~ % ");
  EXPECT_EQ(
      Answers("|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n*2\r\n|1\r\n+a\r\n*2\r\n:1\r\n:2\r\n:1\r\n:2\r\n:9\r\n|0\r\n:8\r\n"),
      "$ * : : ");
  EXPECT_EQ(Answers("$?\r\n;4\r\nabcd\r\n;2\r\nef\r\n;0\r\n*?\r\n:1\r\n%?\r\n+a\r\n$?\r\n;0\r\n.\r\n.\r\n:7\r\n"),
            "$ * : ");
}

TEST(AnswerDecoder, Errors) {
  EXPECT_EQ(Answers("-ERR unknown\r\n-WRONGTYPE x\r\n-MOVED 1 h:1\r\n-LOADING\r\n-my own\r\n!10\r\nNOAUTH x y\r\n"
                    "!41\r\nSYNTAXSYNTAXSYNTAXSYNTAXSYNTAX invalid...\r\n"),
            "-ERR -WRONGTYPE -MOVED -LOADING -_OTHER !NOAUTH !_OTHER ");
  EXPECT_EQ(Answers("*3\r\n+OK\r\n-WRONGTYPE x\r\n-ERR y\r\n*2\r\n*1\r\n-ERR deep\r\n!3\r\nOOM\r\n"),
            "*[WRONGTYPE] *[OOM] ");
}

TEST(AnswerDecoder, PublishSubscribe) {
  EXPECT_EQ(Answers("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$3\r\nhey\r\n"
                    "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"),
            "*p2=1 *p1 *p3=0n ");
  EXPECT_EQ(Answers(">3\r\n+subscribe\r\n+a\r\n:2\r\n>4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$3\r\nhey\r\n"
                    ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n>3\r\n+unsubscribe\r\n_\r\n:0\r\n"),
            ">p2=2 >p1 > >p3=0n ");
}

TEST(AnswerDecoder, Modes) {
  EXPECT_EQ(
      Answers(
          "+QUEUED\r\n+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n+FULLRESYNC id 1\r\n\n+CONTINUE\r\n"),
      "+q +m +s +s ");
}

TEST(AnswerDecoder, LongStatusLines) {
  EXPECT_EQ(Answers("-ERR " + std::string(3'000, 'x') + "\r\n+OK\r\n"), "-ERR + ");
}

TEST(AnswerDecoder, WhatBreaksTheGrammar) {
  for (const std::string_view bytes :
       {"HTTP/1.1 200\n", "$x\r\n", "*5x\r\n", ";1\r\n", ".\r\n", "*1\r\n.\r\n", "*1\r\n\r\n"}) {
    EXPECT_EQ(EventsAtOnce(Of::kAnswers, bytes), "malformed lost-open ") << bytes;
  }
  EXPECT_EQ(EventsAtOnce(Of::kAnswers, "$1\r\nabc"), "malformed lost-open ");
}

TEST(AnswerDecoder, NestingUpToItsLimit) {
  for (const std::size_t depth : {kDepthMax - 1, kDepthMax, kDepthMax + 1}) {
    Feed feed(Of::kAnswers);
    for (std::size_t i = 0; i < depth; ++i) feed.Bytes("*1\r\n");
    feed.Bytes(":1\r\n");
    EXPECT_EQ(feed.script.text, depth <= kDepthMax ? "* " : "lost-open lost ") << depth;
  }
}

TEST(AnswerDecoder, AGapInAValueCostsNothing) {
  Feed feed(Of::kAnswers);
  feed.Bytes("*2\r\n$1000000\r\nabc").Gap(1'000'000 - 3 + 2, "yz\r\n").Bytes("$1\r\na\r\n+OK\r\n");
  EXPECT_EQ(feed.script.text, "* + ");
  EXPECT_EQ(feed.script.sum, 0u);
}

TEST(AnswerDecoder, AfterALossNothingIsAnAnswerBeforeTheClientGoesOn) {
  Feed feed(Of::kAnswers);
  feed.Bytes("*500\r\n$1\r\na\r\n").Gap(5'000, "value\r\n").Bytes("$1\r\nb\r\n");
  EXPECT_EQ(feed.script.text, "lost-open lost lost lost ");
  feed.answers.RequestPassed();
  feed.Bytes("+OK\r\n");
  EXPECT_EQ(feed.script.text, "lost-open lost lost lost + ");
  EXPECT_EQ(feed.Unparsed(Unparsed::kGap), 5'000u + 7);
}

TEST(Decoder, StoppedCountsEverything) {
  Feed feed(Of::kRequests);
  feed.Bytes("*1\r\n$4\r\nPING\r\n*1");
  feed.requests.Stop(Unparsed::kReplication, feed.script);
  feed.Account();
  feed.Bytes("abc").Gap(10, "xyz");
  EXPECT_EQ(feed.Unparsed(Unparsed::kReplication), 2u + 3 + 10);
  EXPECT_EQ(feed.script.text, "PING/0 ");
}

TEST(Decoder, CloseCountsALineThatIsCutOff) {
  Feed feed(Of::kAnswers);
  feed.Bytes("+O");
  EXPECT_EQ(feed.pending(), 2u);
  feed.answers.OnClose(feed.script);
  EXPECT_EQ(feed.Unparsed(Unparsed::kCutOff), 2u);
}

}  // namespace
}  // namespace wiregauge::decode::redis
