#include "exporter/decode/mqtt/decoder.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/mqtt/test_packet.h"

namespace wiregauge::decode::mqtt {
namespace {

using namespace packets;

constexpr std::string_view kTypes[] = {"reserved", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
                                       "PUBREL",   "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
                                       "PINGREQ",  "PINGRESP", "DISCONNECT", "AUTH"};
constexpr std::string_view kWalks[] = {"", " cut", " odd"};

// Writes down what a decoder finds.
class Script final : public Handler {
 public:
  void OnPacket(const Packet& packet) override {
    text += kTypes[static_cast<std::size_t>(packet.type)];
    if (packet.level != 0) text += " level=" + std::to_string(packet.level);
    if (packet.qos != 0) text += " qos=" + std::to_string(packet.qos);
    if (packet.dup) text += " dup";
    if (packet.id != 0) text += " id=" + std::to_string(packet.id);
    if (packet.code != Packet::kNoCode) text += " code=" + std::to_string(packet.code);
    if (packet.alias != 0) text += " alias=" + std::to_string(packet.alias);
    if (!packet.topic.empty()) text += " '" + std::string(packet.topic) + "'";
    text += std::string(kWalks[static_cast<std::size_t>(packet.walk)]) + "; ";
    if (packet.level != 0) decoder->SetLevel(packet.level);
  }
  void OnLost() override { text += "lost; "; }
  void OnNotMqtt() override { text += "not-mqtt; "; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    unparsed[std::string(UnparsedName(reason))] += bytes;
    sum += bytes;
  }

