#include "exporter/decode/memcached/decoder.h"

#include <string>

#include <gtest/gtest.h>

namespace wiregauge::decode::memcached {
namespace {

// Writes down what a decoder finds, one word an event.
class Script final : public RequestHandler, public AnswerHandler {
 public:
  void OnRequest(const Request& request, std::uint64_t) override {
    text += std::string(CommandName(request.command)) + (request.noreply ? "-" : "") + (request.quiet ? "?" : "") + " ";
  }
  void OnAnswer(const Answer& answer) override {
    text += (answer.code == Code::kNumber ? "number" : std::string(CodeName(answer.code))) + " ";
  }
  void OnLost(const Request* open, std::uint64_t) override {
    text += open != nullptr ? "lost:" + std::string(CommandName(open->command)) + " " : "lost ";
  }
  void OnLost(bool open) override { text += open ? "lost-open " : "lost "; }
  void OnMalformed() override { text += "malformed "; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    unparsed[static_cast<std::size_t>(reason)] += bytes;
    sum += bytes;
  }

  std::string text;
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
  void Account() {
    parsed += requests.TakeParsedBytes() + answers.TakeParsedBytes();
    EXPECT_EQ(parsed + script.sum + requests.pending_bytes() + answers.pending_bytes(), told);
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
  }
  for (const std::size_t step : {1u, 2u, 3u, 7u}) {
    Feed stepped(of);
    for (std::size_t at = 0; at < bytes.size(); at += step) stepped.Bytes(bytes.substr(at, step));
    EXPECT_EQ(stepped.script.text, whole.script.text) << "step " << step;
  }
  return whole.script.text;
}

TEST(RequestDecoder, Pipelined) {
  EXPECT_EQ(Events(Of::kRequests,
                   "set k 0 0 12\r\nget a\r\nget b\r\nget a b c\r\nincr n 5\r\ncas k 1 -1 2 7 noreply\r\nhi\r\n"
                   "mg k v q\r\nms k 2 q\r\nhi\r\nmn\r\nnonsense\r\n\r\n"),
            "set get incr cas- mg? ms? mn _OTHER _OTHER ");
}

TEST(RequestDecoder, AValueIsAsLongAsItsLineSays) {
  EXPECT_EQ(Events(Of::kRequests, "set k 0 0 2\r\ntoget a\r\n"), "set _OTHER ") << "refused: bad data chunk";
  EXPECT_EQ(Events(Of::kRequests, "set k 0 0 0\r\n\r\nget a\r\n"), "set get ");
}

TEST(RequestDecoder, WhatBreaksTheGrammar) {
  EXPECT_EQ(Feed(Of::kRequests).Bytes("\x80\x01\x03\r\n").script.text, "malformed lost ");
}

TEST(RequestDecoder, LongLines) {
  const std::string get = "get " + std::string(kLineBytesKept * 3, 'k') + "\r\nmn\r\n";
  EXPECT_EQ(Feed(Of::kRequests).Bytes(get).script.text, "get mn ");
  Feed endless(Of::kRequests);
  for (std::size_t sent = 0; sent <= kLineBytesMax; sent += 64'000) endless.Bytes(std::string(64'000, 'k'));
  EXPECT_EQ(endless.script.text.substr(0, 5), "lost ");
}

TEST(RequestDecoder, Gaps) {
  Feed inside(Of::kRequests);
  inside.Bytes("set k 0 0 1000000\r\nabc").Gap(1'000'000 - 3 + 2, "yz\r\n").Bytes("get k\r\n");
  EXPECT_EQ(inside.script.text, "set get ");
  EXPECT_EQ(inside.script.sum, 0u);
  Feed beyond(Of::kRequests);
  beyond.Bytes("set k 0 0 100\r\nabc").Gap(150).Bytes("rest\r\nget k\r\n");
  EXPECT_EQ(beyond.script.text, "set lost lost lost get ");
}

TEST(AnswerDecoder, EveryKind) {
  EXPECT_EQ(Events(Of::kAnswers,
                   "STORED\r\nVALUE k 0 5\r\nEND\r\n\r\nVALUE l 0 0\r\n\r\nEND\r\nEND\r\n5  \r\nNOT_FOUND\r\n"
                   "STAT pid 1\r\nSTAT a b\r\nEND\r\nVERSION 1.6\r\nSERVER_ERROR x y\r\nts=1 x\r\nOK\r\n"),
            "STORED VALUE END number NOT_FOUND END VERSION SERVER_ERROR OK ");
  EXPECT_EQ(Events(Of::kAnswers, "VA 5 O1\r\nhello\r\nHD O2\r\nEN\r\nNF\r\nNS\r\nEX\r\nMN\r\nME k exp=-1\r\n"),
            "VA HD EN NF NS EX MN ME ");
}

TEST(AnswerDecoder, WhatBreaksTheGrammar) {
  for (const std::string_view bytes : {"+OK\r\n", "VALUE k 0 1\r\nxyz\r\n", "Hello\r\n"}) {
    EXPECT_EQ(Feed(Of::kAnswers).Bytes(bytes).script.text.substr(0, 20), "malformed lost-open ") << bytes;
  }
}

TEST(AnswerDecoder, Gaps) {
  Feed inside(Of::kAnswers);
  inside.Bytes("VALUE k 0 1000000\r\nabc").Gap(1'000'000 - 3 + 2, "yz\r\n").Bytes("END\r\n");
  EXPECT_EQ(inside.script.text, "VALUE ");
  EXPECT_EQ(inside.script.sum, 0u);
  Feed beyond(Of::kAnswers);
  beyond.Bytes("VALUE k 0 5\r\nhello\r\nVAL").Gap(5'000, "lue\r\n").Bytes("END\r\n");
  EXPECT_EQ(beyond.script.text, "lost-open lost lost lost ");
  beyond.answers.RequestPassed();
  beyond.Bytes("END\r\n");
  EXPECT_EQ(beyond.script.text, "lost-open lost lost lost END ");
}

}  // namespace
}  // namespace wiregauge::decode::memcached
