#include "exporter/match/http_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exporter/match/test_tap.h"

namespace wiregauge::match {
namespace {

using decode::Unparsed;
using probe::Role;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kGet = "GET /a?q=1 HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

MATCHER_P3(Answered, method, path, status, "") {
  return arg.method == method && arg.path == path && arg.status == status && arg.no_answer == NoAnswer::kNone;
}

MATCHER_P2(Unanswered, path, reason, "") { return arg.path == path && arg.no_answer == reason && arg.status == 0; }

std::uint64_t Count(const ConnectionCounts& counts, Unparsed reason) {
  return counts.unparsed_bytes[static_cast<std::size_t>(reason)];
}

void ExpectNoLoss(const ConnectionCounts& counts) {
  EXPECT_EQ(Tap::Unparsed(counts), 0u);
  EXPECT_EQ(counts.unmatched_answers, 0u);
  EXPECT_EQ(counts.late_answers, 0u);
  EXPECT_EQ(counts.evicted_requests, 0u);
  EXPECT_EQ(counts.unpaired_requests, 0u);
}

TEST(HttpConnection, TellsARequestWithItsTimes) {
  for (const Role role : {Role::kServer, Role::kClient}) {
    Tap tap(role);
    tap.Request(kGet);  // at 1,000
    tap.time_ns = 1'500;
    tap.Answer(kOk);
    const ToldRequest want{"GET", "/a", 200, NoAnswer::kNone, 1'000, 1'500, role, 1, false};
    EXPECT_THAT(tap.sink.all, ElementsAre(want));
    const ConnectionCounts counts = tap.connection.TakeCounts();
    EXPECT_EQ(counts.parsed_bytes, kGet.size() + kOk.size());
    ExpectNoLoss(counts);
    EXPECT_EQ(tap.connection.TakeCounts().parsed_bytes, 0u) << "counts are deltas";
    tap.Close();
    EXPECT_THAT(tap.sink.all, SizeIs(1));
  }
}

TEST(HttpConnection, RunsFromTheFirstByteOfTheRequestToTheLastOfTheAnswer) {
  Tap tap;
  tap.time_ns = 10;
  tap.Request(kGet.substr(0, 3));
  tap.time_ns = 20;
  tap.Request(kGet.substr(3));
  tap.time_ns = 30;
  tap.Answer(kOk.substr(0, 20));
  tap.time_ns = 40;
  tap.Answer(kOk.substr(20));
  ASSERT_THAT(tap.sink.all, SizeIs(1));
  EXPECT_EQ(tap.sink.all[0].start_ns, 10u);
  EXPECT_EQ(tap.sink.all[0].end_ns, 40u);
}

TEST(HttpConnection, TellsTheTraceOfItsRequest) {
  const auto request = [](const std::string& fields) { return "GET /a HTTP/1.1\r\n" + fields + "Host: x\r\n\r\n"; };
  const std::string first = "traceparent: 00-000000000000000000000000000000a1-00000000000000b1-01\r\n";
  const std::string second = "traceparent: 00-000000000000000000000000000000a2-00000000000000b2-01\r\n";
  Tap tap;
  tap.Request(request(first) + request("") + request(second + "Accept: x\r\n") + request(first + second));
  for (int i = 0; i < 4; ++i) tap.Answer(kOk);
  ASSERT_THAT(tap.sink.traces, SizeIs(4));
  ASSERT_TRUE(tap.sink.traces[0]);
  EXPECT_EQ(tap.sink.traces[0]->trace_id[15], 0xa1);
  EXPECT_EQ(tap.sink.traces[0]->span_id[7], 0xb1);
  EXPECT_FALSE(tap.sink.traces[1]);
  ASSERT_TRUE(tap.sink.traces[2]);
  EXPECT_EQ(tap.sink.traces[2]->trace_id[15], 0xa2);
  EXPECT_FALSE(tap.sink.traces[3]) << "two of them";
  ExpectNoLoss(tap.connection.TakeCounts());
}

TEST(HttpConnection, LearnsItsRoleFromTheDirectionOfTheRequest) {
  for (const Role role : {Role::kServer, Role::kClient}) {
    probe::OpenRecord open;
    open.connection = 9;
    const Options options;
    decode::MemoryBudget budget;
    KeptRequests sink;
    HttpConnection connection(open, options, budget);
    const auto request = role == Role::kServer ? probe::Direction::kReceived : probe::Direction::kSent;
    const auto answer = role == Role::kServer ? probe::Direction::kSent : probe::Direction::kReceived;
    connection.OnData({.time_ns = 1, .direction = request, .length = 33, .captured = AsBytes(kGet)}, sink);
    connection.OnData({.time_ns = 2, .direction = answer, .length = 43, .captured = AsBytes(kOk)}, sink);
    ASSERT_THAT(sink.all, ElementsAre(Answered("GET", "/a", 200)));
    EXPECT_EQ(sink.all[0].role, role);
    EXPECT_EQ(connection.role(), role);
  }
}

TEST(HttpConnection, PairsPipelinedRequestsInOrder) {
  for (const std::size_t depth : {2u, 16u, 1'000u}) {
    Tap tap;
    for (int batch = 0; batch < 3; ++batch) {
      tap.sink.all.clear();
      std::string requests;
      std::string answers;
      for (std::size_t i = 0; i < depth; ++i) {
        requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n";
        answers += "HTTP/1.1 " + std::to_string(400 + i % 100) + " X\r\nContent-Length: 1\r\n\r\nx";
      }
      tap.Request(requests);
      tap.Answer(answers);
      ASSERT_THAT(tap.sink.all, SizeIs(depth));
      for (std::size_t i = 0; i < depth; ++i) {
        ASSERT_THAT(tap.sink.all[i], Answered("GET", "/" + std::to_string(i), 400 + static_cast<int>(i % 100)));
      }
    }
    ExpectNoLoss(tap.connection.TakeCounts());
    EXPECT_EQ(tap.budget.used(), 0u);
  }
}

TEST(HttpConnection, PipelinesUpToItsLimitAndCountsWhatIsOver) {
  for (const std::uint32_t over : {0u, 1u, 5u}) {
    Tap tap;
    const std::uint32_t limit = Outstanding::kRequestsMax;
    for (std::uint32_t i = 0; i < limit + over; ++i) tap.Request("GET /p HTTP/1.1\r\n\r\n");
    // One more while answers to requests that were not kept are still to come: it cannot be paired.
    for (std::uint32_t i = 0; i < limit; ++i) tap.Answer("HTTP/1.1 204 X\r\n\r\n");
    if (over > 0) tap.Request("GET /between HTTP/1.1\r\n\r\n");
    for (std::uint32_t i = 0; i < over + (over > 0 ? 1 : 0); ++i) tap.Answer("HTTP/1.1 204 X\r\n\r\n");
    EXPECT_THAT(tap.sink.all, SizeIs(limit));
    tap.Request("GET /after HTTP/1.1\r\n\r\n");
    tap.Answer("HTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n");
    ASSERT_THAT(tap.sink.all, SizeIs(limit + 1));
    EXPECT_THAT(tap.sink.all.back(), Answered("GET", "/after", 201));
    const ConnectionCounts counts = tap.connection.TakeCounts();
    EXPECT_EQ(counts.evicted_requests + counts.unpaired_requests, over + (over > 0 ? 1 : 0));
    EXPECT_EQ(counts.evicted_requests, over > 0 ? 1u : 0u);
    EXPECT_EQ(counts.unmatched_answers, over + (over > 0 ? 1 : 0));
  }
}

TEST(HttpConnection, AnswersWithoutABody) {
  Tap tap;
  tap.Request("HEAD /h HTTP/1.1\r\n\r\n");
  tap.Answer("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  tap.Request("GET /n HTTP/1.1\r\n\r\n");
  tap.Answer("HTTP/1.1 204 No Content\r\n\r\n");
  tap.Request("GET /m HTTP/1.1\r\n\r\n");
  tap.Answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n");
  tap.Request(kGet);
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("HEAD", "/h", 200), Answered("GET", "/n", 204),
                                        Answered("GET", "/m", 304), Answered("GET", "/a", 200)));
  ExpectNoLoss(tap.connection.TakeCounts());
}

TEST(HttpConnection, InformationalAnswersDoNotEndARequest) {
  Tap tap;
  tap.Request("POST /u HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  tap.Answer("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(tap.sink.all, IsEmpty());
  tap.Request("abc");
  tap.Answer("HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("POST", "/u", 201)));
  ExpectNoLoss(tap.connection.TakeCounts());
}

TEST(HttpConnection, AnAnswerMayComeBeforeTheRequestHasEnded) {
  Tap tap;
  tap.Request("POST /big HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  tap.Answer("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("POST", "/big", 413)));
  tap.Request("defghij");
  tap.Request(kGet);
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("POST", "/big", 413), Answered("GET", "/a", 200)));
  ExpectNoLoss(tap.connection.TakeCounts());
}

TEST(HttpConnection, UpgradeStopsDecodingAndGoesOnCounting) {
  Tap tap;
  tap.Request("GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  tap.Answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello");
  tap.Request("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/ws", 101)));
  EXPECT_EQ(tap.connection.state(), HttpConnection::State::kFinished);
  const ConnectionCounts counts = tap.connection.TakeCounts();
  EXPECT_EQ(Count(counts, Unparsed::kUpgraded), 7u + 18u);
  EXPECT_EQ(Tap::Unparsed(counts), 25u);
}

