// How the first bytes of a direction fit a protocol: what each protocol's parse.h answers, so that match can choose.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace wiregauge::decode {

enum class Likeness : std::uint8_t {
  kNo,     // these bytes cannot begin that protocol
  kMaybe,  // they fit as far as they go, but others would too
  kYes,    // they fit, and nothing else in use does
};

// Answers for the bytes with which a direction began, one or more of them. A server's and a client's first bytes are
// asked for apart. `mid_stream`: the connection is older than the tap, so they are the first bytes of some segment: the
// opening handshake is over, and a message likely begins here.
using LikenessOf = Likeness (*)(Bytes first, bool mid_stream);

}  // namespace wiregauge::decode
