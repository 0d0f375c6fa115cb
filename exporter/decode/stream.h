// One direction of a TCP connection, from the segments that passed the tap to bytes in order, each byte told once: as
// bytes when they were captured, as part of a gap when they passed but are not at hand. Rules: RFC 9293 section 3.4
// (sequence numbers wrap at 2^32, a window is at most 2^30 bytes). Pure: no clock, no I/O. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "exporter/decode/budget.h"
#include "exporter/probe/record.h"

namespace wiregauge::decode {

// Takes what a Stream puts in order. Views are valid during the call. `time_ns` is when the segment passed the tap; it
// can go back when an out-of-order segment is delivered after the one that filled the hole before it. Must not call
// the Stream.
class StreamSink {
 public:
  virtual void OnBytes(Bytes bytes, std::uint64_t time_ns) = 0;
  // `length` >= 1 bytes that passed and are not at hand; `tail` is the last 0 to 8 of them.
  virtual void OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns) = 0;

 protected:
  ~StreamSink() = default;
};

class Stream {
 public:
  // What one direction may hold back while it waits for a hole to fill. A segment that is overtaken, when a sender
  // moves to another CPU, has a dozen of 64 KiB behind it; one that is lost has what its window sends in a round trip,
  // and of HTTP/2 and Kafka all of that is captured and needed.
  static constexpr std::size_t kHeldPiecesMax = 1'024;
  static constexpr std::size_t kHeldBytesMax = 1u << 20;  // captured bytes
  // Sequence numbers this far back are retransmissions, as no window is larger; further back is a jump forward.
  static constexpr std::uint32_t kWindowBytesMax = 1u << 30;

  // Without a first sequence number the stream starts with the first piece that is told.
  explicit Stream(std::optional<std::uint32_t> first_seq);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // With `may_hold`, a piece behind a hole is copied and waits until the hole fills, GiveUpHoles is called, or a limit
  // is reached; without, the hole is a gap at once. `budget` is charged for copies and must outlive the stream.
  void Push(const probe::DataRecord& record, bool may_hold, MemoryBudget& budget, StreamSink& sink);

  // Delivers everything that waits, the holes as gaps.
  void GiveUpHoles(StreamSink& sink);

  // Sequence number of the next byte to tell.
  [[nodiscard]] std::uint32_t next_seq() const { return next_; }
  [[nodiscard]] bool waiting() const { return held_ != nullptr; }
  // When the oldest hole was first seen. Only when waiting().
  [[nodiscard]] std::uint64_t waiting_since_ns() const;

 private:
  struct Piece;
  struct Held;

  // There is a hole between what was told and `seq`, small enough to fill yet.
  [[nodiscard]] bool IsAhead(std::uint32_t seq) const { return seq != next_ && seq - next_ <= kWindowBytesMax; }
  void Deliver(Piece piece, StreamSink& sink);
  void DeliverHeld(bool first_hole_too, StreamSink& sink);
  void Hold(const Piece& piece, MemoryBudget& budget, StreamSink& sink);
  void Skip(std::uint32_t length, Bytes tail, std::uint64_t time_ns, StreamSink& sink);

  std::uint32_t next_;  // sequence number of the next byte to tell
  bool started_;
  std::unique_ptr<Held> held_;  // null unless there is a hole with something behind it
};

}  // namespace wiregauge::decode
