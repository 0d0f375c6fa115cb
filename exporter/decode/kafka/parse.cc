#include "exporter/decode/kafka/parse.h"

#include <algorithm>

#include "exporter/decode/kafka/apis.h"

namespace wiregauge::decode::kafka {

namespace {

constexpr std::uint32_t kLengthBytes = 4;
constexpr std::uint32_t kRequestLengthMin = kRequestHeaderBytes - kLengthBytes;
constexpr std::uint32_t kAnswerLengthMin = kAnswerHeaderBytes - kLengthBytes;

// A client id is any string; those in use are names that a log can show.
bool IsPrintable(Bytes text) {
  return std::all_of(text.begin(), text.end(), [](std::uint8_t byte) { return byte >= 0x20 && byte != 0x7f; });
}

// Whether the bytes that are there fit a request's header as far as they go, none of which is 14.
bool CanStartRequest(Bytes first) {
  const auto byte = [&](std::size_t i) { return i < first.size() ? first[i] : std::uint8_t{0}; };
  if (byte(0) > kFrameBytesMax >> 24 || byte(4) != 0 || byte(5) >= kApis || byte(6) != 0 || byte(8) >= 0x80) {
    return false;
  }
  return first.size() < kLengthBytes || ReadInt32(first.data()) >= std::int32_t{kRequestLengthMin};
}

}  // namespace

std::optional<RequestHeader> ParseRequestHeader(const std::uint8_t* raw) {
  const auto length = static_cast<std::uint32_t>(ReadInt32(raw));
  RequestHeader header{{ReadInt16(raw + 4), ReadInt16(raw + 6)}, ReadInt32(raw + 8), ReadInt16(raw + 12), 0};
  const Api api = header.api;
  if (length > kFrameBytesMax || length < kRequestLengthMin) return std::nullopt;
  header.bytes_behind = length - kRequestLengthMin;
  if (api.key < 0 || api.key >= kApis || api.version < 0) return std::nullopt;
  if (api.version > RowOf(api.key).version_max + kVersionsAhead) return std::nullopt;
  if (header.correlation_id < 0 || header.client_id_bytes < -1 || header.client_id_bytes > kClientIdBytesMax) {
    return std::nullopt;
  }
  if (header.client_id_bytes > 0 && static_cast<std::uint32_t>(header.client_id_bytes) > header.bytes_behind) {
    return std::nullopt;
  }
  return header;
}

std::optional<AnswerHeader> ParseAnswerHeader(const std::uint8_t* raw) {
  const auto length = static_cast<std::uint32_t>(ReadInt32(raw));
  const std::int32_t correlation_id = ReadInt32(raw + 4);
  if (length > kFrameBytesMax || length < kAnswerLengthMin || correlation_id < 0) return std::nullopt;
  return AnswerHeader{correlation_id, length - kAnswerLengthMin};
}

bool IsFlexible(const Api& api) { return api.version >= RowOf(api.key).flexible_from; }

bool TeachesTopicIds(const Api& api) {
  return (api.key == kMetadata && api.version >= 10) || (api.key == kCreateTopics && api.version >= 7) ||
         api.key == kDescribeTopicPartitions;
}

Likeness LooksLikeRequests(Bytes first, bool mid_stream) {
  if (first.size() < kRequestHeaderBytes) {
    return !mid_stream && CanStartRequest(first) ? Likeness::kMaybe : Likeness::kNo;
  }
  const auto header = ParseRequestHeader(first.data());
  if (!header) return Likeness::kNo;
  const auto shown = static_cast<std::size_t>(std::max<std::int16_t>(header->client_id_bytes, 0));
  const Bytes behind = first.subspan(kRequestHeaderBytes);
  if (!IsPrintable(behind.first(std::min(shown, behind.size())))) return Likeness::kNo;
  // Without a client id fourteen bytes are little to go by: the answer decides.
  if (shown > 0 && behind.size() >= shown) return Likeness::kYes;
  return mid_stream ? Likeness::kNo : Likeness::kMaybe;
}

Likeness LooksLikeAnswers(Bytes first, bool mid_stream) {
  if (mid_stream) return Likeness::kNo;  // a length and a number: a request must have come before
  if (first.size() >= kAnswerHeaderBytes) {
    return ParseAnswerHeader(first.data()) ? Likeness::kMaybe : Likeness::kNo;
  }
  const bool fits = first[0] <= kFrameBytesMax >> 24 && (first.size() <= kLengthBytes || first[kLengthBytes] < 0x80);
  return fits ? Likeness::kMaybe : Likeness::kNo;
}

}  // namespace wiregauge::decode::kafka
