// The frame and the headers of a Kafka message as pure functions, and where a request can start. Source: the protocol
// guide, "Common Request and Response Structure"; request header versions 1 and 2, response header versions 0 and 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "exporter/decode/kafka/types.h"
#include "exporter/decode/likeness.h"

namespace wiregauge::decode::kafka {

// Big-endian; the bytes are there.
constexpr std::int16_t ReadInt16(const std::uint8_t* at) { return static_cast<std::int16_t>((at[0] << 8) | at[1]); }
constexpr std::int32_t ReadInt32(const std::uint8_t* at) {
  return static_cast<std::int32_t>((std::uint32_t{at[0]} << 24) | (std::uint32_t{at[1]} << 16) |
                                   (std::uint32_t{at[2]} << 8) | at[3]);
}

// The frame's length, key, version, correlation id and the length of the client id.
inline constexpr std::size_t kRequestHeaderBytes = 14;
// The frame's length and the correlation id.
inline constexpr std::size_t kAnswerHeaderBytes = 8;

struct RequestHeader {
  Api api;
  std::int32_t correlation_id = 0;
  std::int16_t client_id_bytes = -1;  // -1: none
  std::uint32_t bytes_behind = 0;     // of the frame, after these kRequestHeaderBytes
};

struct AnswerHeader {
  std::int32_t correlation_id = 0;
  std::uint32_t bytes_behind = 0;  // after these kAnswerHeaderBytes
};

// Nothing when no request begins so: an unknown API or one of a version that it does not have, a negative or too large
// figure. Versions above those that are known are taken (kVersionsAhead). `raw` holds kRequestHeaderBytes.
std::optional<RequestHeader> ParseRequestHeader(const std::uint8_t* raw);
// `raw` holds kAnswerHeaderBytes.
std::optional<AnswerHeader> ParseAnswerHeader(const std::uint8_t* raw);

// Newer brokers and clients than this table speak, at most so many versions further.
inline constexpr std::int16_t kVersionsAhead = 8;

// Whether its messages have compact lengths and tagged fields. api.key is one of kApis.
bool IsFlexible(const Api& api);
// Whether its answers name topics beside their ids.
bool TeachesTopicIds(const Api& api);

// See LikenessOf.
Likeness LooksLikeRequests(Bytes first, bool mid_stream);
Likeness LooksLikeAnswers(Bytes first, bool mid_stream);

}  // namespace wiregauge::decode::kafka
