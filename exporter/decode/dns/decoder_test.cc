#include "exporter/decode/dns/decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wiregauge::decode::dns {
namespace {

using namespace std::string_literals;

class Kept final : public Handler {
 public:
  void OnMessage(Bytes message, std::uint64_t first_byte_ns) override {
    messages.emplace_back(AsText(message));
    times.push_back(first_byte_ns);
  }
  void OnLost() override { ++lost; }
  void OnUnparsed(Unparsed /*reason*/, std::uint64_t bytes) override { unparsed += bytes; }

  std::vector<std::string> messages;
  std::vector<std::uint64_t> times;
  int lost = 0;
  std::uint64_t unparsed = 0;
};

std::string Framed(const std::string& message) {
  return std::string({static_cast<char>(message.size() >> 8), static_cast<char>(message.size())}) + message;
}

const std::string kQuestion = "\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01"s + "a\x00\x00\x01\x00\x01"s;

TEST(DnsDecoder, EverySplitGivesTheSameMessages) {
  const std::string stream = Framed(kQuestion) + Framed("second") + Framed(std::string(300, 'x'));
  for (std::size_t split = 0; split <= stream.size(); ++split) {
    Kept kept;
    Decoder decoder;
    decoder.OnBytes(AsBytes(std::string_view(stream).substr(0, split)), 1, kept);
    EXPECT_EQ(decoder.pending_bytes() + decoder.TakeParsedBytes(), split);
    decoder.OnBytes(AsBytes(std::string_view(stream).substr(split)), 2, kept);
    EXPECT_EQ(kept.messages, (std::vector<std::string>{kQuestion, "second", std::string(300, 'x')})) << split;
    EXPECT_EQ(kept.times[0], split == 0 ? 2u : 1u);
    EXPECT_EQ(decoder.pending_bytes(), 0u);
  }
}

TEST(DnsDecoder, KeepsOnlyTheBeginningOfALargeMessage) {
  for (const std::size_t size : {Decoder::kMessageKept - 1, Decoder::kMessageKept, Decoder::kMessageKept + 1}) {
    const std::string stream = Framed(std::string(size, 'x'));
    for (const std::size_t split : {std::size_t{0}, size / 2}) {
      Kept kept;
      Decoder decoder;
      decoder.OnBytes(AsBytes(std::string_view(stream).substr(0, split)), 1, kept);
      decoder.OnBytes(AsBytes(std::string_view(stream).substr(split)), 1, kept);
      ASSERT_EQ(kept.messages.size(), 1u);
      EXPECT_EQ(kept.messages[0].size(), std::min(size, Decoder::kMessageKept));
      EXPECT_EQ(decoder.TakeParsedBytes(), stream.size());
    }
  }
}

TEST(DnsDecoder, AGapInsideAMessageCostsNothing) {
  const std::string stream = Framed(std::string(100, 'x'));
  Kept kept;
  Decoder decoder;
  decoder.OnBytes(AsBytes(std::string_view(stream).substr(0, 40)), 1, kept);
  decoder.OnGap(30, kept);
  decoder.OnBytes(AsBytes(std::string_view(stream).substr(70)), 2, kept);
  ASSERT_EQ(kept.messages.size(), 1u);
  EXPECT_EQ(kept.messages[0].size(), 38u);
  EXPECT_EQ(decoder.TakeParsedBytes(), stream.size());
  EXPECT_EQ(kept.lost, 0);
}

TEST(DnsDecoder, AfterALossGoesOnAtTheNextMessage) {
  Kept kept;
  Decoder decoder;
  decoder.OnBytes(AsBytes(Framed(kQuestion).substr(0, 10)), 1, kept);
  decoder.OnGap(500, kept);
  decoder.OnBytes(AsBytes("in the middle"), 2, kept);
  decoder.OnBytes(AsBytes(Framed(kQuestion)), 3, kept);
  EXPECT_EQ(kept.messages, std::vector<std::string>{kQuestion});
  EXPECT_EQ(kept.lost, 1);
  EXPECT_EQ(kept.unparsed, 10u + 500u + 13u);
}

TEST(DnsDecoder, ACloseCutsOff) {
  Kept kept;
  Decoder decoder;
  decoder.OnBytes(AsBytes(Framed(kQuestion).substr(0, 10)), 1, kept);
  decoder.OnClose(kept);
  EXPECT_EQ(kept.unparsed, 10u);
  EXPECT_EQ(decoder.pending_bytes(), 0u);
}

}  // namespace
}  // namespace wiregauge::decode::dns
