#include "exporter/decode/http2/parse.h"

#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/http2/test_frames.h"

namespace wiregauge::decode::http2 {
namespace {

FrameHeader HeaderOf(std::string_view frame) { return ReadFrameHeader(AsBytes(frame)); }

TEST(FrameHeader, ReadsItsFields) {
  const FrameHeader header = HeaderOf(std::string("\x01\x02\x03\x07\xa5\xff\x00\x00\x02", 9));
  EXPECT_EQ(header.length, 0x010203u);
  EXPECT_EQ(header.type, 7);
  EXPECT_EQ(header.flags, 0xa5);
  EXPECT_EQ(header.stream, 0x7f000002u);
  EXPECT_TRUE(header.reserved);
}

TEST(FrameHeader, WhatSection6Allows) {
  const auto is_frame = [](FrameType type, unsigned flags, std::uint32_t stream, std::size_t size) {
    return IsFrame(HeaderOf(Frame(type, flags, stream, std::string(size, 'x'))));
  };
  EXPECT_TRUE(is_frame(FrameType::kData, 0, 1, 0));
  EXPECT_FALSE(is_frame(FrameType::kData, 0, 0, 10));
  EXPECT_FALSE(is_frame(FrameType::kHeaders, 0, 0, 10));
  EXPECT_TRUE(is_frame(FrameType::kRstStream, 0, 3, 4));
  EXPECT_FALSE(is_frame(FrameType::kRstStream, 0, 3, 5));
  EXPECT_FALSE(is_frame(FrameType::kRstStream, 0, 0, 4));
  EXPECT_TRUE(is_frame(FrameType::kPriority, 0, 3, 5));
  EXPECT_FALSE(is_frame(FrameType::kPriority, 0, 3, 4));
  EXPECT_TRUE(is_frame(FrameType::kSettings, 0, 0, 12));
  EXPECT_FALSE(is_frame(FrameType::kSettings, 0, 0, 11));
  EXPECT_FALSE(is_frame(FrameType::kSettings, kAck, 0, 6));
  EXPECT_FALSE(is_frame(FrameType::kSettings, 0, 1, 6));
  EXPECT_TRUE(is_frame(FrameType::kPing, 0, 0, 8));
  EXPECT_FALSE(is_frame(FrameType::kPing, 0, 0, 7));
  EXPECT_TRUE(is_frame(FrameType::kGoAway, 0, 0, 8));
  EXPECT_FALSE(is_frame(FrameType::kGoAway, 0, 0, 7));
  EXPECT_TRUE(is_frame(FrameType::kWindowUpdate, 0, 5, 4));
  EXPECT_FALSE(is_frame(FrameType::kWindowUpdate, 0, 5, 3));
  EXPECT_TRUE(is_frame(static_cast<FrameType>(0xfa), 0xff, 2, 1));  // section 4.1: unknown types are ignored
}

TEST(FrameChain, FollowsFramesToTheEndOfTheRun) {
  const std::string run = Settings() + WindowUpdate(0) + Headers(1, "block") + DataFrame(1, "data");
  FrameChain chain = FollowFrames(AsBytes(run), From::kClient);
  EXPECT_EQ(chain.frames, 4u);
  EXPECT_TRUE(chain.exact);
  EXPECT_FALSE(chain.broken);
  chain = FollowFrames(AsBytes(run + std::string(1, 0)), From::kClient);
  EXPECT_EQ(chain.frames, 4u);
  EXPECT_FALSE(chain.exact);
  chain = FollowFrames(AsBytes(run + "HTTP/1.1 200 OK"), From::kClient);
  EXPECT_TRUE(chain.broken);
  chain = FollowFrames(AsBytes(std::string("HTTP/1.1 200 OK")), From::kServer);
  EXPECT_EQ(chain.frames, 0u);
}

TEST(Likeness, OfRequests) {
  const std::string preface(kPreface);
  for (std::size_t size = 1; size <= preface.size(); ++size) {
    const Likeness likeness = LooksLikeRequests(AsBytes(preface.substr(0, size)), false);
    EXPECT_EQ(likeness, size < 16 ? Likeness::kMaybe : Likeness::kYes) << size;
  }
  EXPECT_EQ(LooksLikeRequests(AsBytes(preface + Settings()), true), Likeness::kYes);
  EXPECT_EQ(LooksLikeRequests(AsBytes("PRI /x HTTP/1.1\r\n"), false), Likeness::kNo);
  EXPECT_EQ(LooksLikeRequests(AsBytes(Settings()), false), Likeness::kNo);
  const std::string frames = Headers(7, "block", kEndHeaders | kEndStream);
  EXPECT_EQ(LooksLikeRequests(AsBytes(frames), false), Likeness::kNo);
  EXPECT_EQ(LooksLikeRequests(AsBytes(frames), true), Likeness::kYes);
  EXPECT_EQ(LooksLikeRequests(AsBytes(frames.substr(0, 12)), true), Likeness::kMaybe);
  EXPECT_EQ(LooksLikeRequests(AsBytes(Headers(8, "block")), true), Likeness::kNo);
}

TEST(Likeness, OfAnswers) {
  const std::string settings = Settings(std::string("\x00\x03\x00\x00\x00\x64", 6));
  for (std::size_t size = 1; size <= settings.size(); ++size) {
    const Likeness likeness = LooksLikeAnswers(AsBytes(settings.substr(0, size)), false);
    EXPECT_EQ(likeness, size < 9 ? Likeness::kMaybe : Likeness::kYes) << size;
  }
  EXPECT_EQ(LooksLikeAnswers(AsBytes(Settings()), false), Likeness::kMaybe);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(Settings()), true), Likeness::kMaybe);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(SettingsAck()), false), Likeness::kNo);
  EXPECT_EQ(LooksLikeAnswers(AsBytes("HTTP/1.1 200 OK\r\n"), false), Likeness::kNo);
  EXPECT_EQ(LooksLikeAnswers(AsBytes("+OK\r\n"), true), Likeness::kNo);
  EXPECT_EQ(LooksLikeAnswers(AsBytes("HTTP/1.1 200 OK\r\n"), true), Likeness::kNo);
  EXPECT_EQ(LooksLikeAnswers(AsBytes(std::string(200, '\0')), true), Likeness::kNo);
}

TEST(Names, OfGrpcCodes) {
  EXPECT_EQ(kGrpcCodeNames[ParseGrpcStatus("0")], "OK");
  EXPECT_EQ(kGrpcCodeNames[ParseGrpcStatus("5")], "NOT_FOUND");
  EXPECT_EQ(kGrpcCodeNames[ParseGrpcStatus("16")], "UNAUTHENTICATED");
  for (const char* text : {"17", "-1", "", "x", "100", "0x"}) EXPECT_EQ(ParseGrpcStatus(text), kGrpcUnknown) << text;
  EXPECT_EQ(ErrorName(8), "CANCEL");
  EXPECT_EQ(ErrorName(13), "HTTP_1_1_REQUIRED");
  EXPECT_EQ(ErrorName(14), "_OTHER");
}

}  // namespace
}  // namespace wiregauge::decode::http2