  std::string text;
  Decoder* decoder = nullptr;
  std::map<std::string, std::uint64_t> unparsed;
  std::uint64_t sum = 0;
};

struct Setup {
  Side from = Side::kClient;
  std::uint8_t level = kUnknownLevel;
  bool confirmed = true;
};

// Feeds `bytes` in runs of `step`, the first of `first` bytes, and checks that every byte is accounted for.
std::string Decode(const Setup& setup, std::string_view bytes, std::size_t first, std::size_t step,
                   std::map<std::string, std::uint64_t>* unparsed = nullptr) {
  Decoder decoder(setup.from, false);
  if (setup.confirmed) decoder.ConfirmMqtt();
  decoder.SetLevel(setup.level);
  Script script;
  script.decoder = &decoder;
  std::uint64_t parsed = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min(bytes.size() - at, at == 0 && first > 0 ? first : step);
    const std::string piece(bytes.substr(at, size));  // so that a sanitizer sees views that live too long
    decoder.OnBytes(AsBytes(piece), at, script);
    at += size;
    parsed += decoder.TakeParsedBytes();
    EXPECT_EQ(parsed + script.sum + decoder.pending_bytes(), at);
  }
  if (unparsed != nullptr) *unparsed = script.unparsed;
  return script.text;
}

// The events of `bytes`, after checking that every split in two and every step size gives the same.
std::string Events(const Setup& setup, const std::string& bytes) {
  std::map<std::string, std::uint64_t> unparsed;
  std::string whole = Decode(setup, bytes, 0, bytes.size(), &unparsed);
  for (std::size_t first = 1; first < bytes.size(); ++first) {
    EXPECT_EQ(Decode(setup, bytes, first, bytes.size()), whole) << "split at " << first;
  }
  for (const std::size_t step : {1u, 2u, 3u, 7u}) EXPECT_EQ(Decode(setup, bytes, 0, step), whole);
  const bool broken = whole.find("odd") != std::string::npos || whole.find("not") != std::string::npos ||
                      whole.find("lost") != std::string::npos;
  EXPECT_EQ(unparsed.empty(), !broken) << whole;
  return whole;
}

std::string Client(std::uint8_t level, const std::string& bytes) { return Events({Side::kClient, level}, bytes); }
std::string Server(std::uint8_t level, const std::string& bytes) { return Events({Side::kServer, level}, bytes); }

TEST(MqttDecoder, Connect) {
  EXPECT_EQ(Events({.confirmed = false}, Connect(4)), "CONNECT level=4; ");
  EXPECT_EQ(Events({.confirmed = false}, Connect(5) + PingReq() + Disconnect()),
            "CONNECT level=5; PINGREQ; DISCONNECT; ");
  EXPECT_EQ(Client(0, Connect(3)), "CONNECT level=3; ");
  EXPECT_EQ(Server(4, ConnAck(4, 5)), "CONNACK code=5; ");
  EXPECT_EQ(Server(5, ConnAck(5, 0x87)), "CONNACK code=135; ");
}

TEST(MqttDecoder, Publish) {
  EXPECT_EQ(Client(4, Publish(4, 0, 0, "a/b", "payload") + Publish(4, 1, 7, "a/b", std::string(300, 'x'))),
            "PUBLISH 'a/b'; PUBLISH qos=1 id=7 'a/b'; ");
  EXPECT_EQ(Client(5, Publish(5, 2, 9, "a", "") + Publish(5, 0, 0, "a", "p")), "PUBLISH qos=2 id=9 'a'; PUBLISH 'a'; ");
  EXPECT_EQ(Server(3, Publish(3, 1, 1, "t", "x", true)), "PUBLISH qos=1 dup id=1 't'; ");
}

TEST(MqttDecoder, TopicAliasAmongOtherProperties) {
  std::string properties = Property(0x01, 1, 1) + Property(0x02, 60, 4) + TextProperty(0x03, "text/plain") +
                           TextProperty(0x08, "answers") + Property(0x23, 5, 2) + PairProperty("k", "v");
  properties += "\x0b\x81\x01";  // a subscription identifier of two bytes
  EXPECT_EQ(Client(5, Publish(5, 1, 7, "a", "payload", false, properties)), "PUBLISH qos=1 id=7 alias=5 'a'; ");
  EXPECT_EQ(Client(5, Publish(5, 0, 0, "", "payload", false, Property(0x23, 5, 2))), "PUBLISH alias=5; ");
  EXPECT_EQ(Client(0, Publish(5, 0, 0, "", "payload", false, Property(0x23, 5, 2))), "PUBLISH alias=5; ");
  EXPECT_EQ(Client(0, Publish(5, 0, 0, "a", "payload", false, properties)), "PUBLISH 'a'; ");
}

TEST(MqttDecoder, Acknowledgements) {
  EXPECT_EQ(Server(4, Ack(4, 1) + Ack(5, 2) + Ack(6, 3) + Ack(7, 4)),
            "PUBACK id=1; PUBREC id=2; PUBREL id=3; PUBCOMP id=4; ");
  EXPECT_EQ(Server(5, Ack(4, 1, 0x10) + Ack(5, 2, 0x87, TextProperty(0x1f, "no"))),
            "PUBACK id=1 code=16; PUBREC id=2 code=135; ");
}

TEST(MqttDecoder, Subscriptions) {
  EXPECT_EQ(Client(4, Subscribe(4, 1, {"a/#"}) + Subscribe(4, 2, {"a", "b"})),
            "SUBSCRIBE id=1 'a/#'; SUBSCRIBE id=2; ");
  EXPECT_EQ(Client(5, Subscribe(5, 1, {"a/#"})), "SUBSCRIBE id=1 'a/#'; ");
  EXPECT_EQ(Client(5, Unsubscribe(5, 3, {"a/#"})), "UNSUBSCRIBE id=3 'a/#'; ");
  EXPECT_EQ(Client(0, Subscribe(5, 1, {"a/#"})), "SUBSCRIBE id=1; ");
  EXPECT_EQ(Server(4, SubAck(4, 1, {0, 1, 0x80, 2})), "SUBACK id=1 code=128; ");
  EXPECT_EQ(Server(5, SubAck(5, 1, {2, 0})), "SUBACK id=1 code=2; ");
  EXPECT_EQ(Server(5, SubAck(5, 1, {0, 0x87, 0x8f})), "SUBACK id=1 code=135; ");
  EXPECT_EQ(Server(0, SubAck(4, 1, {1})), "SUBACK id=1 code=1; ");
  EXPECT_EQ(Server(0, SubAck(5, 1, {1})), "SUBACK id=1; ");
  EXPECT_EQ(Server(4, Raw(0xb0, std::string("\0\7", 2))), "UNSUBACK id=7; ");
  EXPECT_EQ(Server(5, Raw(0xb0, std::string("\0\7\0\x11", 4))), "UNSUBACK id=7 code=17; ");
}

TEST(MqttDecoder, TheRest) {
  EXPECT_EQ(Server(5, Raw(0xe0, std::string("\x8e", 1))), "DISCONNECT code=142; ");
  EXPECT_EQ(Server(5, Raw(0xf0, std::string("\x18\0", 2)) + Raw(0xd0, "")), "AUTH code=24; PINGRESP; ");
}

TEST(MqttDecoder, TopicsUpToTheirLimit) {
  for (const std::size_t size : {kTopicBytesMax - 1, kTopicBytesMax, kTopicBytesMax + 1}) {
    const std::string topic(size, 't');
    const std::string want = size <= kTopicBytesMax ? "PUBLISH qos=1 id=3 '" + topic + "'; " : "PUBLISH qos=1 id=3; ";
    EXPECT_EQ(Client(4, Publish(4, 1, 3, topic, "x")), want);
    EXPECT_EQ(Client(4, Subscribe(4, 3, {topic})),
              size <= kTopicBytesMax ? "SUBSCRIBE id=3 '" + topic + "'; " : "SUBSCRIBE id=3; ");
  }
}

TEST(MqttDecoder, WhatDoesNotFit) {
  EXPECT_EQ(Client(4, Raw(0x30, std::string("\0\x09zz", 4))), "PUBLISH odd; ");
  EXPECT_EQ(Client(4, Raw(0x32, std::string("\0\1a\0\0", 5))), "PUBLISH qos=1 'a' odd; ");
  EXPECT_EQ(Client(5, Raw(0x30, std::string("\0\1a\x7f", 4))), "PUBLISH 'a' odd; ");
  EXPECT_EQ(Client(5, Publish(5, 0, 0, "a", "", false, "\x7f\x01")), "PUBLISH 'a' odd; ");
  EXPECT_EQ(Client(4, Raw(0x82, std::string("\0\1\0\5abc\0", 8))), "SUBSCRIBE id=1 odd; ");
  EXPECT_EQ(Client(4, "\x36\x02\x00\x00"), "lost; ") << "a QoS of 3";
  EXPECT_EQ(Client(4, "\x20\x02\x00\x00"), "lost; ") << "a server's packet";
  EXPECT_EQ(Client(4, "\x30\xff\xff\xff\xff\x01"), "lost; ") << "a length of five bytes";
  EXPECT_EQ(Events({.confirmed = false}, "GET / HTTP/1.1\r\n\r\n"), "not-mqtt; ");
}

// Feeds all of `bytes` but those from `from` to `to`, which are a gap, then `after`.
std::string WithGap(const Setup& setup, const std::string& bytes, std::size_t from, std::size_t to,
                    const std::string& after, std::map<std::string, std::uint64_t>& unparsed) {
  Decoder decoder(setup.from, false);
  decoder.ConfirmMqtt();
  decoder.SetLevel(setup.level);
  Script script;
  script.decoder = &decoder;
  decoder.OnBytes(AsBytes(bytes).first(from), 1, script);
  decoder.OnGap(to - from, {}, 2, script);
  decoder.OnBytes(AsBytes(bytes).subspan(to), 3, script);
  decoder.OnBytes(AsBytes(after), 4, script);
  EXPECT_EQ(decoder.TakeParsedBytes() + script.sum + decoder.pending_bytes(), bytes.size() + after.size());
  unparsed = script.unparsed;
  return script.text;
}

TEST(MqttDecoder, AGapInThePayloadCostsNothing) {
  std::map<std::string, std::uint64_t> unparsed;
  const std::string packet = Publish(4, 1, 7, "a/b", std::string(500, 'x'));
  EXPECT_EQ(WithGap({.level = 4}, packet, 20, packet.size(), PingReq(), unparsed),
            "PUBLISH qos=1 id=7 'a/b'; PINGREQ; ");
  EXPECT_TRUE(unparsed.empty());
  const std::string v5 =
      Publish(5, 1, 7, "a/b", std::string(500, 'x'), false, TextProperty(0x03, std::string(100, 'c')));
  EXPECT_EQ(WithGap({.level = 5}, v5, 20, 60, PingReq(), unparsed), "PUBLISH qos=1 id=7 'a/b'; PINGREQ; ");
  EXPECT_TRUE(unparsed.empty());
}

TEST(MqttDecoder, EveryGapInsideAPacketLeavesTheNextOne) {
  const std::string packet = Publish(5, 1, 7, "a/b", "payload", false, Property(0x23, 5, 2));
  for (std::size_t from = 2; from < packet.size(); ++from) {
    for (std::size_t to = from + 1; to <= packet.size(); ++to) {
      std::map<std::string, std::uint64_t> unparsed;
      const std::string text = WithGap({.level = 5}, packet, from, to, PingReq(), unparsed);
      ASSERT_TRUE(text.starts_with("PUBLISH") && text.ends_with("PINGREQ; ")) << from << " to " << to << ": " << text;
    }
  }
}

TEST(MqttDecoder, AfterALossItGoesOnAtARunOfPackets) {
  std::map<std::string, std::uint64_t> unparsed;
  const std::string lost = Publish(4, 1, 7, "a/b", "payload");
  EXPECT_EQ(WithGap({.level = 4}, lost, 1, lost.size(), Publish(4, 1, 8, "a", "x") + PingReq(), unparsed),
            "lost; PUBLISH qos=1 id=8 'a'; PINGREQ; ");
  EXPECT_EQ(unparsed.at("gap"), lost.size());
  EXPECT_EQ(WithGap({.level = 4}, lost, 1, lost.size(), "load of a message", unparsed), "lost; ");
}

}  // namespace
}  // namespace wiregauge::decode::mqtt
