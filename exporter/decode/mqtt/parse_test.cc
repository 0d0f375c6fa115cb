#include "exporter/decode/mqtt/parse.h"

#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/mqtt/test_packet.h"

namespace wiregauge::decode::mqtt {
namespace {

using namespace packets;

Header Read(std::string_view bytes, Side from = Side::kClient) {
  FixedHeader header;
  return ReadFixedHeader(AsBytes(bytes), from, header);
}

TEST(MqttParse, LengthsOfOneToFourBytes) {
  for (const std::uint32_t length : {127u, 128u, 16'383u, 16'384u, 2'097'151u, 2'097'152u, kPacketBytesMax}) {
    const std::string bytes = '\x30' + Varint(length);
    FixedHeader header;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(Read(bytes.substr(0, size)), Header::kShort) << length;
    }
    ASSERT_EQ(ReadFixedHeader(AsBytes(bytes), Side::kClient, header), Header::kWhole);
    EXPECT_EQ(header.length, length);
    EXPECT_EQ(header.size, bytes.size());
  }
  EXPECT_EQ(Read('\x30' + Varint(kPacketBytesMax + 1u)), Header::kBad);
}

TEST(MqttParse, EachTypeFromTheSideThatSendsIt) {
  for (int type = 0; type < 16; ++type) {
    const bool two = type == 6 || type == 8 || type == 10;
    const std::string bytes =
        Raw(static_cast<std::uint8_t>(type << 4 | (two ? 2 : 0)), std::string(type == 12 || type == 13 ? 0 : 12, 'x'));
    const bool client = type == 1 || type == 8 || type == 10 || type == 12;
    const bool server = type == 2 || type == 9 || type == 11 || type == 13;
    EXPECT_EQ(Read(bytes, Side::kClient), type == 0 || server ? Header::kBad : Header::kWhole) << type;
    EXPECT_EQ(Read(bytes, Side::kServer), type == 0 || client ? Header::kBad : Header::kWhole) << type;
  }
  EXPECT_EQ(Read(std::string("\xc0\x01", 2)), Header::kBad) << "a PINGREQ with a body";
  EXPECT_EQ(Read(std::string("\x80\x06", 2)), Header::kBad) << "a SUBSCRIBE without its flags";
}

TEST(MqttParse, LikenessOfRequests) {
  for (const int level : {3, 4, 5}) {
    const std::string connect = Connect(level);
    const std::size_t sure = level == 3 ? 11 : 9;
    for (std::size_t size = 1; size <= connect.size(); ++size) {
      EXPECT_EQ(LooksLikeRequests(AsBytes(connect).first(size), false),
                size >= sure ? Likeness::kYes : Likeness::kMaybe)
          << level << ' ' << size;
    }
  }
  std::string bridge = Connect(4);
  bridge[8] = '\x84';
  EXPECT_EQ(LooksLikeRequests(AsBytes(bridge), false), Likeness::kYes);
  bridge[8] = '\x06';
  EXPECT_EQ(LooksLikeRequests(AsBytes(bridge), false), Likeness::kNo);
  for (const std::string_view other :
       {"GET / HTTP/1.1\r\n", "*1\r\n", "\x16\x03\x01", "\x30\x05\x00\x01", "\x10\x05"}) {
    EXPECT_EQ(LooksLikeRequests(AsBytes(other), false), Likeness::kNo) << other;
  }
}

TEST(MqttParse, LikenessOfAnswers) {
  EXPECT_EQ(LooksLikeAnswers(AsBytes(ConnAck(4, 0)), false), Likeness::kMaybe);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(ConnAck(5, 0)), false), Likeness::kMaybe);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(PingResp()), false), Likeness::kNo);
  EXPECT_EQ(LooksLikeAnswers(AsBytes("HTTP/1.1 200"), false), Likeness::kNo);
}

TEST(MqttParse, InTheMiddleASegmentMustBePackets) {
  const std::string run = Publish(4, 1, 7, "a/b", "payload") + PingReq() + Ack(4, 9);
  EXPECT_EQ(LooksLikeRequests(AsBytes(run), true), Likeness::kMaybe);
  EXPECT_EQ(LooksLikeRequests(AsBytes(Publish(4, 0, 0, "a/b", std::string(900, 'p'))).first(100), true),
            Likeness::kMaybe);
  EXPECT_EQ(LooksLikeRequests(AsBytes(run).first(run.size() - 1), true), Likeness::kNo);
  EXPECT_EQ(LooksLikeRequests(AsBytes(run + "x"), true), Likeness::kNo);
  EXPECT_EQ(LooksLikeRequests(AsBytes(PingResp()), true), Likeness::kNo);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(PingResp()), true), Likeness::kMaybe);
  EXPECT_EQ(LooksLikeRequests(AsBytes(Publish(4, 0, 0, "a/#", "p")), true), Likeness::kNo);
  for (const std::string_view other : {"GET / HTTP/1.1\r\n", "+OK\r\n", "$3\r\nabc\r\n", "0123456789", "\x01\x02"}) {
    EXPECT_EQ(LooksLikeRequests(AsBytes(other), true), Likeness::kNo) << other;
    EXPECT_EQ(LooksLikeAnswers(AsBytes(other), true), Likeness::kNo) << other;
  }
}

TEST(MqttParse, Codes) {
  EXPECT_EQ(CodeText(0), "0x00");
  EXPECT_EQ(CodeText(0x87), "0x87");
  EXPECT_EQ(ReasonName(0x80), "Unspecified error");
  EXPECT_EQ(ReasonName(0x87), "Not authorized");
  EXPECT_EQ(ReasonName(0xa2), "Wildcard Subscriptions not supported");
  EXPECT_EQ(ReasonName(0xa3), "_OTHER");
  EXPECT_EQ(ReasonName(0x7f), "_OTHER");
  EXPECT_EQ(ReasonName(ReasonOfReturnCode(5)), "Not authorized");
  EXPECT_EQ(ReasonName(ReasonOfReturnCode(4)), "Bad User Name or Password");
  EXPECT_EQ(ReasonName(ReasonOfReturnCode(6)), "Unspecified error");
}

}  // namespace
}  // namespace wiregauge::decode::mqtt
