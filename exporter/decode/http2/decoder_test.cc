#include "exporter/decode/http2/decoder.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "exporter/decode/http2/test_frames.h"
#include "exporter/decode/http2/test_reference.h"

namespace wiregauge::decode::http2 {
namespace {

// Hears a decoder and writes down what it says.
class Listener final : public Handler {
 public:
  void OnSection(Section& section) override {
    std::string text = "section " + std::to_string(section.stream);
    const Fields& fields = section.fields;
    if (section.lost) text += " lost";
    if (fields.has_method) text += " " + std::string(http1::MethodName(fields.method));
    if (fields.path) text += " " + TextOf(fields.path);
    if (fields.status != 0) text += " " + std::to_string(fields.status);
    if (fields.grpc_status >= 0) text += " grpc " + std::to_string(fields.grpc_status);
    if (fields.unknown) text += " ?";
    if (section.end_stream) text += " end";
    events.push_back(text);
    first_byte_ns.push_back(section.first_byte_ns);
  }
  void OnData(const Data& data) override {
    events.push_back("data " + std::to_string(data.stream) + (data.grpc_message ? " message" : "") +
                     (data.end_stream ? " end" : ""));
  }
  void OnReset(std::uint32_t stream, std::uint32_t error) override {
    events.push_back("reset " + std::to_string(stream) + " " + std::string(ErrorName(error)));
  }
  void OnGoAway(std::uint32_t last_stream, std::uint32_t error) override {
    events.push_back("goaway " + std::to_string(last_stream) + " " + std::string(ErrorName(error)));
  }
  void OnLost() override { events.emplace_back("lost"); }
  void OnNotHttp2() override { events.emplace_back("not http2"); }
  void OnHttp2() override { http2 = true; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    EXPECT_GT(bytes, 0u);
    unparsed[static_cast<std::size_t>(reason)] += bytes;
    unparsed_sum += bytes;
  }
  bool IsOpen(std::uint32_t stream) const override { return open.contains(stream); }

  std::vector<std::string> events;
  std::vector<std::uint64_t> first_byte_ns;
  std::uint64_t unparsed[kUnparsedReasons] = {};
  std::uint64_t unparsed_sum = 0;
  std::set<std::uint32_t> open;
  bool http2 = false;
};

struct Fed {
  explicit Fed(From from, bool mid_stream = false) : decoder(from, mid_stream, budget) {}

  Fed& Bytes(std::string_view text) {
    told += text.size();
    decoder.OnBytes(AsBytes(text), ++time_ns, listener);
    Account();
    return *this;
  }
  Fed& Gap(std::size_t length, std::string_view tail = "") {
    told += length;
    decoder.OnGap(length, AsBytes(tail), ++time_ns, listener);
    Account();
    return *this;
  }
  void Account() {
    parsed += decoder.TakeParsedBytes();
    EXPECT_EQ(parsed + listener.unparsed_sum + decoder.pending_bytes(), told);
  }
  std::uint64_t Unparsed(decode::Unparsed reason) const { return listener.unparsed[static_cast<std::size_t>(reason)]; }

