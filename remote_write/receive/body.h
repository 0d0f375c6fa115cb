// From an HTTP request to the bytes of its message: what the headers promise, and the snappy block.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace wiregauge::receive {

enum class Protocol { kRemoteWrite1 };

// The protocol's value of the metric label `protocol`: "remote_write_1". Static storage.
std::string_view ProtocolName(Protocol protocol);

// Decides by Content-Type and Content-Encoding alone, before any byte is decoded; X-Prometheus-Remote-Write-Version
// has no say. Both may be empty: 1.0 and snappy. kUnsupported with a sentence that names what is supported.
Result<Protocol> Negotiate(std::string_view content_type, std::string_view content_encoding);

// Bytes of a decoded message: the reference receiver's cap (Prometheus 3).
inline constexpr std::size_t kMaxDecodedBytes = 32u << 20;
// Bytes that one compressed byte can become at most: a 3-byte copy element gives 64. A body that claims more is lying,
// and is found out before anything is allocated.
inline constexpr std::size_t kMaxSnappyRatio = 22;

// The size that a snappy block claims to have. kInvalidArgument: no block (framed format included), over
// kMaxDecodedBytes, or more than the body could ever become.
Result<std::size_t> DeclaredSize(Bytes body);

// Memory that decoded bodies reuse; one for a thread. It comes from the kernel in pages, so that what a large body took
// really goes back at the next Shrink(): malloc would keep such blocks in the thread's arena.
class DecodeBuffer {
 public:
  // Keeps buffers up to this size between requests: six times a 2,000-sample request.
  static constexpr std::size_t kKeepBytes = 4u << 20;

  DecodeBuffer() = default;
  ~DecodeBuffer() { Release(); }
  DecodeBuffer(const DecodeBuffer&) = delete;
  DecodeBuffer& operator=(const DecodeBuffer&) = delete;

  // The decoded message, valid until the next call. `declared` is DeclaredSize(body). kInvalidArgument when corrupt,
  // kUnavailable when there is no memory.
  Result<Bytes> Uncompress(Bytes body, std::size_t declared);
  void Shrink();

 private:
  void Release();
  Status Reserve(std::size_t size);

  char* bytes_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace wiregauge::receive
