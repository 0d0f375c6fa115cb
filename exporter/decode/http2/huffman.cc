#include "exporter/decode/http2/huffman.h"

#include <array>
#include <bit>
#include <cstdint>

namespace wiregauge::decode::http2 {
namespace {

// Bits of each symbol's code (appendix B). The code is canonical: codes ascend by length, then by symbol.
// clang-format off: rows of 24
constexpr std::array<std::uint8_t, 256> kBits = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,  5,  5,  5,  6,  6,  6,  6,  6,  6,  6,
    7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
    7,  8,  7,  8,  13, 19, 13, 14, 6,  15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,
    5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24,
    24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26,
    27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23,
    22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
};
// clang-format on
constexpr unsigned kBitsMax = 30;  // of symbols, and of EOS, which is all ones
constexpr unsigned kFastBits = 10;

struct Fast {
  std::uint8_t symbol = 0;
  std::uint8_t bits = 0;  // 0: the code is longer
};

struct Tables {
  std::array<Fast, 1u << kFastBits> fast{};          // by the next kFastBits bits
  std::array<std::uint8_t, 256> by_code{};           // symbols in the order of their codes
  std::array<std::uint32_t, kBitsMax + 2> first{};   // the first code of that length
  std::array<std::uint32_t, kBitsMax + 2> before{};  // symbols with shorter codes
};

constexpr Tables MakeTables() {
  Tables tables;
  std::uint32_t code = 0;
  std::uint32_t rank = 0;
  for (unsigned bits = 1; bits <= kBitsMax; ++bits) {
    code <<= 1;
    tables.first[bits] = code;
    tables.before[bits] = rank;
    for (unsigned symbol = 0; symbol < kBits.size(); ++symbol) {
      if (kBits[symbol] != bits) continue;
      tables.by_code[rank++] = static_cast<std::uint8_t>(symbol);
      if (bits <= kFastBits) {
        const unsigned spare = kFastBits - bits;
        for (unsigned low = 0; low < 1u << spare; ++low) {
          tables.fast[(code << spare) + low] = {static_cast<std::uint8_t>(symbol), static_cast<std::uint8_t>(bits)};
        }
      }
      ++code;
    }
  }
  tables.before[kBitsMax + 1] = rank;
  return tables;
}
constexpr Tables kTables = MakeTables();
static_assert(kTables.before[kBitsMax + 1] == 256);
static_assert(kTables.first[kBitsMax] == 0x3ffffffc);

// The symbol at the top of `window`, whose code is longer than kFastBits. bits is 0 when there is none (EOS).
Fast FindLong(std::uint64_t window) {
  for (unsigned bits = kFastBits + 1; bits <= kBitsMax; ++bits) {
    const auto code = static_cast<std::uint32_t>(window >> (64 - bits));
    const std::uint32_t rank = kTables.before[bits] + code - kTables.first[bits];
    if (code >= kTables.first[bits] && rank < kTables.before[bits + 1]) {
      return {kTables.by_code[rank], static_cast<std::uint8_t>(bits)};
    }
  }
  return {};
}

std::uint64_t LoadBigEndian64(const std::uint8_t* bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return __builtin_bswap64(value);
}

}  // namespace

std::optional<std::size_t> DecodeHuffman(Bytes code, std::span<char> out) {
  std::uint64_t window = 0;  // the next `ready` bits, at the top; zeros below
  unsigned ready = 0;
  std::size_t at = 0;
  std::size_t count = 0;
  for (;;) {
    if (ready <= 32) {
      if (code.size() - at >= 8) {
        window |= LoadBigEndian64(code.data() + at) >> ready;
        const unsigned whole = (63 - ready) / 8;
        at += whole;
        ready += 8 * whole;
        window &= ~std::uint64_t{0} << (64 - ready);
      } else {
        for (; ready <= 56 && at < code.size(); ready += 8) {
          window |= std::uint64_t{code[at++]} << (56 - ready);
        }
      }
    }
    Fast found = kTables.fast[window >> (64 - kFastBits)];
    if (found.bits == 0) found = FindLong(window);
    if (found.bits == 0 || found.bits > ready) break;
    if (count < out.size()) out[count] = static_cast<char>(found.symbol);
    ++count;
    window <<= found.bits;
    ready -= found.bits;
  }
  const bool padding = ready < 8 && (ready == 0 || window >> (64 - ready) == (1u << ready) - 1);
  if (!padding || at != code.size()) return std::nullopt;
  return count;
}

}  // namespace wiregauge::decode::http2
