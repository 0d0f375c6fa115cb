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
  kUnknownProtocol,  // no protocol that is decoded
  kMalformed,        // the connection's protocol before, but these bytes break its grammar
  kTooLarge,         // over a named limit
  kUpgraded,         // after a change to another protocol (HTTP's 101)
  kTunnel,           // after a CONNECT
  kCutOff,           // the beginning of a message that the connection's end cut off
  kEncrypted,        // TLS whose plaintext is not seen
  kCompressed,       // a compression that is not undone (MySQL's compressed protocol)
  kReplication,      // after a replica has asked for the server's data and commands (Redis' PSYNC)
};

inline constexpr std::array<std::string_view, 11> kUnparsedNames = {
    "gap",      "mid_stream", "unknown_protocol", "malformed", "too_large",
    "upgraded", "tunnel",     "cut_off",          "encrypted", "compressed",
    "replication"};

inline constexpr std::size_t kUnparsedReasons = kUnparsedNames.size();

constexpr std::string_view UnparsedName(Unparsed reason) { return kUnparsedNames[static_cast<std::size_t>(reason)]; }

}  // namespace wiregauge::decode
