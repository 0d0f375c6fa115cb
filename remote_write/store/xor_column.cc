#include "remote_write/store/xor_column.h"

#include <algorithm>
#include <bit>

namespace wiregauge::store {
namespace {

// Most significant bit first, as the paper's figures.
class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}

  void Put(std::uint64_t bits, unsigned count) {
    if (count > 32) {
      Put(bits >> 32, count - 32);
      count = 32;
    }
    const std::uint64_t mask = (std::uint64_t{1} << count) - 1;
    pending_ = (pending_ << count) | (bits & mask);
    for (used_ += count; used_ >= 8; used_ -= 8) out_.push_back(static_cast<char>(pending_ >> (used_ - 8)));
  }
  void Finish() {
    if (used_ > 0) Put(0, 8 - used_);
  }

 private:
  std::string& out_;
  std::uint64_t pending_ = 0;  // the low used_ bits wait
  unsigned used_ = 0;          // below 8 between calls
};

class BitReader {
 public:
  explicit BitReader(ByteReader& in) : in_(in) {}

  std::uint64_t Get(unsigned count) {
    std::uint64_t bits = 0;
    for (; count > 0 && in_.ok();) {
      if (left_ == 0) {
        current_ = in_.Read<std::uint8_t>();
        left_ = 8;
      }
      const unsigned taken = std::min(count, left_);
      left_ -= taken;
      count -= taken;
      bits = (bits << taken) | ((current_ >> left_) & ((1U << taken) - 1));
    }
    return bits;
  }

 private:
  ByteReader& in_;
  unsigned current_ = 0;
  unsigned left_ = 0;  // unread low bits of current_
};

// The bits of the last XOR that were written whole: `length` bits after `leading` zeros. Length 0: none yet.
struct Window {
  unsigned leading = 0;
  unsigned length = 0;
  [[nodiscard]] unsigned trailing() const { return 64 - leading - length; }
};

void PutXor(std::uint64_t bits, Window& window, BitWriter& writer) {
  if (bits == 0) return writer.Put(0, 1);
  const auto leading = std::min(static_cast<unsigned>(std::countl_zero(bits)), 31U);  // 5 bits hold it
  const auto trailing = static_cast<unsigned>(std::countr_zero(bits));
  if (window.length > 0 && leading >= window.leading && trailing >= window.trailing()) {
    writer.Put(0b10, 2);
  } else {
    window = {leading, 64 - leading - trailing};
    writer.Put(0b11, 2);
    writer.Put(window.leading, 5);
    writer.Put(window.length & 63, 6);  // 64 is written as 0
  }
  writer.Put(bits >> window.trailing(), window.length);
}

}  // namespace

void EncodeXor(std::span<const std::uint64_t> values, std::string& out) {
  AppendRaw(out, values[0]);
  BitWriter writer(out);
  Window window;
  for (std::size_t i = 1; i < values.size(); ++i) PutXor(values[i] ^ values[i - 1], window, writer);
  writer.Finish();
}

bool DecodeXor(ByteReader& in, std::span<std::uint64_t> out) {
  if (out.empty()) return false;
  out[0] = in.Read<std::uint64_t>();
  BitReader reader(in);
  Window window;
  for (std::size_t i = 1; i < out.size(); ++i) {
    std::uint64_t bits = 0;
    if (reader.Get(1) != 0) {
      if (reader.Get(1) != 0) {
        window.leading = static_cast<unsigned>(reader.Get(5));
        window.length = static_cast<unsigned>(reader.Get(6));
        if (window.length == 0) window.length = 64;
      }
      if (window.length == 0 || window.leading + window.length > 64) return false;
      bits = reader.Get(window.length) << window.trailing();
    }
    if (!in.ok()) return false;
    out[i] = out[i - 1] ^ bits;
  }
  return in.ok();
}

}  // namespace wiregauge::store
