#include "remote_write/store/integer_column.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

namespace wiregauge::store {
namespace {

enum Mode : std::uint8_t { kConstant = 0, kLine = 1, kPlain = 2, kDeltas = 3 };

// What is stored of a group before its packed bits: value = minimum + (packed << shift).
struct Frame {
  std::int64_t minimum = 0;
  unsigned shift = 0;
  unsigned width = 0;  // bits, 0 to 64
};

std::uint64_t Difference(std::int64_t a, std::int64_t b) {  // wraps, unlike signed subtraction
  return static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b);
}
std::int64_t Sum(std::int64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + b);
}

Frame FrameOf(std::span<const std::int64_t> group) {
  Frame frame{*std::min_element(group.begin(), group.end())};
  std::uint64_t seen = 0;
  for (const std::int64_t value : group) seen |= Difference(value, frame.minimum);
  if (seen != 0) frame.shift = static_cast<unsigned>(std::countr_zero(seen));
  frame.width = static_cast<unsigned>(std::bit_width(seen >> frame.shift));
  return frame;
}

std::size_t PackedBytes(std::size_t count, unsigned width) { return (count * width + 7) / 8; }

void Pack(std::span<const std::int64_t> group, const Frame& frame, std::string& out) {
  std::uint64_t pending = 0;
  unsigned used = 0;  // bits of `pending`, always below 64 between values
  for (const std::int64_t value : group) {
    const std::uint64_t bits = Difference(value, frame.minimum) >> frame.shift;
    pending |= bits << used;
    used += frame.width;
    if (used >= 64) {
      AppendRaw(out, pending);
      used -= 64;
      const unsigned taken = frame.width - used;
      pending = taken < 64 ? bits >> taken : 0;
    }
  }
  if (used > 0) out.append(reinterpret_cast<const char*>(&pending), (used + 7) / 8);
}

void Unpack(Bytes packed, const Frame& frame, std::span<std::int64_t> group) {
  // A padded copy lets every value be read with one or two unaligned loads, whatever its position.
  std::array<std::uint8_t, kGroupValuesMax * 8 + 16> padded;
  std::memcpy(padded.data(), packed.data(), packed.size());
  std::memset(padded.data() + packed.size(), 0, 16);
  const std::uint64_t mask = frame.width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << frame.width) - 1;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const std::size_t bit = i * frame.width;
    const unsigned offset = bit & 7;
    std::uint64_t bits = 0;
    std::memcpy(&bits, padded.data() + bit / 8, 8);
    bits >>= offset;
    if (frame.width + offset > 64) bits |= static_cast<std::uint64_t>(padded[bit / 8 + 8]) << (64 - offset);
    group[i] = Sum(frame.minimum, (bits & mask) << frame.shift);
  }
}

std::size_t GroupedBits(std::span<const std::int64_t> values) {
  std::size_t bits = 0;
  for (std::size_t first = 0; first < values.size(); first += kGroupValuesMax) {
    const auto group = values.subspan(first, std::min(kGroupValuesMax, values.size() - first));
    bits += group.size() * FrameOf(group).width;
  }
  return bits;
}

void EncodeGroups(std::span<const std::int64_t> values, std::string& out) {
  for (std::size_t first = 0; first < values.size(); first += kGroupValuesMax) {
    const auto group = values.subspan(first, std::min(kGroupValuesMax, values.size() - first));
    const Frame frame = FrameOf(group);
    AppendVarint(out, ZigZag(frame.minimum));
    out.push_back(static_cast<char>(frame.shift));
    out.push_back(static_cast<char>(frame.width));
    Pack(group, frame, out);
  }
}

bool DecodeGroups(ByteReader& in, std::span<std::int64_t> out) {
  for (std::size_t first = 0; first < out.size(); first += kGroupValuesMax) {
    const auto group = out.subspan(first, std::min(kGroupValuesMax, out.size() - first));
    Frame frame{UnZigZag(in.Varint())};
    frame.shift = in.Read<std::uint8_t>();
    frame.width = in.Read<std::uint8_t>();
    if (frame.shift > 63 || frame.width > 64 - frame.shift) return false;
    const Bytes packed = in.Take(PackedBytes(group.size(), frame.width));
    if (!in.ok()) return false;
    Unpack(packed, frame, group);
  }
  return in.ok();
}

// Differences of neighbours: deltas.size() is values.size() - 1.
void Differentiate(std::span<const std::int64_t> values, std::span<std::int64_t> deltas) {
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    deltas[i] = static_cast<std::int64_t>(Difference(values[i + 1], values[i]));
  }
}

void EncodeWithDeltas(std::span<const std::int64_t> values, std::span<const std::int64_t> deltas, std::string& out) {
  const auto same = [&](std::int64_t delta) { return delta == deltas[0]; };
  if (std::all_of(deltas.begin(), deltas.end(), same)) {
    out.push_back(static_cast<char>(deltas[0] == 0 ? kConstant : kLine));
    AppendVarint(out, ZigZag(values[0]));
    if (deltas[0] != 0) AppendVarint(out, ZigZag(deltas[0]));
    return;
  }
  const bool plain = GroupedBits(values) <= GroupedBits(deltas);
  out.push_back(static_cast<char>(plain ? kPlain : kDeltas));
  if (!plain) AppendVarint(out, ZigZag(values[0]));
  EncodeGroups(plain ? values : deltas, out);
}

bool DecodeDeltas(ByteReader& in, std::span<std::int64_t> out) {
  out[0] = UnZigZag(in.Varint());
  if (!DecodeGroups(in, out.subspan(1))) return false;
  for (std::size_t i = 1; i < out.size(); ++i) out[i] = Sum(out[i - 1], static_cast<std::uint64_t>(out[i]));
  return true;
}

void DecodeLine(ByteReader& in, bool constant, std::span<std::int64_t> out) {
  std::int64_t value = UnZigZag(in.Varint());
  const auto step = constant ? 0 : static_cast<std::uint64_t>(UnZigZag(in.Varint()));
  for (std::int64_t& slot : out) {
    slot = value;
    value = Sum(value, step);
  }
}

}  // namespace

void EncodeIntegers(std::span<const std::int64_t> values, std::string& out) {
  if (values.size() == 1) {
    out.push_back(static_cast<char>(kConstant));
    AppendVarint(out, ZigZag(values[0]));
    return;
  }
  std::array<std::int64_t, 512> small;
  if (values.size() - 1 <= small.size()) {  // every block of the store
    const auto deltas = std::span(small).first(values.size() - 1);
    Differentiate(values, deltas);
    EncodeWithDeltas(values, deltas, out);
    return;
  }
  std::vector<std::int64_t> deltas(values.size() - 1);
  Differentiate(values, deltas);
  EncodeWithDeltas(values, deltas, out);
}

bool DecodeIntegers(ByteReader& in, std::span<std::int64_t> out) {
  if (out.empty()) return false;
  switch (in.Read<std::uint8_t>()) {
    case kConstant: DecodeLine(in, true, out); return in.ok();
    case kLine: DecodeLine(in, false, out); return in.ok();
    case kPlain: return DecodeGroups(in, out);
    case kDeltas: return DecodeDeltas(in, out);
    default: return false;
  }
}

}  // namespace wiregauge::store
