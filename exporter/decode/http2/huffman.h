// The Huffman code of RFC 7541 section 5.2 and appendix B. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/bytes.h"

namespace wiregauge::decode::http2 {

// Decodes `code`: the first out.size() symbols into `out`. The number of symbols in all, nothing when it is no valid
// code (RFC 7541 section 5.2: EOS inside, or padding that is longer than 7 bits or not of ones).
std::optional<std::size_t> DecodeHuffman(Bytes code, std::span<char> out);

}  // namespace wiregauge::decode::http2
