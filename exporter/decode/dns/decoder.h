// One direction of DNS over TCP (RFC 1035 section 4.2.2, RFC 7766): bytes in order go in, whole messages come out.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode::dns {

class Handler {
 public:
  // A message, as far as it is at hand (kMessageKept bytes and no gap); valid during the call.
  virtual void OnMessage(Bytes message, std::uint64_t first_byte_ns) = 0;
  // The framing is lost: messages may be among what follows until the next one.
  virtual void OnLost() = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;

 protected:
  ~Handler() = default;
};

class Decoder {
 public:
  // Of one message; a zone transfer's messages are as large as 64 KiB and nothing is read in them behind this.
  static constexpr std::size_t kMessageKept = 4'096;

  void OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler);
  void OnGap(std::uint64_t length, Handler& handler);
  void OnClose(Handler& handler);

  [[nodiscard]] std::uint64_t pending_bytes() const { return told_; }
  std::uint64_t TakeParsedBytes();

 private:
  void End(Bytes message, Handler& handler);

  std::vector<std::uint8_t> kept_;  // of a message that came in parts: its two bytes of length, and what is kept of it
  std::uint64_t told_ = 0;          // bytes of the current message, its length included
  std::uint64_t first_byte_ns_ = 0;
  std::uint64_t parsed_ = 0;
  bool lost_ = false;     // nothing can be read until the next segment that begins with a message
  bool has_gap_ = false;  // inside the current message
};

}  // namespace wiregauge::decode::dns
