#include "exporter/decode/http2/parse.h"

#include <algorithm>

namespace wiregauge::decode::http2 {

namespace {

constexpr std::uint32_t kLikelyBlockMax = 32u << 10;
constexpr std::uint32_t kLikelyDataMax = 1u << 20;  // the largest SETTINGS_MAX_FRAME_SIZE in use
constexpr std::uint32_t kSettingBytes = 6;
constexpr std::size_t kChainMax = 8;  // more proves no more

std::uint32_t LoadBigEndian32(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

// First bytes of a connection that is older than the tap.
Likeness LooksLikeFrames(Bytes first, From from) {
  const FrameChain chain = FollowFrames(first, from);
  if (chain.broken || chain.frames == 0) return Likeness::kNo;
  const bool nothing_else = chain.exact || chain.frames >= 2;
  return nothing_else && first.size() > kFrameHeaderBytes ? Likeness::kYes : Likeness::kMaybe;
}

}  // namespace

FrameHeader ReadFrameHeader(Bytes bytes) {
  FrameHeader header;
  header.length = LoadBigEndian32(bytes.data()) >> 8;
  header.type = bytes[3];
  header.flags = bytes[4];
  const std::uint32_t stream = LoadBigEndian32(bytes.data() + 5);
  header.stream = stream & 0x7fffffff;
  header.reserved = stream >> 31 != 0;
  return header;
}

bool IsFrame(const FrameHeader& header) {
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::kData:
    case FrameType::kHeaders:
    case FrameType::kContinuation: return header.stream != 0;
    case FrameType::kPriority: return header.stream != 0 && header.length == 5;
    case FrameType::kRstStream: return header.stream != 0 && header.length == 4;
    case FrameType::kSettings:
      return header.stream == 0 && header.length % kSettingBytes == 0 &&
             ((header.flags & kAck) == 0 || header.length == 0);
    case FrameType::kPushPromise: return header.stream != 0 && header.length >= 4;
    case FrameType::kPing: return header.stream == 0 && header.length == 8;
    case FrameType::kGoAway: return header.stream == 0 && header.length >= 8;
    case FrameType::kWindowUpdate: return header.length == 4;
  }
  return true;
}

bool IsLikelyFrame(const FrameHeader& header, From from) {
  if (header.reserved || !IsFrame(header)) return false;
  if (header.stream != 0 && header.stream % 2 == 0) return false;
  const auto only = [&header](unsigned flags) { return (header.flags & ~flags) == 0; };
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::kData: return only(kEndStream | kPadded) && header.length <= kLikelyDataMax;
    case FrameType::kHeaders:
      return only(kEndStream | kEndHeaders | kPadded | kHasPriority) && header.length > 0 &&
             header.length <= kLikelyBlockMax;
    case FrameType::kContinuation: return only(kEndHeaders) && header.length <= kLikelyBlockMax;
    case FrameType::kSettings: return only(kAck) && header.length <= 32 * kSettingBytes;
    case FrameType::kPing: return only(kAck);
    case FrameType::kGoAway: return header.flags == 0 && header.length <= 4'096;
    case FrameType::kPriority:
    case FrameType::kRstStream:
    case FrameType::kWindowUpdate: return header.flags == 0;
    case FrameType::kPushPromise: return false;
  }
  return header.type == kPriorityUpdate && from == From::kClient && header.stream == 0 && header.flags == 0 &&
         header.length >= 4 && header.length <= 256;
}

FrameChain FollowFrames(Bytes run, From from) {
  FrameChain chain;
  while (run.size() >= kFrameHeaderBytes && chain.frames < kChainMax) {
    const FrameHeader header = ReadFrameHeader(run);
    if (!IsLikelyFrame(header, from)) {
      chain.broken = chain.frames > 0;
      return chain;
    }
    ++chain.frames;
    const std::size_t size = kFrameHeaderBytes + header.length;
    if (size >= run.size()) {
      chain.exact = size == run.size();
      return chain;
    }
    run = run.subspan(size);
  }
  return chain;
}

Likeness LooksLikeRequests(Bytes first, bool mid_stream) {
  constexpr std::size_t kEnough = std::string_view("PRI * HTTP/2.0\r\n").size();
  const std::string_view text = AsText(first.first(std::min(first.size(), kPreface.size())));
  if (kPreface.substr(0, text.size()) == text) return text.size() >= kEnough ? Likeness::kYes : Likeness::kMaybe;
  return mid_stream ? LooksLikeFrames(first, From::kClient) : Likeness::kNo;
}

// A server's first frame is SETTINGS (RFC 9113 section 3.4).
Likeness LooksLikeAnswers(Bytes first, bool mid_stream) {
  if (mid_stream) return LooksLikeFrames(first, From::kServer);
  constexpr std::uint8_t kEmptySettings[kFrameHeaderBytes] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
  for (std::size_t i = 0; i < std::min(first.size(), kFrameHeaderBytes); ++i) {
    if (i != 2 && first[i] != kEmptySettings[i]) return Likeness::kNo;
  }
  if (first.size() >= 3 && (first[2] % kSettingBytes != 0 || first[2] > 32 * kSettingBytes)) return Likeness::kNo;
  // An empty one is not much to go by.
  return first.size() >= kFrameHeaderBytes && first[2] != 0 ? Likeness::kYes : Likeness::kMaybe;
}

std::uint8_t ParseGrpcStatus(std::string_view text) {
  if (text.empty() || text.size() > 2) return kGrpcUnknown;
  unsigned code = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return kGrpcUnknown;
    code = code * 10 + static_cast<unsigned>(c - '0');
  }
  return code < kGrpcCodeNames.size() ? static_cast<std::uint8_t>(code) : kGrpcUnknown;
}

}  // namespace wiregauge::decode::http2
