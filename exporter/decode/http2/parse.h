// Frame headers and field values as pure functions, and what a run of frames looks like from outside. Grammar: RFC 9113
// sections 4 and 6, gRPC over HTTP/2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "exporter/decode/http2/types.h"
#include "exporter/decode/likeness.h"

namespace wiregauge::decode::http2 {

enum class From : std::uint8_t { kClient, kServer };

// From the first kFrameHeaderBytes of `bytes`, which are there.
FrameHeader ReadFrameHeader(Bytes bytes);

// Whether section 6 allows such a frame. Types that are not known are allowed.
bool IsFrame(const FrameHeader& header);

// Whether nearly every such frame in use looks so: what tells frames from other bytes. Stricter than IsFrame: no other
// flags, no unknown types, no pushes.
bool IsLikelyFrame(const FrameHeader& header, From from);

// The likely frames that follow each other from the first byte of `run`.
struct FrameChain {
  std::size_t frames = 0;  // whose headers are there
  bool exact = false;      // the last one ends with the run
  bool broken = false;     // what follows the last one is none
};
FrameChain FollowFrames(Bytes run, From from);

// LikenessOf a client's and a server's first bytes.
Likeness LooksLikeRequests(Bytes first, bool mid_stream);
Likeness LooksLikeAnswers(Bytes first, bool mid_stream);

// The names of gRPC's status codes, index is the code.
inline constexpr std::array<std::string_view, 17> kGrpcCodeNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
inline constexpr std::uint8_t kGrpcUnknown = 2;

// A grpc-status value: below kGrpcCodeNames.size(). What is no code is UNKNOWN, as clients take it.
std::uint8_t ParseGrpcStatus(std::string_view text);

}  // namespace wiregauge::decode::http2
