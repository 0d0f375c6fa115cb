// Why payload bytes were not understood: the reason label of wiregauge_unparsed_bytes_total.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wiregauge::decode {

enum class Unparsed : std::uint8_t {
  kGap,        // not captured or lost, where the framing needed them, and what followed until the next message start
  kMidStream,  // before the first message start of a connection that is older than the tap
  kNotHttp,    // another protocol, TLS included
  kMalformed,  // HTTP before, but these bytes break its grammar
  kTooLarge,   // over a named limit
  kUpgraded,   // after a 101 answer
  kTunnel,     // after a CONNECT
  kCutOff,     // a head that the connection's end cut off
};

inline constexpr std::array<std::string_view, 8> kUnparsedNames = {"gap",       "mid_stream", "not_http", "malformed",
                                                                   "too_large", "upgraded",   "tunnel",   "cut_off"};

inline constexpr std::size_t kUnparsedReasons = kUnparsedNames.size();

constexpr std::string_view UnparsedName(Unparsed reason) { return kUnparsedNames[static_cast<std::size_t>(reason)]; }

}  // namespace wiregauge::decode
