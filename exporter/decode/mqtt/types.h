// What an MQTT connection says, as far as counting, timing and framing need it: MQTT 3.1, 3.1.1 (OASIS 2014) and 5.0
// (OASIS 2019); "section" means the latter's. No payload, client id, will or password leaves the decoder (decision
// D14).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wiregauge::decode::mqtt {

// Section 2.1.2.
enum class PacketType : std::uint8_t {
  kReserved,
  kConnect,
  kConnAck,
  kPublish,
  kPubAck,
  kPubRec,
  kPubRel,
  kPubComp,
  kSubscribe,
  kSubAck,
  kUnsubscribe,
  kUnsubAck,
  kPingReq,
  kPingResp,
  kDisconnect,
  kAuth,
};

// Protocol level, as CONNECT says it; 0 where it was not seen.
inline constexpr std::uint8_t kUnknownLevel = 0;
inline constexpr std::uint8_t kLevel31 = 3;
inline constexpr std::uint8_t kLevel311 = 4;
inline constexpr std::uint8_t kLevel5 = 5;

enum class Side : std::uint8_t { kClient, kServer };  // who sent it

// How much of a packet was seen.
enum class Walk : std::uint8_t {
  kWhole,  // everything that is looked at
  kCut,    // bytes were missing where they were needed
  kOdd,    // its fields do not fit
};

// A packet, told when its last byte has passed. Fields that it does not have, or that were not reached, are as here.
struct Packet {
  PacketType type = PacketType::kReserved;
  std::uint8_t qos = 0;  // of PUBLISH: 0, 1 or 2
  bool dup = false;      // of PUBLISH
  std::uint16_t id = 0;  // packet identifier; 0: none
  // The reason code, or return code before version 5. Of several (SUBACK) the first that is an error, else the first.
  // kNoCode: it has none, or it was not reached.
  std::int16_t code = kNoCode;
  std::uint16_t alias = 0;  // topic alias; 0: none
  std::string_view topic;  // of PUBLISH, or the only filter of SUBSCRIBE and UNSUBSCRIBE; at most kTopicBytesMax bytes.
                           // Empty when there is none, or it is longer. Valid during the call.
  std::uint8_t level = 0;  // of CONNECT
  Walk walk = Walk::kWhole;
  std::uint64_t first_byte_ns = 0;
  std::uint64_t last_byte_ns = 0;

  static constexpr std::int16_t kNoCode = -1;
};

// A topic's bytes that are kept; the protocol allows 65,535, brokers some hundred.
inline constexpr std::size_t kTopicBytesMax = 256;
// Section 2.1.4: four bytes of seven bits.
inline constexpr std::uint32_t kPacketBytesMax = 268'435'455;

}  // namespace wiregauge::decode::mqtt
