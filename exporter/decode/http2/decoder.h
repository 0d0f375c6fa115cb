// One direction of an HTTP/2 connection: bytes in order go in, header sections and the ends of streams come out. Push
// style: a frame may be split anywhere, and nothing is copied unless a header block is. Framing: RFC 9113 section 4.
// After a loss that the framing cannot bridge the decoder says so (OnLost), counts what it cannot read, and goes on
// where frames follow each other. Pure: no clock, no I/O. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "exporter/decode/budget.h"
#include "exporter/decode/http2/hpack.h"
#include "exporter/decode/http2/parse.h"
#include "exporter/decode/http2/types.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode::http2 {

// A header section: a request's, an answer's (1xx too), or trailers.
struct Section {
  std::uint32_t stream = 0;
  bool end_stream = false;
  bool lost = false;  // its bytes were not at hand, or not readable: nothing of `fields` is known
  std::uint64_t first_byte_ns = 0;
  Fields fields;
};

// A DATA frame that has ended.
struct Data {
  std::uint32_t stream = 0;
  bool end_stream = false;
  bool grpc_message = false;  // it holds exactly one message as gRPC frames them; false too when that was not at hand
};

// Hears what a Decoder finds, in stream order. Must not call the Decoder it hears.
class Handler {
 public:
  // The section's texts may be moved from.
  virtual void OnSection(Section& section) = 0;
  virtual void OnData(const Data& data) = 0;
  // `error` is kUnknownError when it was not at hand.
  virtual void OnReset(std::uint32_t stream, std::uint32_t error) = 0;
  // The peer has not processed and never will process streams above `last_stream`.
  virtual void OnGoAway(std::uint32_t last_stream, std::uint32_t error) = 0;
  // Frames were lost, any number of any kind.
  virtual void OnLost() = 0;
  // The first bytes of this direction are no HTTP/2.
  virtual void OnNotHttp2() = 0;
  // It is HTTP/2 for sure. May be told again.
  virtual void OnHttp2() = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;
  // Asked while frames are searched: whether a DATA frame on that stream is to be expected.
  [[nodiscard]] virtual bool IsOpen(std::uint32_t stream) const = 0;

 protected:
  ~Handler() = default;
};

// Every byte told by OnBytes and OnGap is, once, parsed (TakeParsedBytes), unparsed (OnUnparsed), or part of a header
// block or frame header that is not complete yet (pending_bytes).
class Decoder {
 public:
  // `mid_stream`: the first byte may be anywhere in a frame. `budget` must outlive this.
  Decoder(From from, bool mid_stream, MemoryBudget& budget);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  void OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler);
  // `length` bytes are missing, the last of them are `tail`.
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, Handler& handler);
  // Nothing follows: what is pending is counted as kCutOff.
  void OnClose(Handler& handler);

  // The other direction is HTTP/2: what breaks the grammar from now on is malformed, not another protocol.
  void ConfirmHttp2() { confirmed_ = true; }
  // Everything from now on is counted as `reason`, what is pending too.
  void StopDecoding(Unparsed reason, Handler& handler);

  [[nodiscard]] std::uint64_t pending_bytes() const { return pending_; }
  // Bytes understood since the last call.
  std::uint64_t TakeParsedBytes();

  // References to the dynamic table may be unknown.
  [[nodiscard]] bool degraded() const { return !headers_.complete(); }

 private:
  enum class State : std::uint8_t {
    kClientPreface,  // left_ bytes of it to go
    kHeader,         // in a frame header, or before one
    kPayload,        // nothing of it is looked at; left_ bytes to go
    kControl,        // its first bytes are kept; left_ bytes to go
    kBlock,          // of HEADERS, PUSH_PROMISE or CONTINUATION; left_ bytes to go
    kResync,         // no frame found yet
    kOpaque,         // for good
  };
  struct Block;

  std::size_t Step(Bytes run, std::uint64_t time_ns, Handler& handler);
  std::size_t StepPreface(Bytes run, Handler& handler);
  std::size_t StepHeader(Bytes run, std::uint64_t time_ns, Handler& handler);
  std::size_t StepControl(Bytes run, Handler& handler);
  std::size_t StepBlock(Bytes run, Handler& handler);
  std::size_t StepResync(Bytes run, Handler& handler);
  // Starts the frame frame_, whose payload begins with `rest` as far as it is at hand. How much of it is used.
  std::size_t BeginFrame(Bytes rest, Handler& handler);
  std::size_t BeginBlockFrame(Bytes rest, Handler& handler);
  void EndFrame(Handler& handler);
  void EndControl(Handler& handler);
  void EndBlockFrame(Handler& handler);
  void EndBlock(Bytes fragment, std::uint32_t stream, std::uint8_t first_flags, bool push, Handler& handler);
  void LoseBlock(Unparsed reason, Handler& handler);
  void SkipKnownGap(std::uint64_t& length, Handler& handler);
  void Lose(Unparsed reason, Handler& handler);
  bool FramesStart(Bytes run, bool at_start, const Handler& handler) const;
  void Parsed(std::uint64_t bytes) { parsed_bytes_ += bytes; }

  HeaderDecoder headers_;
  std::uint64_t first_byte_ns_ = 0;  // of the frame, or of the block that it goes on with
  std::uint64_t parsed_bytes_ = 0;   // since TakeParsedBytes
  std::unique_ptr<Block> block_;     // only while a header block is not complete
  FrameHeader frame_;
  std::uint32_t left_ = 0;
  std::uint32_t pending_ = 0;
  std::array<std::uint8_t, kFrameHeaderBytes> partial_{};  // of a split frame header, or of a control frame
  std::uint8_t partial_size_ = 0;
  std::uint8_t doubtful_frames_ = 0;  // so many frames must look likely, as they were found by searching
  From from_;
  State state_;
  Unparsed loss_ = Unparsed::kMidStream;  // why the state is kResync or kOpaque
  bool confirmed_ : 1;                    // HTTP/2 was seen on this connection
  bool first_frame_ : 1;                  // none was seen yet, since the beginning
  bool grpc_message_ : 1;                 // of the DATA frame
  bool payload_lost_ : 1;                 // of the control frame
};

}  // namespace wiregauge::decode::http2