TEST(HttpConnection, ConnectOpensATunnelOrIsRefused) {
  Tap tunnel(Role::kClient);
  tunnel.Request("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n");
  tunnel.Answer("HTTP/1.1 200 Connection established\r\nContent-Length: 7\r\n\r\n");
  tunnel.Request("12345");
  tunnel.Answer("123");
  EXPECT_THAT(tunnel.sink.all, ElementsAre(Answered("CONNECT", "", 200)));
  EXPECT_EQ(Count(tunnel.connection.TakeCounts(), Unparsed::kTunnel), 8u);

  Tap refused(Role::kClient);
  refused.Request("CONNECT db:5432 HTTP/1.1\r\n\r\n");
  refused.Answer("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
  refused.Request(kGet);
  refused.Answer(kOk);
  EXPECT_THAT(refused.sink.all, ElementsAre(Answered("CONNECT", "", 403), Answered("GET", "/a", 200)));
  ExpectNoLoss(refused.connection.TakeCounts());
}

TEST(HttpConnection, AnswerUntilClose) {
  Tap tap;
  tap.Request("GET /old HTTP/1.0\r\n\r\n");
  tap.Answer("HTTP/1.0 200 OK\r\n\r\nsome");
  tap.time_ns = 5'000;
  tap.Answer(" bytes");
  EXPECT_THAT(tap.sink.all, IsEmpty());
  tap.time_ns = 9'000;
  tap.Close();
  ASSERT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/old", 200)));
  EXPECT_EQ(tap.sink.all[0].end_ns, 5'000u);
  EXPECT_EQ(tap.sink.all[0].minor_version, 0);
  ExpectNoLoss(tap.connection.TakeCounts());
}

TEST(HttpConnection, AnswerUntilCloseCutOffByAReset) {
  Tap tap;
  tap.Request("GET /old HTTP/1.0\r\n\r\n");
  tap.Answer("HTTP/1.0 200 OK\r\n\r\nsome");
  tap.Reset();
  ASSERT_THAT(tap.sink.all, SizeIs(1));
  EXPECT_EQ(tap.sink.all[0].no_answer, NoAnswer::kReset);
  EXPECT_EQ(tap.sink.all[0].status, 200);
}

TEST(HttpConnection, RequestsWithoutAnswerAtTheEnd) {
  for (const bool reset : {false, true}) {
    Tap tap;
    tap.Request("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nPOST /3 HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc");
    tap.Answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    if (reset) tap.Reset();
    if (!reset) tap.Close();
    const NoAnswer reason = reset ? NoAnswer::kReset : NoAnswer::kConnectionClosed;
    ASSERT_THAT(tap.sink.all, SizeIs(3));
    EXPECT_EQ(tap.sink.all[0].no_answer, reason);
    EXPECT_EQ(tap.sink.all[0].status, 200) << "the answer had begun";
    EXPECT_THAT(tap.sink.all[1], Unanswered("/2", reason));
    EXPECT_THAT(tap.sink.all[2], Unanswered("/3", reason));
    ExpectNoLoss(tap.connection.TakeCounts());
  }
}

TEST(HttpConnection, AHeadCutOffIsNoRequest) {
  Tap tap;
  tap.Request("GET /1 HTTP/1.1\r\nHo");
  EXPECT_EQ(tap.connection.pending_bytes(), 19u);
  tap.Close();
  EXPECT_THAT(tap.sink.all, IsEmpty());
  const ConnectionCounts counts = tap.connection.TakeCounts();
  EXPECT_EQ(Count(counts, Unparsed::kCutOff), 19u);
  EXPECT_EQ(counts.unpaired_requests, 1u);
  EXPECT_EQ(tap.connection.pending_bytes(), 0u);
}

TEST(HttpConnection, TimesOutAtTheDeadlineAndSwallowsTheLateAnswer) {
  Tap tap;
  tap.Request("POST /slow HTTP/1.1\r\nContent-Length: 3\r\n\r\n");
  tap.time_ns = 2'000;
  tap.Request("abc");
  const std::uint64_t deadline = 2'000 + tap.options.answer_timeout_ns;
  EXPECT_EQ(tap.connection.NextDeadline(), deadline);
  tap.time_ns = deadline - 1;
  tap.Tick();
  EXPECT_THAT(tap.sink.all, IsEmpty());
  tap.time_ns = deadline;
  tap.Tick();
  ASSERT_THAT(tap.sink.all, ElementsAre(Unanswered("/slow", NoAnswer::kTimeout)));
  EXPECT_EQ(tap.sink.all[0].end_ns, deadline);
  EXPECT_EQ(tap.connection.NextDeadline(), std::nullopt);
  tap.Tick();
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, SizeIs(1));
  tap.Request(kGet);
  tap.Answer(kOk);
  ASSERT_THAT(tap.sink.all, SizeIs(2));
  EXPECT_THAT(tap.sink.all[1], Answered("GET", "/a", 200));
  const ConnectionCounts counts = tap.connection.TakeCounts();
  EXPECT_EQ(counts.late_answers, 1u);
  EXPECT_EQ(counts.unmatched_answers, 0u);
  tap.Close();
  EXPECT_THAT(tap.sink.all, SizeIs(2));
}

TEST(HttpConnection, ADeadlinePassesWithoutATickToo) {
  Tap tap;
  tap.Request(kGet);
  tap.time_ns += tap.options.answer_timeout_ns;
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Unanswered("/a", NoAnswer::kTimeout)));
  EXPECT_EQ(tap.connection.TakeCounts().late_answers, 1u);
}

