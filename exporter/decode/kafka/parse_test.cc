#include "exporter/decode/kafka/parse.h"

#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/kafka/apis.h"
#include "exporter/decode/kafka/test_message.h"

namespace wiregauge::decode::kafka {
namespace {

std::string HeaderOf(std::uint32_t length, int key, int version, int correlation_id, int client_id) {
  const std::string frame =
      Message::Request(key, version, correlation_id, false, std::nullopt).Int16(client_id).Frame();
  std::string raw = frame.substr(0, 12) + frame.substr(14);
  for (int i = 0; i < 4; ++i) raw[static_cast<std::size_t>(i)] = static_cast<char>(length >> (24 - 8 * i));
  return raw;
}

bool Fits(std::uint32_t length, int key, int version, int correlation_id, int client_id) {
  const std::string raw = HeaderOf(length, key, version, correlation_id, client_id);
  return ParseRequestHeader(AsBytes(raw).data()).has_value();
}

TEST(KafkaParse, RequestHeadersUpToTheirLimits) {
  EXPECT_TRUE(Fits(10, 18, 0, 0, -1));
  EXPECT_TRUE(Fits(10, 18, 0, 0, 0));
  EXPECT_FALSE(Fits(9, 18, 0, 0, -1));
  EXPECT_TRUE(Fits(kFrameBytesMax, 0, 9, INT32_MAX, 5));
  EXPECT_FALSE(Fits(kFrameBytesMax + 1, 0, 9, 0, 5));
  EXPECT_FALSE(Fits(UINT32_MAX, 0, 9, 0, 5));
  EXPECT_TRUE(Fits(100, kApis - 1, 0, 0, 5));
  EXPECT_FALSE(Fits(100, kApis, 0, 0, 5));
  EXPECT_FALSE(Fits(100, -1, 0, 0, 5));
  EXPECT_TRUE(Fits(100, 12, 4 + kVersionsAhead, 0, 5));
  EXPECT_FALSE(Fits(100, 12, 5 + kVersionsAhead, 0, 5));
  EXPECT_FALSE(Fits(100, 12, -1, 0, 5));
  EXPECT_FALSE(Fits(100, 12, 0, -1, 5));
  EXPECT_FALSE(Fits(100, 12, 0, 0, -2));
  EXPECT_TRUE(Fits(15, 12, 0, 0, 5));
  EXPECT_FALSE(Fits(14, 12, 0, 0, 5));
  EXPECT_TRUE(Fits(5'000, 12, 0, 0, kClientIdBytesMax));
  EXPECT_FALSE(Fits(5'000, 12, 0, 0, kClientIdBytesMax + 1));
}

TEST(KafkaParse, LikenessOfRequests) {
  const std::string request = Message::Request(18, 3, 1, true, "app-1").String("a").String("b").Tags().Frame();
  for (std::size_t size = 1; size <= request.size(); ++size) {
    const Likeness want = size >= kRequestHeaderBytes + 5 ? Likeness::kYes : Likeness::kMaybe;
    EXPECT_EQ(LooksLikeRequests(AsBytes(request).first(size), false), want) << size;
  }
  EXPECT_EQ(LooksLikeRequests(AsBytes(request), true), Likeness::kYes);
  EXPECT_EQ(LooksLikeRequests(AsBytes(request).first(kRequestHeaderBytes + 4), true), Likeness::kNo);
  const std::string nameless = Message::Request(3, 1, 1, false, std::nullopt).Array(0).Frame();
  EXPECT_EQ(LooksLikeRequests(AsBytes(nameless), false), Likeness::kMaybe);
  for (const std::string_view other :
       {"GET / HTTP/1.1\r\n", "*1\r\n$4\r\nPING\r\n", "\x16\x03\x01\x02\x00\x01\x00", "PRI * HTTP/2.0\r\n\r\n",
        "\x10\x0c\x00\x04MQTT", "set a 0 0 1\r\n", "SSH-2.0-x\r\n"}) {
    EXPECT_EQ(LooksLikeRequests(AsBytes(other), false), Likeness::kNo) << other;
  }
}

TEST(KafkaParse, LikenessOfAnswers) {
  const std::string answer = Message::Answer(1).Int16(0).Frame();
  for (std::size_t size = 1; size <= answer.size(); ++size) {
    EXPECT_EQ(LooksLikeAnswers(AsBytes(answer).first(size), false), Likeness::kMaybe);
  }
  EXPECT_EQ(LooksLikeAnswers(AsBytes("HTTP/1.1 200 OK"), false), Likeness::kNo);
  EXPECT_EQ(LooksLikeAnswers(AsBytes("+PONG\r\n+OK\r\n"), false), Likeness::kNo);
}

TEST(KafkaParse, Names) {
  EXPECT_EQ(ApiName(0), "Produce");
  EXPECT_EQ(ApiName(14), "SyncGroup");
  EXPECT_EQ(ApiName(36), "SaslAuthenticate");
  EXPECT_EQ(ApiName(68), "ConsumerGroupHeartbeat");
  EXPECT_EQ(ApiName(-1), "_OTHER");
  EXPECT_EQ(ApiName(kApis), "_OTHER");
  EXPECT_EQ(ErrorName(6), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(ErrorName(79), "MEMBER_ID_REQUIRED");
  EXPECT_EQ(ErrorName(129), "REBOOTSTRAP_REQUIRED");
  EXPECT_EQ(ErrorName(-1), "UNKNOWN_SERVER_ERROR");
  EXPECT_EQ(ErrorName(-2), "_OTHER");
  EXPECT_EQ(ErrorName(130), "_OTHER");
}

}  // namespace
}  // namespace wiregauge::decode::kafka
