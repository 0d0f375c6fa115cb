#include "remote_write/receive/body.h"

#include <gtest/gtest.h>
#include <snappy.h>

namespace wiregauge::receive {
namespace {

using namespace std::string_literals;

std::string Compress(const std::string& text) {
  std::string out;
  snappy::Compress(text.data(), text.size(), &out);
  return out;
}

TEST(Negotiate, TakesWhatSendersOf10Send) {
  const auto takes = [](std::string_view type, std::string_view encoding) {
    return Negotiate(type, encoding).has_value();
  };
  EXPECT_TRUE(takes("application/x-protobuf", "snappy"));
  EXPECT_TRUE(takes("application/x-protobuf;proto=prometheus.WriteRequest", "snappy"));
  EXPECT_TRUE(takes("application/x-protobuf; proto=prometheus.WriteRequest", "snappy"));
  EXPECT_TRUE(takes("Application/X-Protobuf ;charset=utf-8; Proto=\"prometheus.WriteRequest\"", "Snappy"));
  EXPECT_TRUE(takes("", ""));
}

TEST(Negotiate, Answers415WithWhatIsSupported) {
  const auto refuses = [](std::string_view type, std::string_view encoding) {
    const auto negotiated = Negotiate(type, encoding);
    ASSERT_FALSE(negotiated.has_value()) << type << " " << encoding;
    EXPECT_EQ(negotiated.error().code, Code::kUnsupported);
    EXPECT_NE(negotiated.error().message.find("proto=prometheus.WriteRequest"), std::string::npos);
    EXPECT_NE(negotiated.error().message.find("snappy"), std::string::npos);
  };
  refuses("application/json", "snappy");
  refuses("image/png", "snappy");
  refuses("application/x-protobuf;proto=foo.Bar", "snappy");
  refuses("application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy");
  refuses("application/x-protobuf;proto=PROMETHEUS.WRITEREQUEST", "snappy");
  for (const auto* encoding : {"gzip", "deflate", "zstd", "identity", "snappy, gzip"}) {
    refuses("application/x-protobuf", encoding);
  }
}

TEST(DeclaredSize, BoundsTheClaimBeforeAnythingIsAllocated) {
  const auto error = [](const std::string& body) {
    const auto size = DeclaredSize(AsBytes(body));
    return size ? "" : size.error().message;
  };
  EXPECT_EQ(error(Compress("hello")), "");
  EXPECT_NE(error("").find("no snappy block"), std::string::npos);
  EXPECT_NE(error("\xff\xff\xff"), "");
  EXPECT_NE(error("\xff\x06\x00\x00sNaPpY"s + "data").find("framed"), std::string::npos);
  // The bomb of the issue: 20 bytes that claim 4 GiB - 1.
  EXPECT_NE(error("\xff\xff\xff\xff\x0f"s + std::string(15, 'x')).find("max 33554432"), std::string::npos);
  // 20 bytes that claim what is within the limit, and more than 20 bytes can ever be.
  EXPECT_NE(error("\x80\x80\x80\x10"s + std::string(16, 'x')).find("cannot be"), std::string::npos);
}

TEST(DeclaredSize, LimitIsExact) {
  const auto body = [](std::size_t claimed) {
    std::string out;
    AppendVarint(out, claimed);
    return out + std::string(kMaxDecodedBytes / kMaxSnappyRatio + 8, 'x');
  };
  EXPECT_TRUE(DeclaredSize(AsBytes(body(kMaxDecodedBytes - 1))).has_value());
  EXPECT_EQ(*DeclaredSize(AsBytes(body(kMaxDecodedBytes))), kMaxDecodedBytes);
  EXPECT_FALSE(DeclaredSize(AsBytes(body(kMaxDecodedBytes + 1))).has_value());
}

TEST(DeclaredSize, TheMostCompressibleBodyIsWithinTheRatio) {
  for (const std::size_t size : {1u, 64u, 1000u, 65536u, 1u << 20, 32u << 20}) {
    for (const std::string& pattern : {"a"s, "ab"s, "abcdefgh"s, std::string(2048, 'z')}) {
      std::string text;
      while (text.size() < size) text += pattern;
      text.resize(size);
      EXPECT_TRUE(DeclaredSize(AsBytes(Compress(text))).has_value()) << size << " " << pattern.size();
    }
  }
}

TEST(DecodeBuffer, DecodesReusesAndGivesBack) {
  DecodeBuffer buffer;
  const std::string small(1000, 'a');
  const std::string large(DecodeBuffer::kKeepBytes + 1, 'b');
  for (const std::string& text : {small, large, small}) {
    const std::string body = Compress(text);
    const auto decoded = buffer.Uncompress(AsBytes(body), *DeclaredSize(AsBytes(body)));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_TRUE(AsText(*decoded) == text);
    buffer.Shrink();
  }
}

TEST(DecodeBuffer, EveryTruncationAndEveryFlippedByteIsRefusedOrDecoded) {
  const std::string text = "a write request that repeats itself, repeats itself, repeats itself and ends";
  const std::string body = Compress(text);
  DecodeBuffer buffer;
  for (std::size_t cut = 0; cut < body.size(); ++cut) {
    const std::string part = body.substr(0, cut);
    const auto size = DeclaredSize(AsBytes(part));
    if (!size) continue;
    const auto decoded = buffer.Uncompress(AsBytes(part), *size);
    EXPECT_FALSE(decoded.has_value()) << cut;
    EXPECT_EQ(decoded.error().code, Code::kInvalidArgument);
  }
  for (std::size_t i = 0; i < body.size(); ++i) {
    std::string flipped = body;
    flipped[i] = static_cast<char>(~flipped[i]);
    const auto size = DeclaredSize(AsBytes(flipped));
    if (!size) continue;
    const auto decoded = buffer.Uncompress(AsBytes(flipped), *size);
    if (decoded) {
      EXPECT_EQ(decoded->size(), *size);
    }
  }
}

}  // namespace
}  // namespace wiregauge::receive