TEST(HttpConnection, AnAnswerThatHasBegunHasNoDeadline) {
  Tap tap;
  tap.Request(kGet);
  tap.Request("GET /b HTTP/1.1\r\n\r\n");
  tap.Answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
  tap.time_ns += 2 * tap.options.answer_timeout_ns;
  tap.Answer("world");
  EXPECT_THAT(tap.sink.all, ElementsAre(Unanswered("/b", NoAnswer::kTimeout), Answered("GET", "/a", 200)));
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, SizeIs(2));
  EXPECT_EQ(tap.connection.TakeCounts().late_answers, 1u);
}

TEST(HttpConnection, AnUnfinishedHeadIsOwedNoAnswer) {
  Tap tap;
  tap.Request("GET /slow HTTP/1.1\r\nX: ");
  EXPECT_EQ(tap.connection.NextDeadline(), std::nullopt);
  tap.time_ns += 2 * tap.options.answer_timeout_ns;
  tap.Tick();
  EXPECT_THAT(tap.sink.all, IsEmpty());
  tap.Request("y\r\n\r\n");
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/slow", 200)));
}

TEST(HttpConnection, OtherProtocolsAreOnlyCounted) {
  struct Case {
    std::string_view what, request, answer;
  };
  const Case cases[] = {
      {"redis", "*1\r\n$4\r\nPING\r\n", "+PONG\r\n"},
      {"tls", "\x16\x03\x01\x02xyz", "\x16\x03\x03"},
      {"http/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\x12\x04"},
      {"ssh", "SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-x\r\n"},
      {"three words", "SET key value\r\n", "OK\r\n"},
  };
  for (const Case& c : cases) {
    Tap tap;
    tap.Request(c.request);
    tap.Answer(c.answer);
    tap.Request(kGet);
    tap.Close();
    EXPECT_EQ(tap.connection.state(), HttpConnection::State::kRefuted) << c.what;
    EXPECT_THAT(tap.sink.all, IsEmpty()) << c.what;
    const ConnectionCounts counts = tap.connection.TakeCounts();
    EXPECT_EQ(Count(counts, Unparsed::kUnknownProtocol), c.request.size() + c.answer.size() + kGet.size()) << c.what;
    EXPECT_EQ(counts.parsed_bytes, 0u) << c.what;
  }
}

