// What a Kafka connection says, as far as counting, timing and framing need it. Names and numbers: Kafka's protocol
// guide (kafka.apache.org/protocol) and Errors.java. No record, key or value leaves the decoder (decision D14).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wiregauge::decode::kafka {

// APIs that the conversation treats in their own way.
inline constexpr std::int16_t kProduce = 0;
inline constexpr std::int16_t kFetch = 1;
inline constexpr std::int16_t kMetadata = 3;
inline constexpr std::int16_t kJoinGroup = 11;
inline constexpr std::int16_t kSyncGroup = 14;
inline constexpr std::int16_t kApiVersions = 18;
inline constexpr std::int16_t kCreateTopics = 19;
inline constexpr std::int16_t kDescribeTopicPartitions = 75;

using TopicId = std::array<std::uint8_t, 16>;

// What both of a message's sides need to know to read it.
struct Api {
  std::int16_t key = 0;
  std::int16_t version = 0;

  bool operator==(const Api&) const = default;
};

// How a message ended.
enum class Walk : std::uint8_t {
  kWhole,  // every field was seen, and they end where the message does
  kCut,    // bytes were missing where they were needed
  kOdd,    // its fields do not fit the schema
  kNone,   // no schema for it
};

// A request, told when its last byte has passed. Fields that were not reached are as here.
struct Request {
  Api api;
  std::int32_t correlation_id = 0;
  std::uint32_t topics = 0;          // that it names
  std::int16_t acks = kAcksUnknown;  // Produce: 0, 1 or -1 (all)
  std::int32_t wait_ms = 0;          // how long the broker may take its time
  std::int32_t session_epoch = -1;   // Fetch: above 0 it goes on with a session (KIP-227)
  Walk walk = Walk::kNone;
  std::uint64_t first_byte_ns = 0;
  std::uint64_t last_byte_ns = 0;

  static constexpr std::int16_t kAcksUnknown = INT16_MIN;
};

// An answer, told when its last byte has passed.
struct Answer {
  std::int32_t correlation_id = 0;
  std::int16_t error =
      0;  // the first code in it that is not 0, at whatever level; 0 means success only if walk is kWhole
  Walk walk = Walk::kNone;
  std::uint64_t last_byte_ns = 0;
};

// The longest frame that is taken for one: brokers take requests of 100 MiB and give answers of 50 MiB by default
// (socket.request.max.bytes, fetch.max.bytes). Just below 2^28, so that no first byte of a text protocol, of TLS or of
// MQTT begins one.
inline constexpr std::uint32_t kFrameBytesMax = (1u << 28) - 1;
// The longest client id that is taken for one; Kafka has no limit below 32 KiB, real ones have 10 to 100 bytes.
inline constexpr std::int16_t kClientIdBytesMax = 1'024;
// Topic.java: 249 characters, as it names a folder.
inline constexpr std::size_t kTopicBytesMax = 249;

}  // namespace wiregauge::decode::kafka
