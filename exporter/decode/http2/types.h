// What an HTTP/2 connection says, as far as counting, timing and framing need it (RFC 9113, RFC 7541). No header value
// leaves the decoder but method, path, status, grpc-status and the ids of a traceparent (decision D14).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "exporter/decode/http1/types.h"
#include "exporter/decode/http2/text.h"

namespace wiregauge::decode::http2 {

using http1::Method;

// RFC 9113 section 6.
enum class FrameType : std::uint8_t {
  kData,
  kHeaders,
  kPriority,
  kRstStream,
  kSettings,
  kPushPromise,
  kPing,
  kGoAway,
  kWindowUpdate,
  kContinuation,
};
inline constexpr std::uint8_t kPriorityUpdate = 0x10;  // RFC 9218 section 7.1: what browsers send unasked

inline constexpr std::uint8_t kEndStream = 0x1;  // of DATA and HEADERS
inline constexpr std::uint8_t kAck = 0x1;        // of SETTINGS and PING
inline constexpr std::uint8_t kEndHeaders = 0x4;
inline constexpr std::uint8_t kPadded = 0x8;
inline constexpr std::uint8_t kHasPriority = 0x20;

struct FrameHeader {
  std::uint32_t length = 0;  // of the payload, 24 bits
  std::uint8_t type = 0;     // FrameType, or one that is not known
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;  // 31 bits
  bool reserved = false;     // the bit before the stream's number
};
inline constexpr std::size_t kFrameHeaderBytes = 9;

// What a client sends first (RFC 9113 section 3.4).
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// RFC 9113 section 7: the names of error codes, index is the code.
inline constexpr std::array<std::string_view, 14> kErrorNames = {"NO_ERROR",
                                                                 "PROTOCOL_ERROR",
                                                                 "INTERNAL_ERROR",
                                                                 "FLOW_CONTROL_ERROR",
                                                                 "SETTINGS_TIMEOUT",
                                                                 "STREAM_CLOSED",
                                                                 "FRAME_SIZE_ERROR",
                                                                 "REFUSED_STREAM",
                                                                 "CANCEL",
                                                                 "COMPRESSION_ERROR",
                                                                 "CONNECT_ERROR",
                                                                 "ENHANCE_YOUR_CALM",
                                                                 "INADEQUATE_SECURITY",
                                                                 "HTTP_1_1_REQUIRED"};
inline constexpr std::uint32_t kNoError = 0;
inline constexpr std::uint32_t kRefusedStream = 7;
inline constexpr std::uint32_t kCancel = 8;
inline constexpr std::uint32_t kUnknownError = 0xffffffff;  // a code that was not at hand

// "_OTHER" for codes that are not registered.
constexpr std::string_view ErrorName(std::uint32_t code) {
  return code < kErrorNames.size() ? kErrorNames[code] : std::string_view("_OTHER");
}

// What is looked at of one header section. An absent field may be among those that are not known.
struct Fields {
  enum class ContentType : std::uint8_t { kAbsent, kGrpc, kOther };

  TextRef path;                   // :path without query and fragment, at most http1::kPathMax bytes; null when absent
  TextRef trace;                  // the bytes of a decode::Trace; null when there is no traceparent, or none to be told
  std::uint16_t status = 0;       // :status, 100 to 599; 0 when absent
  std::int16_t grpc_status = -1;  // grpc-status; -1 when absent, 2 (UNKNOWN) when it is no code
  Method method = Method::kOther;
  ContentType content_type = ContentType::kAbsent;
  bool has_method = false;
  bool path_cut = false;  // the path was longer
  bool unknown = false;   // a field's name or value is not known, as an earlier header section was lost
};

// Header blocks over this are not decoded: nghttp2 and nginx refuse 64 KiB and less, gRPC 16 KiB.
inline constexpr std::size_t kBlockBytesMax = 64u << 10;
// Of a dynamic table so much is kept, in bytes as RFC 7541 section 4.1 counts them; browsers offer 64 KiB, nearly all
// encoders stay at 4 KiB.
inline constexpr std::uint32_t kTableBytesMax = 64u << 10;
inline constexpr std::uint32_t kTableBytesDefault = 4'096;

}  // namespace wiregauge::decode::http2
