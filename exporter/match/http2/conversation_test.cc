#include "exporter/match/http2/conversation.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "exporter/match/http2/test_tap.h"

namespace wiregauge::match::http2 {
namespace {

using namespace decode::http2;
using probe::Role;
using Lines = std::vector<std::string>;

constexpr unsigned kEnds = kEndHeaders | kEndStream;
const std::string kOpening = std::string(kPreface) + Settings() + WindowUpdate(0);
const std::string kGet = Indexed(2) + Indexed(4);  // GET /
const std::string kOk = Indexed(8);                // 200
constexpr std::uint64_t kMinute = 60'000'000'000;

std::string Get(std::string_view path) { return Indexed(2) + Literal(":path", path); }
std::string Status(int status) { return Literal(":status", std::to_string(status)); }
std::string Rpc(std::string_view path) {
  return Indexed(3) + Literal(":path", path) + Literal("content-type", "application/grpc");
}
const std::string kRpcAnswer = kOk + Literal("content-type", "application/grpc");
std::string GrpcStatus(int code) { return Literal("grpc-status", std::to_string(code)); }
std::string Message(std::string_view text) { return BigEndian(0, 1) + BigEndian(text.size(), 4) + std::string(text); }

struct Open : Tap {
  explicit Open(Role role = Role::kServer) : Tap(role) {
    Request(kOpening);
    Answer(Settings() + SettingsAck());
  }
};

void ExpectNothingLost(Tap& tap) {
  const ConnectionCounts counts = tap.Counts();
  EXPECT_EQ(Tap::Unparsed(counts), 0u);
  EXPECT_EQ(counts.unmatched_answers + counts.late_answers + counts.evicted_requests + counts.unpaired_requests +
                counts.degraded_requests,
            0u);
}

TEST(Http2Conversation, ARequestAndItsAnswer) {
  Open tap;
  tap.time_ns = 5'000;
  tap.Request(Headers(1, Get("/a?b=c"), kEnds));
  tap.time_ns = 6'000;
  tap.Answer(Headers(1, kOk));
  tap.Answer(DataFrame(1, "body"));
  tap.time_ns = 7'000;
  tap.Answer(DataFrame(1, "", kEndStream));
  EXPECT_EQ(tap.sink.lines, (Lines{"GET /a 200"}));
  EXPECT_EQ(tap.sink.start_ns, 5'000u);
  EXPECT_EQ(tap.sink.end_ns, 7'000u);
  EXPECT_EQ(tap.connection.state(), match::Conversation::State::kConfirmed);
  ExpectNothingLost(tap);
}

TEST(Http2Conversation, StreamsInterleave) {
  for (const Role role : {Role::kServer, Role::kClient}) {
    Open tap(role);
    const std::uint32_t streams = 2'000;
    for (std::uint32_t i = 0; i < streams; ++i) tap.Request(Headers(2 * i + 1, Get("/" + std::to_string(i)), kEnds));
    for (std::uint32_t i = 0; i < streams; ++i) tap.Answer(Headers(2 * i + 1, Status(200 + static_cast<int>(i % 300))));
    Lines want;
    for (std::uint32_t i = streams; i > 0; --i) {
      tap.Answer(DataFrame(2 * i - 1, "x", kEndStream));
      want.push_back("GET /" + std::to_string(i - 1) + " " + std::to_string(200 + (i - 1) % 300));
    }
    EXPECT_EQ(tap.sink.lines, want);
    ExpectNothingLost(tap);
    EXPECT_EQ(tap.budget.used(), 0u);
  }
}

TEST(Http2Conversation, WhatEndsARequest) {
  Open tap;
  tap.Request(Headers(1, kGet, kEnds) + Headers(3, kGet, kEnds) + Headers(5, kGet, kEnds));
  tap.Answer(Headers(1, Status(204), kEnds));  // END_STREAM on HEADERS
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 204"}));
  tap.Answer(Headers(3, Status(103)) + Headers(3, kOk));     // a 1xx ends nothing
  tap.Answer(Headers(3, Literal("x-trailer", "1"), kEnds));  // trailers do
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 200"}));
  tap.Answer(Headers(5, Status(404)) + DataFrame(5, "none", kEndStream));
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 404"}));
  ExpectNothingLost(tap);
}

TEST(Http2Conversation, TraceparentIsTold) {
  Open tap;
  tap.Request(
      Headers(1, kGet + Literal("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), kEnds));
  tap.Answer(Headers(1, kOk, kEnds));
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 200 traced"}));
}

TEST(Http2Conversation, ResetsAreErrors) {
  Open tap;
  for (std::uint32_t i = 1; i <= 9; i += 2) tap.Request(Headers(i, kGet, kEnds));
  tap.Request(Reset(1, kCancel));
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 0 reset CANCEL"}));
  tap.Answer(Headers(3, kOk) + DataFrame(3, "part") + Reset(3, 2));
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 200 reset INTERNAL_ERROR"}));
  tap.Answer(Reset(5, kRefusedStream));
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 0 reset REFUSED_STREAM"}));
  // A whole answer, then a reset without an error (RFC 9113 section 8.1).
  tap.Answer(Headers(7, kOk, kEnds) + Reset(7, kNoError));
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 200"}));
  // The answer was under way when the client lost interest.
  tap.Request(Reset(9, kCancel));
  tap.Answer(Headers(9, kOk) + DataFrame(9, "x", kEndStream));
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 0 reset CANCEL"}));
  ExpectNothingLost(tap);
}

TEST(Http2Conversation, AnAnswerMayComeBeforeTheRequestHasEnded) {
  Open tap;
  tap.Request(Headers(1, Indexed(3) + Indexed(4)) + DataFrame(1, "part"));
  tap.Answer(Headers(1, Status(413), kEnds) + Reset(1, kNoError));
  tap.Request(DataFrame(1, "more") + DataFrame(1, "", kEndStream) + Headers(3, kGet, kEnds));
  tap.Answer(Headers(3, kOk, kEnds));
  EXPECT_EQ(tap.sink.lines, (Lines{"POST / 413", "GET / 200"}));
  ExpectNothingLost(tap);
}

TEST(Http2Conversation, GoAwayEndsWhatIsNeverProcessed) {
  Open tap;
  for (std::uint32_t i = 1; i <= 7; i += 2) tap.Request(Headers(i, Get("/" + std::to_string(i)), kEnds));
  tap.Answer(GoAway(0x7fffffff, kNoError));  // a warning (RFC 9113 section 6.8)
  EXPECT_EQ(tap.sink.Take(), Lines{});
  tap.Answer(GoAway(3, kNoError));
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET /5 0 reset NO_ERROR", "GET /7 0 reset NO_ERROR"}));
  tap.Request(Headers(9, Get("/9"), kEnds));  // sent before the client knew
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET /9 0 reset NO_ERROR"}));
  tap.Answer(Headers(1, kOk, kEnds) + Headers(3, kOk, kEnds));
  tap.Close();
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET /1 200", "GET /3 200"}));
  ExpectNothingLost(tap);
}

TEST(Http2Conversation, AFatalGoAwayIsWhyTheRestEnds) {
  Open tap;
  tap.Request(Headers(1, kGet, kEnds) + Headers(3, Rpc("/a.B/C")));
  tap.Answer(GoAway(3, 11, "too many pings"));
  EXPECT_EQ(tap.sink.Take(), Lines{});
  tap.Close();
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 0 reset ENHANCE_YOUR_CALM", "grpc a.B/C RESOURCE_EXHAUSTED"}));
}

TEST(Http2Conversation, TheConnectionsEndEndsRequests) {
  Open closed;
  closed.Request(Headers(1, kGet, kEnds) + Headers(3, kGet, kEnds) + Headers(5, Rpc("/a.B/C"), kEnds));
  closed.Answer(Headers(3, kOk) + DataFrame(3, "part"));
  closed.Close();
  EXPECT_EQ(closed.sink.lines,
            (Lines{"GET / 0 connection_closed", "GET / 200 connection_closed", "grpc a.B/C  connection_closed"}));
  Open reset;
  reset.Request(Headers(1, kGet, kEnds));
  reset.Reset();
  EXPECT_EQ(reset.sink.lines, (Lines{"GET / 0 reset"}));
  ExpectNothingLost(reset);
}

TEST(Http2Conversation, TimeoutsCountFromTheRequestsLastByte) {
  Open tap;
  tap.Request(Headers(1, Get("/slow"), kEnds) + Headers(3, Indexed(3) + Indexed(4)) +
              Headers(5, Get("/stream"), kEnds));
  tap.Answer(Headers(5, kOk) + DataFrame(5, "first"));
  const std::uint64_t last_ns = tap.time_ns - 2;
  tap.time_ns = last_ns + kMinute - 1;
  tap.Tick();
  EXPECT_EQ(tap.sink.Take(), Lines{});
  tap.time_ns = *tap.connection.NextDeadline();
  EXPECT_EQ(tap.time_ns, last_ns + kMinute);
  tap.Tick();
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET /slow 0 timeout"}));
  EXPECT_EQ(tap.sink.end_ns - tap.sink.start_ns, kMinute);
  // An answer that has begun has no deadline, and a request that goes on neither.
  tap.time_ns += 10 * kMinute;
  tap.Tick();
  EXPECT_EQ(tap.sink.Take(), Lines{});
  EXPECT_FALSE(tap.connection.NextDeadline());
  tap.Answer(Headers(1, kOk, kEnds));
  EXPECT_EQ(tap.Counts().late_answers, 1u);
  tap.Request(DataFrame(3, "end", kEndStream));
  tap.Answer(DataFrame(5, "last", kEndStream) + Headers(3, kOk, kEnds));
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET /stream 200", "POST / 200"}));
}

TEST(Http2Conversation, PushesAreNoRequests) {
  Open tap;
  tap.Request(Headers(1, kGet, kEnds));
  tap.Answer(Frame(FrameType::kPushPromise, kEndHeaders, 1, BigEndian(2, 4) + kGet));
  tap.Answer(Headers(2, kOk) + Headers(1, kOk, kEnds) + DataFrame(2, "pushed", kEndStream));
  EXPECT_EQ(tap.sink.lines, (Lines{"GET / 200"}));
  ExpectNothingLost(tap);
}

TEST(Http2Conversation, ATunnelEndsItsRequestWhenItBegins) {
  Open tap;
  tap.Request(Headers(1, Literal(":method", "CONNECT")) + Headers(3, Literal(":method", "CONNECT")));
  tap.Answer(Headers(1, kOk));
  tap.Answer(Headers(3, Status(502), kEnds));
  tap.Request(DataFrame(1, "anything"));
  tap.Answer(DataFrame(1, "anything", kEndStream));
  EXPECT_EQ(tap.sink.lines, (Lines{"CONNECT  200", "CONNECT  502"}));
  ExpectNothingLost(tap);
}

TEST(Http2Conversation, GrpcStatusDecides) {
  for (const Role role : {Role::kServer, Role::kClient}) {
    const bool client = role == Role::kClient;
    Open tap(role);
    tap.Request(Headers(1, Rpc("/helloworld.Greeter/SayHello")) + DataFrame(1, Message("you"), kEndStream));
    tap.Answer(Headers(1, kRpcAnswer) + DataFrame(1, Message("hello")));
    EXPECT_EQ(tap.sink.Take(), Lines{});
    tap.Answer(Headers(1, GrpcStatus(0), kEnds));
    EXPECT_EQ(tap.sink.Take(), (Lines{"grpc helloworld.Greeter/SayHello OK"}));
    // Trailers-only.
    tap.Request(Headers(3, Rpc("/a.B/C")) + DataFrame(3, Message("you"), kEndStream));
    tap.Answer(Headers(3, kRpcAnswer + GrpcStatus(5), kEnds));
    EXPECT_EQ(tap.sink.Take(), (Lines{client ? "grpc a.B/C NOT_FOUND error NOT_FOUND" : "grpc a.B/C NOT_FOUND"}));
    tap.Request(Headers(5, Rpc("/a.B/C"), kEnds));
    tap.Answer(Headers(5, kRpcAnswer) + Headers(5, GrpcStatus(13), kEnds));
    EXPECT_EQ(tap.sink.Take(), (Lines{"grpc a.B/C INTERNAL error INTERNAL"}));
    // A proxy's answer, without grpc-status.
    tap.Request(Headers(7, Rpc("/a.B/C"), kEnds));
    tap.Answer(Headers(7, Status(503) + Literal("content-type", "text/html")) + DataFrame(7, "sorry", kEndStream));
    EXPECT_EQ(tap.sink.Take(), (Lines{"grpc a.B/C UNAVAILABLE error UNAVAILABLE"}));
    tap.Request(Headers(9, Rpc("/a.B/C")));
    tap.Answer(Headers(9, kRpcAnswer));
    tap.Request(Reset(9, kCancel));
    EXPECT_EQ(tap.sink.Take(), (Lines{client ? "grpc a.B/C CANCELLED error CANCELLED" : "grpc a.B/C CANCELLED"}));
    tap.Request(Headers(11, Rpc("/a.B/C")));
    tap.Answer(Reset(11, kRefusedStream));
    EXPECT_EQ(tap.sink.Take(), (Lines{"grpc a.B/C UNAVAILABLE error UNAVAILABLE"}));
    ExpectNothingLost(tap);
  }
}

TEST(Http2Conversation, AStreamingCallEndsAtItsTrailers) {
  Open tap;
  tap.Request(Headers(1, Rpc("/a.B/Chat")));
  const std::uint64_t start_ns = tap.time_ns - 1;
  tap.Answer(Headers(1, kRpcAnswer));
  for (int i = 0; i < 20; ++i) {
    tap.time_ns += kMinute;
    tap.Tick();
    tap.Request(DataFrame(1, Message("to")));
    tap.Answer(DataFrame(1, Message("fro")));
  }
  tap.Request(DataFrame(1, "", kEndStream));
  EXPECT_EQ(tap.sink.lines, Lines{});
  tap.Answer(Headers(1, GrpcStatus(0), kEnds));
  EXPECT_EQ(tap.sink.lines, (Lines{"grpc a.B/Chat OK"}));
  EXPECT_EQ(tap.sink.start_ns, start_ns);
  EXPECT_EQ(tap.sink.end_ns, tap.time_ns - 1);
}

TEST(Http2Conversation, AnUpgradedRequestIsStream1) {
  for (const Role role : {Role::kServer, Role::kClient}) {
    HttpRequest upgraded;
    upgraded.method = "GET";
    upgraded.path = "/upgraded";
    upgraded.start_ns = 500;
    upgraded.end_ns = 600;
    Tap tap(upgraded, role);
    tap.Answer(Settings() + Headers(1, kOk));
    tap.Request(kOpening + Headers(3, kGet, kEnds));
    tap.Answer(DataFrame(1, "body", kEndStream) + Headers(3, kOk, kEnds));
    EXPECT_EQ(tap.sink.lines, (Lines{"GET /upgraded 200", "GET / 200"}));
    ExpectNothingLost(tap);
  }
}

TEST(Http2Conversation, WithoutThePrefaceItIsAnotherProtocol) {
  Tap tap;
  tap.Request("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(tap.connection.state(), match::Conversation::State::kRefuted);
}

// ---- losses ----

TEST(Http2Conversation, ALossInABodyCostsNothing) {
  Open tap;
  tap.Request(Headers(1, kGet, kEnds));
  tap.Answer(Headers(1, kOk) + DataFrame(1, std::string(9'000, 'x')), 300);
  tap.LoseAnswer("");
  tap.Answer(DataFrame(1, std::string(5'000, 'x'), kEndStream), 100);
  EXPECT_EQ(tap.sink.lines, (Lines{"GET / 200"}));
  ExpectNothingLost(tap);
}

TEST(Http2Conversation, LostRequestsAreCountedByTheirNumbers) {
  Open tap(Role::kClient);
  tap.Request(Headers(1, Get("/1"), kEnds));
  tap.LoseRequest(Headers(3, Get("/3"), kEnds) + Headers(5, Get("/5"), kEnds));
  tap.Request(Headers(7, Get("/7"), kEnds));
  for (std::uint32_t i = 1; i <= 7; i += 2) tap.Answer(Headers(i, kOk, kEnds));
  EXPECT_EQ(tap.sink.lines, (Lines{"GET /1 200", "GET /7 200"}));
  const ConnectionCounts counts = tap.Counts();
  EXPECT_EQ(counts.unpaired_requests, 2u);
  EXPECT_EQ(counts.unmatched_answers, 0u);
}

// The last requests of a connection are lost: only their answers tell.
TEST(Http2Conversation, LostRequestsAreCountedByTheirAnswers) {
  for (const Role role : {Role::kServer, Role::kClient}) {
    Open tap(role);
    tap.Request(Headers(1, Get("/1"), kEnds));
    tap.LoseRequest(Headers(3, Get("/3"), kEnds) + Headers(5, Get("/5"), kEnds));
    for (std::uint32_t i = 5; i >= 1 && i <= 5; i -= 2) tap.Answer(Headers(i, kOk) + DataFrame(i, "x", kEndStream));
    tap.Request(SettingsAck());
    tap.Close();
    EXPECT_EQ(tap.sink.lines, (Lines{"GET /1 200"}));
    EXPECT_EQ(tap.Counts().unpaired_requests, 2u);
  }
}

TEST(Http2Conversation, LostAnswersAreNoTimeouts) {
  Open tap;
  tap.Request(Headers(1, kGet, kEnds) + Headers(3, kGet, kEnds));
  tap.LoseAnswer(Headers(1, kOk, kEnds));
  tap.Answer(WindowUpdate(0) + Headers(3, kOk, kEnds));
  EXPECT_EQ(tap.sink.Take(), (Lines{"GET / 200"}));  // pairs by number, so this one is certain
  tap.time_ns += 2 * kMinute;
  tap.Tick();
  EXPECT_EQ(tap.sink.Take(), Lines{});
  const ConnectionCounts counts = tap.Counts();
  EXPECT_EQ(counts.unpaired_requests, 1u);
  EXPECT_FALSE(tap.connection.NextDeadline());
}

TEST(Http2Conversation, AnAnswerWhoseBeginningWasLostHasNoStatus) {
  Open tap;
  tap.Request(Headers(1, kGet, kEnds));
  tap.LoseAnswer(Headers(1, kOk));
  tap.Answer(DataFrame(1, "x") + DataFrame(1, "y", kEndStream));
  EXPECT_EQ(tap.sink.lines, (Lines{"GET / 0"}));
  EXPECT_EQ(tap.Counts().degraded_requests, 1u);
}

TEST(Http2Conversation, AfterALossNamesAreUnknownNotWrong) {
  Open tap;
  tap.Request(Headers(1, Indexed(2) + Added(":path", "/one"), kEnds));
  tap.Answer(Headers(1, kOk, kEnds));
  tap.LoseRequest(Headers(3, Indexed(2) + Added(":path", "/two"), kEnds));
  tap.Request(WindowUpdate(0) + Headers(5, Indexed(2) + Indexed(62), kEnds));  // "/two"
  tap.Request(Headers(7, Indexed(2) + Added(":path", "/three"), kEnds));
  tap.Request(Headers(9, Indexed(2) + Indexed(62), kEnds) + Headers(11, Indexed(2) + Indexed(63), kEnds));
  for (std::uint32_t i = 5; i <= 11; i += 2) tap.Answer(Headers(i, kOk, kEnds));
  EXPECT_EQ(tap.sink.lines, (Lines{"GET /one 200", "GET  200", "GET /three 200", "GET /three 200", "GET  200"}));
  const ConnectionCounts counts = tap.Counts();
  EXPECT_EQ(counts.degraded_requests, 2u);
  EXPECT_EQ(counts.unpaired_requests + counts.unmatched_answers, 1u);
}

// ---- older than the tap ----

TEST(Http2Conversation, JoinedInTheMiddle) {
  Tap tap(Role::kServer, true);
  tap.Answer(Headers(99, kOk) + DataFrame(99, "x", kEndStream));  // of a request that nobody saw
  tap.Request(Headers(101, Indexed(2) + Indexed(70), kEnds) + Headers(103, Get("/literal"), kEnds));
  tap.Answer(Headers(101, Indexed(66)) + DataFrame(101, "x", kEndStream) + Headers(103, kOk, kEnds));
  EXPECT_EQ(tap.sink.lines, (Lines{"GET  0", "GET /literal 200"}));
  const ConnectionCounts counts = tap.Counts();
  EXPECT_EQ(counts.unmatched_answers, 1u);
  EXPECT_EQ(counts.degraded_requests, 1u);
  EXPECT_EQ(Tap::Unparsed(counts), 0u);
}

TEST(Http2Conversation, GrpcJoinedInTheMiddle) {
  Tap tap(Role::kServer, true);
  const std::string unknown = Indexed(3) + Indexed(62) + Indexed(63);
  tap.Request(Headers(101, unknown) + DataFrame(101, Message("you"), kEndStream));
  tap.Answer(Headers(101, kOk + Indexed(62)) + DataFrame(101, Message("hello")));
  tap.Answer(Headers(101, Indexed(64), kEnds));
  EXPECT_EQ(tap.sink.Take(), (Lines{"grpc _OTHER "}));
  EXPECT_EQ(tap.Counts().degraded_requests, 1u);
  tap.Request(Headers(103, Rpc("/a.B/C")) + DataFrame(103, Message("you"), kEndStream));
  tap.Answer(Headers(103, kRpcAnswer) + Headers(103, GrpcStatus(3), kEnds));
  EXPECT_EQ(tap.sink.Take(), (Lines{"grpc a.B/C INVALID_ARGUMENT"}));
  EXPECT_EQ(tap.Counts().degraded_requests, 0u);
  // Trailers-only, of which nothing is known.
  Tap trailers_only(Role::kServer, true);
  trailers_only.Request(Headers(7, unknown) + DataFrame(7, Message("you"), kEndStream));
  trailers_only.Answer(Headers(7, kOk + Indexed(62) + Indexed(63), kEnds) + WindowUpdate(0));
  EXPECT_EQ(trailers_only.sink.Take(), (Lines{"grpc _OTHER "}));
  // What is not known but may be gRPC is taken for it where gRPC was seen.
  tap.Request(Headers(105, unknown, kEnds));
  tap.Answer(Headers(105, kOk + Indexed(62) + GrpcStatus(14), kEnds));
  EXPECT_EQ(tap.sink.Take(), (Lines{"grpc _OTHER UNAVAILABLE error UNAVAILABLE"}));
}

TEST(Http2Conversation, StreamsAreBounded) {
  for (const std::uint32_t more : {0u, 1u}) {
    Open tap;
    const std::uint32_t streams = Streams::kStreamsMax + more;
    for (std::uint32_t i = 0; i < streams; ++i) tap.Request(Headers(2 * i + 1, kGet, kEnds));
    for (std::uint32_t i = 0; i < streams; ++i) tap.Answer(Headers(2 * i + 1, kOk, kEnds));
    EXPECT_EQ(tap.sink.lines.size(), Streams::kStreamsMax);
    const ConnectionCounts counts = tap.Counts();
    EXPECT_EQ(counts.evicted_requests, more);
    EXPECT_EQ(counts.unmatched_answers, 0u);
    EXPECT_EQ(tap.budget.used(), 0u);
  }
}

// Random conversations with random losses of whole segments: counts plus declared loss are the truth, and nothing that
// is told is wrong.
TEST(Http2Conversation, CountsPlusDeclaredLossAreTheTruth) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](std::size_t n) { return static_cast<std::uint32_t>(random() % n); };
    const std::uint32_t loss_percent = seed % 3 == 0 ? 0 : 1 + below(10);
    Open tap(seed % 2 == 0 ? Role::kServer : Role::kClient);
    Deflater to_server;
    Deflater to_client;
    const auto pass = [&](bool request, const std::string& bytes) {
      const bool lost = below(100) < loss_percent;
      if (request) {
        lost ? tap.LoseRequest(bytes) : tap.Request(bytes);
      } else {
        lost ? tap.LoseAnswer(bytes) : tap.Answer(bytes);
      }
    };
    std::vector<std::uint32_t> open;
    std::uint32_t next = 1;
    std::uint32_t sent = 0;
    std::vector<std::string> truth(2'000);
    for (int step = 0; step < 600; ++step) {
      if (open.size() < 30 && below(2) == 0) {
        const std::string path = "/" + std::to_string(next % 40) + "/x";
        const bool post = below(2) == 0;
        const std::string block = to_server.Block(
            {{":method", post ? "POST" : "GET"}, {":path", path}, {"user-agent", "a/" + std::to_string(below(3))}});
        truth[next] = (post ? "POST " : "GET ") + path;
        std::string bytes = Headers(next, block, post ? kEndHeaders : kEnds);
        if (post) bytes += DataFrame(next, std::string(below(3'000), 'b'), kEndStream);
        pass(true, bytes);
        open.push_back(next);
        next += 2;
        ++sent;
      } else if (!open.empty()) {
        const std::size_t which = below(open.size());
        const std::uint32_t stream = open[which];
        const int status = 200 + static_cast<int>(stream % 300);
        truth[stream] += " " + std::to_string(status);
        const std::string block =
            to_client.Block({{":status", std::to_string(status)}, {"date", std::to_string(below(5))}});
        pass(false, Headers(stream, block) + DataFrame(stream, std::string(below(2'000), 'x')));
        pass(false, DataFrame(stream, "end", kEndStream));
        open.erase(open.begin() + static_cast<long>(which));
      }
    }
    // Both sides go on, so that what was lost shows.
    for (int i = 0; i < 2; ++i) tap.Request(WindowUpdate(0) + WindowUpdate(0) + SettingsAck());
    tap.Answer(WindowUpdate(0) + WindowUpdate(0) + SettingsAck());
    for (const std::uint32_t stream : open) {
      truth[stream] += " 200";
      tap.Answer(Headers(stream, Indexed(8), kEnds));
    }
    tap.Request(Headers(next, kGet, kEnds));
    tap.Answer(Headers(next, kOk, kEnds));
    truth[next] = "GET / 200";
    ++sent;
    tap.time_ns += 2 * kMinute;
    tap.Tick();
    const ConnectionCounts counts = tap.Counts();
    const std::size_t told = tap.sink.lines.size();
    EXPECT_EQ(told + counts.unpaired_requests, sent);
    if (loss_percent == 0) {
      EXPECT_EQ(told, sent);
    }
    EXPECT_EQ(counts.late_answers + counts.unmatched_answers + counts.evicted_requests, 0u);
    std::vector<std::string> possible;
    for (const std::string& line : truth) {
      if (line.empty()) continue;
      possible.push_back(line);
      const std::string method = line.substr(0, line.find(' '));
      const std::string status = line.substr(line.rfind(' '));
      const std::string path = line.substr(0, line.rfind(' '));
      for (const std::string& said : {method + " " + status, "_OTHER " + status, path + " 0", method + "  0",
                                      std::string("_OTHER  0"), "_OTHER" + path.substr(method.size()) + status}) {
        possible.push_back(said);
      }
    }
    std::sort(possible.begin(), possible.end());
    for (const std::string& line : tap.sink.lines) {
      EXPECT_TRUE(std::binary_search(possible.begin(), possible.end(), line)) << line;
    }
  }
}

}  // namespace
}  // namespace wiregauge::match::http2