TEST(HttpConnection, AServerThatSpeaksFirstIsNotHttp) {
  Tap tap;
  tap.Answer("220 mail ESMTP\r\n");
  tap.Request("EHLO x\r\n");
  EXPECT_EQ(tap.connection.state(), HttpConnection::State::kRefuted);
  EXPECT_EQ(Count(tap.connection.TakeCounts(), Unparsed::kUnknownProtocol), 24u);
}

TEST(HttpConnection, AnAnswerWithoutARequestIsCounted) {
  Tap tap;
  tap.Answer("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
  tap.Request(kGet);
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/a", 200)));
  EXPECT_EQ(tap.connection.TakeCounts().unmatched_answers, 1u);
}

TEST(HttpConnection, MidStreamStartsAtTheNextMessage) {
  Tap tap(Role::kServer, true);
  tap.Request("rest of a body");
  tap.Answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  tap.Request(kGet);
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/a", 200)));
  const ConnectionCounts counts = tap.connection.TakeCounts();
  EXPECT_EQ(Count(counts, Unparsed::kMidStream), 14u);
  EXPECT_EQ(counts.unmatched_answers, 1u);
}

// --- losses: what is told must be right, what is not told must be counted

TEST(HttpConnection, ALostRequestDoesNotShiftTheOthers) {
  Tap tap(Role::kClient);  // sent: a hole is a loss at once
  tap.Request("GET /1 HTTP/1.1\r\n\r\n");
  tap.Answer(kOk);
  tap.LoseRequest("GET /2 HTTP/1.1\r\n\r\n");
  tap.Answer("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n");
  tap.Request("GET /3 HTTP/1.1\r\n\r\n");
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/1", 200), Answered("GET", "/3", 200)));
  const ConnectionCounts counts = tap.connection.TakeCounts();
  EXPECT_EQ(counts.unmatched_answers, 1u);
  EXPECT_EQ(counts.unpaired_requests, 0u);
  EXPECT_EQ(Count(counts, Unparsed::kGap), 19u);
}

TEST(HttpConnection, ALostRequestOnAServerDoesNotShiftTheOthers) {
  Tap tap(Role::kServer);  // received: the hole might be reordering, until the server answers
  tap.LoseRequest("GET /2 HTTP/1.1\r\n\r\n");
  tap.Answer("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n");
  tap.Request("GET /3 HTTP/1.1\r\n\r\n");
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/3", 200)));
  EXPECT_EQ(tap.connection.TakeCounts().unmatched_answers, 1u);
}

TEST(HttpConnection, ALostAnswerDoesNotShiftTheOthers) {
  Tap tap;
  tap.Request("GET /1 HTTP/1.1\r\n\r\n");
  tap.Answer(kOk);
  tap.Request("GET /2 HTTP/1.1\r\n\r\n");
  tap.LoseAnswer("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n");
  tap.Request("GET /3 HTTP/1.1\r\n\r\n");
  tap.Answer("HTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n");
  tap.Request("GET /4 HTTP/1.1\r\n\r\n");
  tap.Answer("HTTP/1.1 202 X\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/1", 200), Answered("GET", "/4", 202)));
  const ConnectionCounts counts = tap.connection.TakeCounts();
  // That 201 answers /3 would be a guess: a request between them may be lost too.
  EXPECT_EQ(counts.unpaired_requests, 2u);
  EXPECT_EQ(counts.unmatched_answers, 1u);
}

