// The fixed header of an MQTT packet as pure functions, where a packet can start, and the names of reason codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "exporter/decode/likeness.h"
#include "exporter/decode/mqtt/types.h"

namespace wiregauge::decode::mqtt {

struct FixedHeader {
  PacketType type = PacketType::kReserved;
  std::uint8_t flags = 0;
  std::uint32_t length = 0;  // of what follows
  std::uint8_t size = 0;     // of the header itself: 2 to 5
};

enum class Header : std::uint8_t { kWhole, kShort, kBad };  // kShort: more bytes are needed

// Reads a fixed header at the beginning of `bytes`. kBad when `from` sends no packet that begins so: a type of the
// other side, flags or a length that the type does not have (section 2.1).
Header ReadFixedHeader(Bytes bytes, Side from, FixedHeader& header);

// Whether `run` begins with a packet and is nothing but packets, the last of which may be a PUBLISH that goes on: the
// test for a beginning in the middle. PUBLISH must have a topic that one may publish to.
bool IsRunOfPackets(Bytes run, Side from);

// The code as text, "0x87"; lives forever.
std::string_view CodeText(std::uint8_t code);
// A reason code of version 5 that is an error (0x80 and above), by its name in section 2.4; "_OTHER" when it has none.
// Lives forever.
std::string_view ReasonName(std::uint8_t code);
// The reason code that means what a CONNACK's return code meant before version 5 (MQTT 3.1.1 section 3.2.2.3).
std::uint8_t ReasonOfReturnCode(std::uint8_t code);

// See LikenessOf.
Likeness LooksLikeRequests(Bytes first, bool mid_stream);
Likeness LooksLikeAnswers(Bytes first, bool mid_stream);

}  // namespace wiregauge::decode::mqtt
