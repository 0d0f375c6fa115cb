#include "exporter/decode/http1/decoder.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace wiregauge::decode::http1 {
namespace {

// Writes down what a decoder finds, one word an event.
class Script final : public Handler {
 public:
  void OnRequestLine(const RequestLine& line, std::uint64_t) override {
    text += "[" + std::string(MethodName(line.method)) + " " + std::string(line.path) + " ";
  }
  void OnTrace(const Trace& trace) override {
    text += "trace:" + std::to_string(trace.trace_id[15]) + ":" + std::to_string(trace.span_id[7]) + " ";
  }
  Method OnStatusLine(const StatusLine& line) override {
    text += "[" + std::to_string(line.status) + " ";
    return answered;
  }
  void OnMessageEnd() override { text += "] "; }
  void OnLost(Loss loss) override {
    if (loss != Loss::kPerhaps) text += loss == Loss::kMessageOpen ? "lost-open " : "lost ";
  }
  void OnNotHttp() override { text += "not-http "; }
  void OnSwitch(Unparsed reason) override {
    text += "switch:" + std::string(UnparsedName(reason)) + " ";
    decoder->StopDecoding(reason, *this);
  }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    unparsed[static_cast<std::size_t>(reason)] += bytes;
    sum += bytes;
  }

  std::string text;
  Method answered = Method::kGet;
  Decoder* decoder = nullptr;
  std::array<std::uint64_t, kUnparsedReasons> unparsed{};
  std::uint64_t sum = 0;
};

struct Outcome {
  std::string text;
  std::array<std::uint64_t, kUnparsedReasons> unparsed{};
  std::uint64_t parsed = 0;
  std::uint64_t pending = 0;

  bool operator==(const Outcome&) const = default;
};

// Feeds `bytes` in runs of `step`, the first of `first` bytes, and checks that every byte is accounted for.
Outcome Decode(Kind kind, std::string_view bytes, std::size_t first, std::size_t step, Method answered = Method::kGet) {
  Decoder decoder(kind, false);
  Script script;
  script.answered = answered;
  script.decoder = &decoder;
  Outcome run;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min(bytes.size() - at, at == 0 && first > 0 ? first : step);
    // A copy of its own, so that a sanitizer sees views that live too long.
    const std::string piece(bytes.substr(at, size));
    decoder.OnBytes(AsBytes(piece), at, script);
    at += size;
    run.parsed += decoder.TakeParsedBytes();
    EXPECT_EQ(run.parsed + script.sum + decoder.pending_bytes(), at);
  }
  run.text = script.text;
  run.unparsed = script.unparsed;
  run.pending = decoder.pending_bytes();
  return run;
}

// The events of `bytes`, after checking that every split in two and every step size gives the same.
std::string Events(Kind kind, std::string_view bytes, Method answered = Method::kGet) {
  const Outcome whole = Decode(kind, bytes, 0, bytes.size(), answered);
  for (std::size_t first = 1; first < bytes.size(); ++first) {
    EXPECT_EQ(Decode(kind, bytes, first, bytes.size(), answered), whole) << "split at " << first;
  }
  for (const std::size_t step : {1u, 2u, 3u, 7u}) EXPECT_EQ(Decode(kind, bytes, 0, step, answered), whole);
  return whole.text;
}

std::string Requests(std::string_view bytes) { return Events(Kind::kRequests, bytes); }
std::string Answers(std::string_view bytes, Method answered = Method::kGet) {
  return Events(Kind::kResponses, bytes, answered);
}