TEST(HttpConnection, ALossAmongPipelinedMessagesIsLeftOutUntilTheBatchEnds) {
  const auto batch = [](Tap& tap, int number, bool lose_request, bool lose_answer) {
    for (int i = 0; i < 8; ++i) {
      const std::string request = "GET /" + std::to_string(number * 8 + i) + " HTTP/1.1\r\n\r\n";
      lose_request&& i == 3 ? tap.LoseRequest(request) : tap.Request(request);
    }
    for (int i = 0; i < 8; ++i) {
      const std::string answer = "HTTP/1.1 " + std::to_string(200 + number * 8 + i) + " X\r\nContent-Length: 0\r\n\r\n";
      lose_answer&& i == 3 ? tap.LoseAnswer(answer) : tap.Answer(answer);
    }
  };
  for (const bool lose_request : {true, false}) {
    Tap tap(Role::kClient);
    batch(tap, 1, false, false);
    batch(tap, 2, lose_request, !lose_request);
    batch(tap, 3, false, false);
    tap.Tick();
    tap.time_ns += tap.options.hole_timeout_ns + 1;
    tap.Tick();
    batch(tap, 4, false, false);
    for (const ToldRequest& told : tap.sink.all) {
      EXPECT_EQ(told.path, "/" + std::to_string(told.status - 200)) << "paired with another's answer";
    }
    const ConnectionCounts counts = tap.connection.TakeCounts();
    // With a lost request it is not among those seen; else it was seen and its answer is lost.
    EXPECT_EQ(tap.sink.all.size() + counts.unpaired_requests, lose_request ? 31u : 32u);
    EXPECT_GE(tap.sink.all.size(), 8u + 3u + 8u);
    EXPECT_THAT(tap.sink.all.back(), Answered("GET", "/39", 239));
  }
}

