#include "exporter/decode/http2/huffman.h"

#include <random>
#include <string>

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

namespace wiregauge::decode::http2 {
namespace {

std::string Hex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::string Decoded(std::string_view code, std::size_t room = 5'000) {
  std::string out(room, '\0');
  const auto size = DecodeHuffman(AsBytes(code), out);
  if (!size) return "invalid";
  out.resize(std::min(*size, room));
  return out;
}

// RFC 7541 appendix C.4 and C.6.
TEST(Huffman, DecodesTheExamplesOfTheRfc) {
  EXPECT_EQ(Decoded(Hex("f1e3c2e5f23a6ba0ab90f4ff")), "www.example.com");
  EXPECT_EQ(Decoded(Hex("a8eb10649cbf")), "no-cache");
  EXPECT_EQ(Decoded(Hex("25a849e95ba97d7f")), "custom-key");
  EXPECT_EQ(Decoded(Hex("d07abe941054d444a8200595040b8166e082a62d1bff")), "Mon, 21 Oct 2013 20:13:21 GMT");
  EXPECT_EQ(Decoded(""), "");
}

TEST(Huffman, CountsWhatIsNotKept) {
  const std::string code = Hex("f1e3c2e5f23a6ba0ab90f4ff");
  char room[3];
  EXPECT_EQ(DecodeHuffman(AsBytes(code), room), 15u);
  EXPECT_EQ(std::string_view(room, 3), "www");
  EXPECT_EQ(DecodeHuffman(AsBytes(code), {}), 15u);
}

TEST(Huffman, RefusesWhatSection5_2Forbids) {
  EXPECT_EQ(Decoded(Hex("07")), "0");              // 00000 and padding 111
  EXPECT_EQ(Decoded(Hex("00")), "invalid");        // padding of zeros
  EXPECT_EQ(Decoded(Hex("07ff")), "invalid");      // padding of 11 bits
  EXPECT_EQ(Decoded(Hex("ff")), "invalid");        // padding of 8 bits
  EXPECT_EQ(Decoded(Hex("ffffffff")), "invalid");  // EOS
  EXPECT_EQ(Decoded(Hex("fffffffff8")), "invalid");
}

// What nghttp2 encodes, with every symbol at every position of a byte.
TEST(Huffman, DecodesWhatNghttp2Encodes) {
  std::mt19937 random(1);
  for (int round = 0; round < 2'000; ++round) {
    std::string value(random() % 200, '0');  // makes the code shorter than the text, so that it is used
    const int rare = static_cast<int>(random() % 8);
    for (int i = 0; i < rare; ++i) {
      value.insert(value.begin() + static_cast<long>(random() % (value.size() + 1)), static_cast<char>(random() % 256));
    }
    nghttp2_hd_deflater* deflater = nullptr;
    ASSERT_EQ(nghttp2_hd_deflate_new(&deflater, 0), 0);
    std::uint8_t name[] = "x";
    nghttp2_nv field{name, reinterpret_cast<std::uint8_t*>(value.data()), 1, value.size(), NGHTTP2_NV_FLAG_NO_INDEX};
    std::uint8_t block[4'096];
    const ssize_t size = nghttp2_hd_deflate_hd(deflater, block, sizeof(block), &field, 1);
    nghttp2_hd_deflate_del(deflater);
    ASSERT_GT(size, 0);
    // 0x10, the name, then the value's length and bytes; the name's own length byte tells how it is encoded.
    Bytes rest(block, static_cast<std::size_t>(size));
    if (rest[0] == 0x20) rest = rest.subspan(1);  // table size 0
    rest = rest.subspan(3);
    if ((rest[0] & 0x80) == 0) continue;
    std::size_t length = rest[0] & 0x7f;
    rest = rest.subspan(1);
    if (length == 0x7f) {
      length += rest[0] & 0x7f;
      if ((rest[0] & 0x80) != 0) {
        length += std::size_t{rest[1]} << 7;
        rest = rest.subspan(1);
      }
      rest = rest.subspan(1);
    }
    ASSERT_EQ(rest.size(), length);
    EXPECT_EQ(Decoded(AsText(rest)), value);
  }
}

}  // namespace
}  // namespace wiregauge::decode::http2