TEST(Decoder, Requests) {
  EXPECT_EQ(Requests("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "[GET / ] ");
  EXPECT_EQ(Requests("\r\n\r\n\nGET / HTTP/1.1\r\n\r\n\r\nGET /b HTTP/1.0\n\n"), "[GET / ] [GET /b ] ");
  EXPECT_EQ(Requests("POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloPUT /q HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
            "[POST /p ] [PUT /q ] ");
  EXPECT_EQ(Requests("POST /p HTTP/1.1\r\nContent-Length:\r\n 5\r\nX: a\r\n b\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n"),
            "[POST /p ] [GET / ] ");
  EXPECT_EQ(Requests("POST /p HTTP/1.1\r\nContent-Length: 50\r\n\r\nGET / HTTP/1.1\r\n\r\n"), "[POST /p ");
}

TEST(Decoder, TracesOfRequestsAreTold) {
  const std::string field = "traceparent: 00-00000000000000000000000000000005-0000000000000007-01\r\n";
  EXPECT_EQ(Requests("GET / HTTP/1.1\r\nHost: x\r\n" + field + "Accept: */*\r\n\r\n"), "[GET / trace:5:7 ] ");
  EXPECT_EQ(Requests("GET / HTTP/1.1\r\nTraceParent:\t00-00000000000000000000000000000005-0000000000000007-01 \n\n"),
            "[GET / trace:5:7 ] ");
  EXPECT_EQ(Requests("GET / HTTP/1.1\r\n" + field + field + "\r\n"), "[GET / trace:5:7 trace:5:7 ] ");
  EXPECT_EQ(Requests("GET / HTTP/1.1\r\ntrace-state: a\r\ntraceparent: 00-0-0-01\r\ntraceparenx: y\r\ntransparent: "
                     "00-00000000000000000000000000000005-0000000000000007-01\r\n\r\n"),
            "[GET / ] ");
  EXPECT_EQ(Answers("HTTP/1.1 204 N\r\n" + field + "\r\n"), "[204 ] ");
  EXPECT_EQ(Requests("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + field + "\r\n"), "[POST / ] ");
}

TEST(Decoder, Chunked) {
  EXPECT_EQ(Requests("POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "5\r\nhello\r\nA;ext=\"v\"\r\n0123456789\r\n00f \r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"
                     "GET /n HTTP/1.1\r\n\r\n"),
            "[POST /c ] [GET /n ] ");
  EXPECT_EQ(Answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
                    "3\nabc\n0\nTrailer: x\nOther: y\n\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            "[200 ] [200 ] ");
}

TEST(Decoder, ATrailerLineOfCarriageReturnsIsEmptyHoweverItIsSplit) {
  EXPECT_EQ(Requests("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\r\nGET / HTTP/1.1\r\n\r\n"),
            "[POST / ] [GET / ] ");
}

TEST(Decoder, AnswersByMethodAndStatus) {
  EXPECT_EQ(Answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n"),
            "[200 ] [201 ] ");
  EXPECT_EQ(Answers("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 N\r\n\r\n"),
            "[100 ] [103 ] [204 ] ");
  EXPECT_EQ(Answers("HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "[304 ] [204 ] ");
  EXPECT_EQ(Answers("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 404 N\r\nTransfer-Encoding: chunked\r\n\r\n",
                    Method::kHead),
            "[200 ] [404 ] ");
  EXPECT_EQ(Answers("HTTP/1.0 200 OK\r\n\r\neverything HTTP/1.1 200 OK\r\n\r\n"), "[200 ");
  EXPECT_EQ(Answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nxyz"), "[200 ");
  EXPECT_EQ(Answers("HTTP/1.1 101 Up\r\n\r\n\x81\x02hi"), "[101 ] switch:upgraded ");
  EXPECT_EQ(Answers("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nxxxxxxxx", Method::kConnect), "[200 ] switch:tunnel ");
  EXPECT_EQ(Answers("HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n",
                    Method::kConnect),
            "[407 ] [404 ] ");
}

TEST(Decoder, UnknownKindIsLearntFromTheStartLine) {
  EXPECT_EQ(Events(Kind::kUnknown, "HEAD /x HTTP/1.1\r\n\r\n"), "[HEAD /x ] ");
  EXPECT_EQ(Events(Kind::kUnknown, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), "[200 ] ");
}

TEST(Decoder, NotHttp) {
  for (const std::string_view bytes :
       {"\x16\x03\x01zzzz", "*1\r\n$4\r\nPING\r\n", "SET a b\r\n", "GET / HTTP/2.0\r\n\r\n", "SSH-2.0-x\r\n"}) {
    EXPECT_EQ(Requests(bytes), "not-http ") << bytes;
    EXPECT_EQ(Decode(Kind::kRequests, bytes, 0, 1).unparsed[static_cast<std::size_t>(Unparsed::kUnknownProtocol)],
              bytes.size());
  }
  EXPECT_EQ(Answers("220 mail\r\n"), "not-http ");
}

TEST(Decoder, WhatBreaksTheGrammarLaterIsMalformed) {
  const std::string good = "GET / HTTP/1.1\r\n\r\n";
  EXPECT_EQ(Requests(good + "\x01\x02\x03"), "[GET / ] lost ");
  EXPECT_EQ(Requests(good + "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            "[GET / ] [POST / lost-open ");
  EXPECT_EQ(Requests(good + "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"), "[GET / ] [POST / lost-open ");
  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(Requests(chunked + "\r\n"), "[POST / lost-open ");
  EXPECT_EQ(Requests(chunked + "5x\r\n"), "[POST / lost-open ");
  EXPECT_EQ(Requests(chunked + "2\r\nabc"), "[POST / lost-open ");
  EXPECT_EQ(Requests(chunked + "11111111111111111\r\n"), "[POST / lost-open ");
}

// What a decoder tells of a head of exactly `bytes` bytes.
std::string HeadOf(std::size_t bytes, std::size_t step) {
  std::string head = "GET / HTTP/1.1\r\nX: ";
  head += std::string(bytes - head.size() - 4, 'x') + "\r\n\r\n";
  const Outcome run = Decode(Kind::kRequests, head, 0, step);
  EXPECT_EQ(run.unparsed[static_cast<std::size_t>(Unparsed::kTooLarge)], run.text == "[GET / ] " ? 0 : bytes);
  return run.text;
}

TEST(Decoder, HeadsUpToTheirLimit) {
  for (const std::size_t step : {kHeadBytesMax * 2, std::size_t{4096}, std::size_t{1}}) {
    EXPECT_EQ(HeadOf(kHeadBytesMax - 1, step), "[GET / ] ");
    EXPECT_EQ(HeadOf(kHeadBytesMax, step), "[GET / ] ");
    EXPECT_EQ(HeadOf(kHeadBytesMax + 1, step), "[GET / lost-open ");
  }
}

TEST(Decoder, ChunkLinesAndTrailersUpToTheirLimits) {
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::size_t step : {std::size_t{1} << 20, std::size_t{1}}) {
    for (const std::size_t bytes : {kChunkLineBytesMax - 1, kChunkLineBytesMax, kChunkLineBytesMax + 1}) {
      const std::string line = "0" + std::string(bytes - 1, ' ') + "\n\n";  // behind the size: `bytes` with the LF
      const bool fits = bytes <= kChunkLineBytesMax;
      EXPECT_EQ(Decode(Kind::kRequests, head + line, 0, step).text, fits ? "[POST / ] " : "[POST / lost-open ")
          << bytes;
    }
    for (const std::size_t bytes : {kTrailerBytesMax - 1, kTrailerBytesMax, kTrailerBytesMax + 1}) {
      const std::string trailers = "0\r\n" + std::string(bytes - 2, 't') + "\n\n";
      const bool fits = bytes <= kTrailerBytesMax;
      EXPECT_EQ(Decode(Kind::kRequests, head + trailers, 0, step).text, fits ? "[POST / ] " : "[POST / lost-open ");
    }
  }
}

TEST(Decoder, LongRequestLinesAreTheSameHoweverTheyAreSplit) {
  for (std::size_t size = kLineBytesKept - 12; size < kLineBytesKept + 12; ++size) {
    const std::string bytes = "GET /a?" + std::string(size - 7 - 9, 'q') + " HTTP/1.1\r\n\r\n";
    const Outcome whole = Decode(Kind::kRequests, bytes, 0, bytes.size());
    EXPECT_EQ(whole.text, "[GET /a ] ") << size;
    for (const std::size_t step : {1u, 5u, 100u, 2'000u}) EXPECT_EQ(Decode(Kind::kRequests, bytes, 0, step), whole);
    for (std::size_t first = size - 12; first < size + 3; ++first) {
      EXPECT_EQ(Decode(Kind::kRequests, bytes, first, bytes.size()), whole);
    }
  }
}

// --- gaps

struct GapFeed {
  explicit GapFeed(Kind kind, bool mid_stream = false) : decoder(kind, mid_stream) { script.decoder = &decoder; }
  GapFeed& Bytes(std::string_view text) {
    decoder.OnBytes(AsBytes(text), 0, script);
    return *this;
  }
  GapFeed& Gap(std::uint64_t length, std::string_view tail = {}) {
    decoder.OnGap(length, AsBytes(tail), 0, script);
    return *this;
  }
  [[nodiscard]] std::uint64_t Unparsed(Unparsed reason) const {
    return script.unparsed[static_cast<std::size_t>(reason)];
  }

  Decoder decoder;
  Script script;
};

TEST(DecoderGap, InABodyOfKnownLengthIsSkippedExactly) {
  GapFeed feed(Kind::kRequests);
  feed.Bytes("POST /a HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc").Gap(97, "12345678").Bytes("GET /b HTTP/1.1\r\n\r\n");
  EXPECT_EQ(feed.script.text, "[POST /a ] [GET /b ] ");
  EXPECT_EQ(feed.script.sum, 0u);
}

TEST(DecoderGap, BeyondABodyLosesOnlyWhatIsBehindIt) {
  GapFeed feed(Kind::kRequests);
  feed.Bytes("POST /a HTTP/1.1\r\nContent-Length: 100\r\n\r\n").Gap(130).Bytes("GET /c HTTP/1.1\r\n\r\n");
  EXPECT_EQ(feed.script.text, "[POST /a ] lost [GET /c ] ");
  EXPECT_EQ(feed.Unparsed(Unparsed::kGap), 30u);
}

TEST(DecoderGap, InsideAChunkIsSkippedExactly) {
  GapFeed feed(Kind::kResponses);
  feed.Bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n").Gap(0x100 + 7, "x\r\n0\r\n\r\n");
  EXPECT_EQ(feed.script.text, "[200 ] ") << "the tail is read like any bytes";
  EXPECT_EQ(feed.script.sum, 0u);
}

TEST(DecoderGap, OverAChunkEndsWithTheTail) {
  GapFeed feed(Kind::kResponses);
  feed.Bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n").Gap(500, "........");
  EXPECT_EQ(feed.script.text, "[200 lost-open ");
  feed.Bytes("more of it").Gap(500, "y\r\n0\r\n\r\n");
  EXPECT_EQ(feed.script.text, "[200 lost-open ] ");
  feed.Bytes("HTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(feed.script.text, "[200 lost-open ] [201 ] ");
  EXPECT_EQ(feed.Unparsed(Unparsed::kGap), 500u - 16 + 10 + 500);
}

TEST(DecoderGap, OverAChunkEndsAtTheNextMessage) {
  GapFeed feed(Kind::kResponses);
  feed.Bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n").Gap(500);
  feed.Bytes("...\r\n0\r\nT: x\r\n\r\nHTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(feed.script.text, "[200 lost-open ] [201 ] ");
}

TEST(DecoderGap, InAHeadGoesOnAtTheNextMessage) {
  GapFeed feed(Kind::kRequests);
  feed.Bytes("GET /a HTTP/1.1\r\nHost").Gap(40).Bytes(": x\r\n\r\n").Bytes("GET /b HTTP/1.1\r\n\r\n");
  EXPECT_EQ(feed.script.text, "[GET /a lost-open ] [GET /b ] ");
  EXPECT_EQ(feed.Unparsed(Unparsed::kGap), 21u + 40 + 7);
}

TEST(DecoderGap, InAStartLineGoesOnAtTheNextMessage) {
  GapFeed feed(Kind::kRequests);
  feed.Bytes("GET /a HT").Gap(3).Bytes(".1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
  EXPECT_EQ(feed.script.text, "lost [GET /b ] ");
  EXPECT_EQ(feed.Unparsed(Unparsed::kGap), 9u + 3 + 6);
}

TEST(DecoderGap, WhatOnlyLooksLikeAStartIsPartOfTheLoss) {
  GapFeed feed(Kind::kRequests, true);
  feed.Bytes("GET the milk, please\r\n")
      .Bytes("POST /x HTTP/1.1\r\nno field line\r\n")
      .Bytes("GET /b HTTP/1.1\r\n\r\n");
  EXPECT_EQ(feed.script.text, "lost [POST /x lost-open ] [GET /b ] ");
  EXPECT_EQ(feed.Unparsed(Unparsed::kMidStream), 22u + 33);
}

TEST(DecoderGap, BeforeTheFirstMessageDoesNotMakeItAnotherProtocol) {
  GapFeed feed(Kind::kRequests);
  feed.Gap(10).Bytes("\x01\x02").Bytes("GET /b HTTP/1.1\r\n\r\n");
  EXPECT_EQ(feed.script.text, "lost [GET /b ] ");
}

TEST(DecoderGap, UntilCloseIsUnderstood) {
  GapFeed feed(Kind::kResponses);
  feed.Bytes("HTTP/1.0 200 OK\r\n\r\nabc").Gap(1'000'000, "12345678");
  feed.decoder.OnClose(feed.script);
  EXPECT_EQ(feed.script.text, "[200 ] ");
  EXPECT_EQ(feed.decoder.TakeParsedBytes(), 19u + 3 + 1'000'000);
}

TEST(DecoderGap, AroundAConnect) {
  GapFeed feed(Kind::kRequests);
  feed.Bytes("CONNECT h:1 HTTP/1.1\r\n\r\n").Gap(9, "abc").Bytes("de");
  feed.decoder.OnConnectRefused();
  feed.Bytes("x").Bytes("GET /b HTTP/1.1\r\n\r\n");
  EXPECT_EQ(feed.script.text, "[CONNECT  ] [GET /b ] ");
  EXPECT_EQ(feed.Unparsed(Unparsed::kTunnel), 12u);
}

TEST(Decoder, CloseCountsAHeadThatIsCutOff) {
  GapFeed feed(Kind::kRequests);
  feed.Bytes("GET / HTTP/1.1\r\nHo");
  EXPECT_EQ(feed.decoder.pending_bytes(), 18u);
  feed.decoder.OnClose(feed.script);
  EXPECT_EQ(feed.Unparsed(Unparsed::kCutOff), 18u);
  EXPECT_EQ(feed.decoder.pending_bytes(), 0u);
}

}  // namespace
}  // namespace wiregauge::decode::http1
