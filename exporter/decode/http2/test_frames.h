// For tests: frames and header blocks as text, by hand and by nghttp2's encoder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "exporter/decode/http2/types.h"

namespace wiregauge::decode::http2 {

inline std::string BigEndian(std::uint64_t value, std::size_t bytes) {
  std::string out;
  for (std::size_t i = bytes; i > 0; --i) out.push_back(static_cast<char>(value >> (8 * (i - 1))));
  return out;
}

inline std::string Frame(FrameType type, unsigned flags, std::uint32_t stream, std::string_view payload) {
  return BigEndian(payload.size(), 3) + BigEndian(static_cast<std::uint8_t>(type), 1) + BigEndian(flags, 1) +
         BigEndian(stream, 4) + std::string(payload);
}
inline std::string Headers(std::uint32_t stream, std::string_view block, unsigned flags = kEndHeaders) {
  return Frame(FrameType::kHeaders, flags, stream, block);
}
inline std::string DataFrame(std::uint32_t stream, std::string_view payload, unsigned flags = 0) {
  return Frame(FrameType::kData, flags, stream, payload);
}
inline std::string Settings(std::string_view payload = "") { return Frame(FrameType::kSettings, 0, 0, payload); }
inline std::string SettingsAck() { return Frame(FrameType::kSettings, kAck, 0, ""); }
inline std::string Reset(std::uint32_t stream, std::uint32_t error) {
  return Frame(FrameType::kRstStream, 0, stream, BigEndian(error, 4));
}
inline std::string GoAway(std::uint32_t last_stream, std::uint32_t error, std::string_view debug = "") {
  return Frame(FrameType::kGoAway, 0, 0, BigEndian(last_stream, 4) + BigEndian(error, 4) + std::string(debug));
}
inline std::string WindowUpdate(std::uint32_t stream) {
  return Frame(FrameType::kWindowUpdate, 0, stream, BigEndian(1'000, 4));
}

using FieldList = std::vector<std::pair<std::string, std::string>>;

// Header blocks by hand: no Huffman code, lengths below 127.
inline std::string Indexed(unsigned index) { return BigEndian(0x80 | index, 1); }
inline std::string Literal(std::string_view name, std::string_view value, unsigned first = 0x00) {
  return BigEndian(first, 1) + BigEndian(name.size(), 1) + std::string(name) + BigEndian(value.size(), 1) +
         std::string(value);
}
// With incremental indexing.
inline std::string Added(std::string_view name, std::string_view value) { return Literal(name, value, 0x40); }

// nghttp2's encoder.
class Deflater {
 public:
  explicit Deflater(std::size_t table_bytes = 4'096) { nghttp2_hd_deflate_new(&deflater_, table_bytes); }
  ~Deflater() { nghttp2_hd_deflate_del(deflater_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  void Swap(Deflater& other) { std::swap(deflater_, other.deflater_); }
  void SetTableSize(std::size_t bytes) { nghttp2_hd_deflate_change_table_size(deflater_, bytes); }

  std::string Block(FieldList fields, std::uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
    std::vector<nghttp2_nv> list;
    list.reserve(fields.size());
    for (auto& [name, value] : fields) {
      list.push_back({reinterpret_cast<std::uint8_t*>(name.data()), reinterpret_cast<std::uint8_t*>(value.data()),
                      name.size(), value.size(), flags});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()), '\0');
    const ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(out.data()), out.size(),
                                               list.data(), list.size());
    out.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return out;
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

}  // namespace wiregauge::decode::http2