TEST(HttpConnection, BodiesNeedNotBeCaptured) {
  Tap tap;
  const std::string body(100'000, 'x');
  tap.Request("PUT /f HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + body, 60);
  tap.Answer("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body, 60);
  tap.Request(kGet);
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("PUT", "/f", 200), Answered("GET", "/a", 200)));
  const ConnectionCounts counts = tap.connection.TakeCounts();
  ExpectNoLoss(counts);
  EXPECT_EQ(counts.parsed_bytes, 2 * 100'000 + 43 + 43 + kGet.size() + kOk.size());
}

TEST(HttpConnection, ChunkedBodiesThatAreNotCapturedEndWithTheirTail) {
  Tap tap;
  for (int i = 0; i < 3; ++i) {
    tap.Request("GET /c HTTP/1.1\r\n\r\n");
    const std::string chunk = "800\r\n" + std::string(2048, 'x') + "\r\n";
    tap.Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk + "0\r\n\r\n", 100);
  }
  EXPECT_THAT(tap.sink.all,
              ElementsAre(Answered("GET", "/c", 200), Answered("GET", "/c", 200), Answered("GET", "/c", 200)));
}

TEST(HttpConnection, AChunkedAnswerWhoseEndIsLostEndsWhenTheClientGoesOn) {
  Tap tap;
  const std::string chunks = "800\r\n" + std::string(2048, 'x') + "\r\n5\r\nhello\r\n";
  tap.Request("GET /c HTTP/1.1\r\n\r\n");
  tap.Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + chunks, 100);
  tap.Answer("0\r\n");  // in two segments: neither is known as the last chunk
  tap.Answer("\r\n");
  EXPECT_THAT(tap.sink.all, IsEmpty());
  tap.time_ns = 50'000;
  tap.Request(kGet);
  ASSERT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/c", 200)));
  EXPECT_EQ(tap.sink.all[0].end_ns, 1'003u);
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/c", 200), Answered("GET", "/a", 200)));
}

TEST(HttpConnection, AnAnswerWhoseEndIsLostEndsAfterSilence) {
  Tap tap;
  tap.Request("GET /c HTTP/1.1\r\n\r\n");
  tap.Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(200, 'x'), 47);
  const auto deadline = tap.connection.NextDeadline();
  ASSERT_EQ(deadline, 1'001 + tap.options.lost_end_timeout_ns);
  tap.time_ns = *deadline;
  tap.Tick();
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/c", 200)));
  EXPECT_EQ(tap.connection.NextDeadline(), std::nullopt);
}

TEST(HttpConnection, ReorderedSegmentsAreWaitedFor) {
  Tap tap;
  const std::string request = "POST /r HTTP/1.1\r\nContent-Length: 20\r\n\r\n" + std::string(20, 'b');
  const std::uint32_t seq = tap.request_seq;
  tap.Piece(true, seq + 30, request.substr(30), 1'000);
  EXPECT_NE(tap.connection.NextDeadline(), std::nullopt);
  EXPECT_GT(tap.budget.used(), 0u);
  tap.Piece(true, seq, request.substr(0, 30), 1'000);
  EXPECT_EQ(tap.budget.used(), 0u);
  tap.request_seq = seq + static_cast<std::uint32_t>(request.size());
  tap.Answer(kOk);
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("POST", "/r", 200)));
  ExpectNoLoss(tap.connection.TakeCounts());
}

TEST(HttpConnection, AHoleIsGivenUpInTime) {
  Tap tap(Role::kClient);
  tap.Request(kGet);
  tap.LoseAnswer("HTTP/1.1 200 OK\r\n");
  tap.Answer("Content-Length: 0\r\n\r\n");
  tap.time_ns = *tap.connection.NextDeadline();
  tap.Tick();
  EXPECT_EQ(tap.budget.used(), 0u);
  for (const std::string_view path : {"/b", "/c"}) {
    tap.Request("GET " + std::string(path) + " HTTP/1.1\r\n\r\n");
    tap.Answer(kOk);
  }
  EXPECT_THAT(tap.sink.all, ElementsAre(Answered("GET", "/c", 200)));
  EXPECT_EQ(tap.connection.TakeCounts().unpaired_requests, 2u);
}

TEST(HttpConnection, AnIdleConnectionIsSmall) {
  EXPECT_LE(sizeof(HttpConnection), 288u);  // and a block of 128 bytes for the last request
}

}  // namespace
}  // namespace wiregauge::match
