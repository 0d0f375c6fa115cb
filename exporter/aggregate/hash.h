// Hashes of keys and texts, for tables in memory: quick, spread over all bits, not for keeping.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace wiregauge::aggregate {

// The halves of the product, folded: spreads every bit of both factors over the result (as in wyhash).
inline std::uint64_t FoldProduct(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Hash of a key without padding, of a multiple of 8 bytes.
template <typename Key>
std::size_t HashWords(const Key& key) {
  static_assert(std::has_unique_object_representations_v<Key> && sizeof(Key) % 8 == 0);
  constexpr std::size_t kWords = sizeof(Key) / 8;
  std::array<std::uint64_t, kWords + kWords % 2> words{};
  std::memcpy(words.data(), &key, sizeof(Key));
  std::uint64_t hash = 0x9e3779b97f4a7c15ULL;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    hash = FoldProduct(words[i] ^ 0xa0761d6478bd642fULL, words[i + 1] ^ hash ^ 0xe7037ed1a0b428dbULL);
  }
  return hash;
}

inline std::size_t HashText(std::string_view text) {
  std::uint64_t hash = text.size() ^ 0x9e3779b97f4a7c15ULL;
  const auto mix = [&hash](std::uint64_t a, std::uint64_t b) {
    hash = FoldProduct(a ^ 0xa0761d6478bd642fULL, b ^ hash ^ 0xe7037ed1a0b428dbULL);
  };
  const auto word = [&text](std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, text.data() + at, bytes);
    return value;
  };
  std::size_t at = 0;
  for (; at + 16 <= text.size(); at += 16) mix(word(at, 8), word(at + 8, 8));
  const std::size_t left = text.size() - at;
  if (left > 8) {
    mix(word(at, 8), word(at + 8, left - 8));
  } else if (left > 0) {
    mix(word(at, left), 0);
  }
  return hash;
}

}  // namespace wiregauge::aggregate