  MemoryBudget budget;
  Decoder decoder;
  Listener listener;
  std::uint64_t time_ns = 0;
  std::uint64_t told = 0;
  std::uint64_t parsed = 0;
};

using Events = std::vector<std::string>;

const std::string kGet = Indexed(2) + Indexed(4);  // GET /
const std::string kOpening = std::string(kPreface) + Settings() + WindowUpdate(0);

TEST(Decoder, RequestsAndTheirEnds) {
  Fed fed(From::kClient);
  fed.Bytes(kOpening + Headers(1, kGet, kEndHeaders | kEndStream) + Headers(3, kGet) + DataFrame(3, "body") +
            DataFrame(3, "", kEndStream));
  EXPECT_EQ(fed.listener.events, (Events{"section 1 GET / end", "section 3 GET /", "data 3", "data 3 end"}));
  EXPECT_TRUE(fed.listener.http2);
  EXPECT_EQ(fed.listener.unparsed_sum, 0u);
  EXPECT_EQ(fed.decoder.pending_bytes(), 0u);
}

// A conversation with everything in it, cut at every byte, and byte by byte.
std::string Everything() {
  Deflater deflater;
  const std::string block = deflater.Block({{":method", "POST"}, {":path", "/a"}, {"x-long", std::string(300, 'x')}});
  const std::string more = deflater.Block({{":method", "POST"}, {":path", "/b"}, {"x-long", std::string(300, 'x')}});
  const std::string padded = std::string("\x03") + kGet + std::string(3, '\0');
  const std::string priority = BigEndian(0x80000000, 4) + "\x10" + kGet;
  const std::string both = std::string("\x02") + BigEndian(0, 4) + "\x10" + kGet + std::string(2, '\0');
  return kOpening + SettingsAck() + Frame(FrameType::kPing, 0, 0, "12345678") +
         Headers(1, block.substr(0, 5), kEndStream) + Frame(FrameType::kContinuation, 0, 1, block.substr(5, 100)) +
         Frame(FrameType::kContinuation, 0, 1, "") +
         Frame(FrameType::kContinuation, kEndHeaders, 1, block.substr(105)) +
         Headers(3, padded, kEndHeaders | kPadded) + DataFrame(3, std::string("\x02xy\0\0", 5), kPadded | kEndStream) +
         Headers(5, priority, kEndHeaders | kHasPriority) + Headers(7, both, kEndHeaders | kHasPriority | kPadded) +
         DataFrame(5, std::string("\0\0\0\0\x03xyz", 8)) + Frame(static_cast<FrameType>(0xb1), 0xff, 77, "extension") +
         Headers(9, more, kEndHeaders) + Frame(FrameType::kPriority, 0, 9, "12345") + Reset(9, 8) +
         Headers(5, Literal("x", "trailer"), kEndHeaders | kEndStream) + GoAway(0, 2, "debug data") + WindowUpdate(5);
}

TEST(Decoder, EverySplitMeansTheSame) {
  const std::string everything = Everything();
  Fed whole(From::kClient);
  whole.Bytes(everything);
  EXPECT_EQ(whole.listener.events, (Events{"section 1 POST /a end", "section 3 GET /", "data 3 end", "section 5 GET /",
                                           "section 7 GET /", "data 5 message", "section 9 POST /b", "reset 9 CANCEL",
                                           "section 5 end", "goaway 0 INTERNAL_ERROR"}));
  EXPECT_EQ(whole.parsed, everything.size());
  for (std::size_t cut = 1; cut < everything.size(); ++cut) {
    Fed split(From::kClient);
    split.Bytes(everything.substr(0, cut)).Bytes(everything.substr(cut));
    Events events = split.listener.events;
    for (std::string& event : events) {  // a hint, which needs the first bytes at hand
      if (event == "data 5") event += " message";
    }
    EXPECT_EQ(events, whole.listener.events) << cut;
    EXPECT_EQ(split.parsed, everything.size()) << cut;
  }
  Fed bytewise(From::kClient);
  for (const char c : everything) bytewise.Bytes(std::string_view(&c, 1));
  EXPECT_EQ(bytewise.listener.events.size(), whole.listener.events.size());
  EXPECT_EQ(bytewise.parsed, everything.size());
}

TEST(Decoder, ARequestBeginsWithTheFirstByteOfItsFrame) {
  Fed fed(From::kClient);
  const std::string headers = Headers(1, kGet.substr(0, 1), kEndStream);
  fed.Bytes(kOpening).Bytes(headers.substr(0, 4)).Bytes(headers.substr(4));
  fed.Bytes(Frame(FrameType::kContinuation, kEndHeaders, 1, kGet.substr(1)));
  EXPECT_EQ(fed.listener.events, (Events{"section 1 GET / end"}));
  EXPECT_EQ(fed.listener.first_byte_ns, (std::vector<std::uint64_t>{2}));
}

TEST(Decoder, PushedRequestsAreReadForTheTableOnly) {
  Fed fed(From::kServer);
  fed.Bytes(Settings() +
            Frame(FrameType::kPushPromise, kEndHeaders, 1, BigEndian(2, 4) + Indexed(2) + Added(":path", "/pushed")));
  fed.Bytes(Frame(FrameType::kPushPromise, kEndHeaders | kPadded, 1,
                  "\x01" + BigEndian(4, 4) + Indexed(62) + std::string(1, '\0')));
  fed.Bytes(Headers(1, Indexed(8) + Indexed(62)));
  EXPECT_EQ(fed.listener.events, (Events{"section 1 /pushed 200"}));
}

TEST(Decoder, TheFirstBytesDecide) {
  for (const std::string& text : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("PRI * HTTP/2.0\r\n\r\nSM\r\nxx"),
                                  std::string("\x16\x03\x01\x02")}) {
    Fed fed(From::kClient);
    fed.Bytes(text);
    EXPECT_EQ(fed.listener.events, (Events{"not http2"})) << text;
  }
  Fed server(From::kServer);
  server.Bytes(Headers(1, Indexed(8)));  // before SETTINGS (RFC 9113 section 3.4)
  EXPECT_EQ(server.listener.events, (Events{"not http2"}));
}

TEST(Decoder, AGapInsideAFrameOfKnownLengthCostsNothing) {
  Fed fed(From::kServer);
  const std::string body(10'000, 'b');
  const std::string frame = DataFrame(1, body, kEndStream);
  fed.Bytes(Settings() + frame.substr(0, 100)).Gap(frame.size() - 100).Bytes(Headers(3, Indexed(8)));
  EXPECT_EQ(fed.listener.events, (Events{"data 1 end", "section 3 200"}));
  EXPECT_EQ(fed.listener.unparsed_sum, 0u);
  EXPECT_FALSE(fed.decoder.degraded());
}

TEST(Decoder, AGapInsideAHeaderBlockLosesOnlyWhatItSaid) {
  Fed fed(From::kClient);
  const std::string frame = Headers(1, Added(":path", "/lost") + Indexed(2), kEndHeaders | kEndStream);
  fed.Bytes(kOpening + Headers(3, Added(":path", "/kept")));
  fed.Bytes(frame.substr(0, 12)).Gap(frame.size() - 12);
  fed.Bytes(Headers(5, Indexed(2) + Indexed(62), kEndHeaders));
  EXPECT_EQ(fed.listener.events, (Events{"section 3 /kept", "section 1 lost end", "section 5 GET ?"}));
  EXPECT_EQ(fed.Unparsed(Unparsed::kGap), frame.size() - kFrameHeaderBytes);
  EXPECT_TRUE(fed.decoder.degraded());
}

TEST(Decoder, AGapInAResetLosesItsCode) {
  Fed fed(From::kClient);
  const std::string reset = Reset(1, 8);
  fed.Bytes(kOpening + reset.substr(0, 10)).Gap(3).Bytes(Reset(3, 8));
  EXPECT_EQ(fed.listener.events, (Events{"reset 1 _OTHER", "reset 3 CANCEL"}));
}

// A gap over a frame header: what follows is searched for frames.
TEST(Decoder, GoesOnWhereFramesFollowEachOther) {
  const std::string next = Headers(5, kGet) + DataFrame(5, "body", kEndStream) + Headers(7, kGet);
  Fed at_start(From::kClient);
  at_start.Bytes(kOpening).Gap(100).Bytes(next);
  EXPECT_EQ(at_start.listener.events, (Events{"lost", "section 5 GET /", "data 5 end", "section 7 GET /"}));
  EXPECT_EQ(at_start.Unparsed(Unparsed::kGap), 100u);

  Fed inside(From::kClient);
  inside.Bytes(kOpening).Gap(100).Bytes("the end of a body" + next);
  EXPECT_EQ(inside.listener.events, (Events{"lost", "section 5 GET /", "data 5 end", "section 7 GET /"}));
  EXPECT_EQ(inside.Unparsed(Unparsed::kGap), 117u);
}

// Frames of a large answer: each run has one header at most, on a stream that is open.
TEST(Decoder, GoesOnWithDataOfAnOpenStream) {
  Fed fed(From::kServer);
  fed.listener.open = {3};
  const std::string large = DataFrame(3, std::string(16'384, 'x'));
  fed.Bytes(Settings()).Gap(50).Bytes("rest of a body" + DataFrame(5, std::string(16'384, 'y')).substr(0, 1'000));
  EXPECT_EQ(fed.listener.events, (Events{"lost"}));  // stream 5 is not open
  fed.Bytes("rest of a body" + large.substr(0, 1'000)).Bytes(large.substr(1'000)).Bytes(Headers(3, Indexed(8)));
  EXPECT_EQ(fed.listener.events, (Events{"lost", "data 3", "section 3 200"}));
}

TEST(Decoder, WhatOnlyLookedLikeAFrameIsStillTheLoss) {
  Fed fed(From::kServer);
  fed.decoder.ConfirmHttp2();
  fed.Bytes(Settings() + Headers(1, Indexed(8)));
  fed.Gap(10).Bytes(Headers(3, Indexed(8)) + WindowUpdate(0)).Bytes("this is no frame, nor is any of this");
  EXPECT_EQ(fed.listener.events, (Events{"section 1 200", "lost", "section 3 200", "lost"}));
  EXPECT_EQ(fed.Unparsed(Unparsed::kGap), 10u + 36u);
}

TEST(Decoder, MidStreamNothingIsKnownOfTheTable) {
  Fed fed(From::kClient, true);
  fed.Bytes("tail of a body").Bytes(Headers(101, Indexed(2) + Indexed(62) + Indexed(63), kEndHeaders | kEndStream));
  EXPECT_EQ(fed.listener.events, (Events{"section 101 GET ? end"}));
  EXPECT_FALSE(fed.listener.http2);
  fed.Bytes(Headers(103, kGet) + DataFrame(103, "x", kEndStream));
  EXPECT_TRUE(fed.listener.http2);
  EXPECT_EQ(fed.Unparsed(Unparsed::kMidStream), 14u);
}

TEST(Decoder, MalformedFramesAreAnError) {
  for (const std::string& bad :
       {Frame(FrameType::kRstStream, 0, 1, "123"), Frame(FrameType::kContinuation, 0, 1, "x"),
        Headers(1, "\x82", 0) + DataFrame(1, "x"), Headers(1, "\x05x", kEndHeaders | kPadded)}) {
    Fed fed(From::kClient);
    fed.Bytes(kOpening + bad);
    EXPECT_EQ(fed.listener.events.back(), "lost");
    EXPECT_GT(fed.Unparsed(Unparsed::kMalformed), 0u);
  }
}

TEST(Decoder, HeaderBlocksHaveALimit) {
  for (const std::size_t size : {kBlockBytesMax - 1, kBlockBytesMax, kBlockBytesMax + 1}) {
    Fed fed(From::kClient);
    std::string block = kGet;
    while (block.size() < size) {
      const std::size_t more = std::min<std::size_t>(size - block.size(), 100);
      block += more < 4 ? std::string(more, '\x82') : Literal("x", std::string(more - 4, 'v'));
    }
    fed.Bytes(kOpening + Headers(1, block.substr(0, 10), 0));
    for (std::size_t at = 10; at < size; at += 10'000) {
      const bool last = at + 10'000 >= size;
      fed.Bytes(Frame(FrameType::kContinuation, last ? kEndHeaders : 0u, 1, block.substr(at, 10'000)));
    }
    fed.Bytes(Headers(3, kGet));
    const bool fits = size <= kBlockBytesMax;
    EXPECT_EQ(fed.listener.events, (Events{fits ? "section 1 GET /" : "section 1 lost", "section 3 GET /"})) << size;
    EXPECT_EQ(fed.Unparsed(Unparsed::kTooLarge), fits ? 0u : size);
  }
}

TEST(Decoder, ACloseCutsOff) {
  Fed fed(From::kClient);
  fed.Bytes(kOpening + Headers(1, kGet, 0).substr(0, 10));
  EXPECT_EQ(fed.decoder.pending_bytes(), 1u);
  fed.decoder.OnClose(fed.listener);
  fed.Account();
  EXPECT_EQ(fed.Unparsed(Unparsed::kCutOff), 1u);
  EXPECT_EQ(fed.decoder.pending_bytes(), 0u);
}

}  // namespace
}  // namespace wiregauge::decode::http2
