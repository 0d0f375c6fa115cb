// One direction of an HTTP/1.0 or 1.1 connection: bytes in order go in, the beginnings and ends of messages come out.
// Push style: a message may be split anywhere, and nothing is copied unless a line is. Framing: RFC 9112 section 6.
// After a loss that the framing cannot bridge the decoder says so (OnLost), counts what it cannot read, and goes on at
// the next message start. Pure: no clock, no I/O. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "exporter/decode/http1/parse.h"
#include "exporter/decode/http1/types.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode::http1 {

enum class Loss : std::uint8_t {
  kMessageOpen,  // the message that began last has no end that is seen; OnMessageEnd may follow, or the next beginning
  kMessages,     // a message was lost, perhaps several, before anything of it was known
  kPerhaps,      // messages may be among bytes that were skipped in search of a start
};

// Hears what a Decoder finds, in stream order. Must not call the Decoder it hears, except where said.
class Handler {
 public:
  // A request begins; its head goes on. The line is valid during the call.
  virtual void OnRequestLine(const RequestLine& line, std::uint64_t first_byte_ns) = 0;
  // The request that began last carries this trace. Told once for each such field: more than one means nothing
  // (W3C Trace Context, section 3.2).
  virtual void OnTrace(const Trace& trace) = 0;
  // An answer begins. Returns the method of the request that it answers, as that decides whether it has a body.
  virtual Method OnStatusLine(const StatusLine& line) = 0;
  // The message that began last is complete. 1xx answers are messages too.
  virtual void OnMessageEnd() = 0;
  // The framing is, or was, lost.
  virtual void OnLost(Loss loss) = 0;
  // The first bytes of this direction are no HTTP/1.
  virtual void OnNotHttp() = 0;
  // The connection leaves HTTP with the message that ended last: kUpgraded or kTunnel.
  virtual void OnSwitch(Unparsed reason) = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;

 protected:
  ~Handler() = default;
};

// Every byte told by OnBytes and OnGap is, once, parsed (TakeParsedBytes), unparsed (OnUnparsed), or part of a head
// that is not complete yet (pending_bytes).
class Decoder {
 public:
  // `mid_stream`: the first byte may be anywhere in a message.
  Decoder(Kind kind, bool mid_stream);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  void OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler);
  // `length` bytes are missing, the last of them are `tail`.
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, Handler& handler);
  // Nothing follows. A body until the close ends here; a pending head is counted as kCutOff.
  void OnClose(Handler& handler);

  // What the other direction has found out. These may be called from the handler of the other direction.
  void SetKind(Kind kind) { kind_ = kind; }
  void ConfirmHttp() { confirmed_ = true; }  // what breaks the grammar from now on is malformed, not another protocol
  // Everything from now on is counted as `reason`, a pending head too.
  void StopDecoding(Unparsed reason, Handler& handler);
  // The message without a seen end is over, as the peer went on: what follows until the next start is unparsed.
  void EndLostMessage(Handler& handler);
  // The CONNECT after which this direction waits was refused: requests go on.
  void OnConnectRefused();

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool opaque() const { return state_ == State::kOpaque; }
  [[nodiscard]] bool in_head() const { return state_ == State::kHeader; }
  [[nodiscard]] bool in_lost_message() const { return state_ == State::kLost; }
  [[nodiscard]] bool in_body_until_close() const { return state_ == State::kUntilClose; }
  // The answer that ended last hands the connection over to HTTP/2 (RFC 7540 section 3.2).
  [[nodiscard]] bool upgrades_to_http2() const { return status_ == 101 && framing_.h2c; }
  // No message has begun that is not ended.
  [[nodiscard]] bool between_messages() const {
    return state_ == State::kStart || state_ == State::kStartLine || state_ == State::kResync;
  }

  [[nodiscard]] std::uint64_t pending_bytes() const { return state_ <= State::kHeader ? section_bytes_ : 0; }
  // Bytes understood since the last call.
  std::uint64_t TakeParsedBytes();

 private:
  enum class State : std::uint8_t {
    kStart,      // between messages
    kStartLine,  // in a start line
    kHeader,     // behind the start line, in the head
    kBody,       // body_left_ bytes to go
    kChunkSize,
    kChunkExtension,
    kChunkData,     // body_left_ bytes to go
    kChunkDataEnd,  // the line end behind a chunk
    kTrailer,
    kUntilClose,
    kAwaitAnswer,  // behind a CONNECT
    kLost,         // in a message whose end is not known
    kResync,       // between messages, the next start not found yet
    kOpaque,       // for good
  };

  struct PartialLine;

  std::size_t Step(std::string_view run, std::uint64_t time_ns, Handler& handler);
  std::size_t SkipEmptyLines(std::string_view run, std::uint64_t time_ns);
  std::size_t StepHead(std::string_view run, Handler& handler);
  std::size_t SkimFields(std::string_view run);
  std::size_t BufferLine(std::string_view run, Handler& handler);
  void EndLine(const Line& line, Handler& handler);
  void EndStartLine(const Line& line, Handler& handler);
  void EndHead(Handler& handler);
  void EndRequestHead(Handler& handler);
  void EndResponseHead(Handler& handler);
  std::size_t StepBody(std::string_view run, Handler& handler);
  std::size_t StepChunkSize(std::string_view run, Handler& handler);
  std::size_t StepChunkExtension(std::string_view run, Handler& handler);
  std::size_t StepChunkDataEnd(std::string_view run, Handler& handler);
  std::size_t StepTrailer(std::string_view run, Handler& handler);
  void EndChunkSize();
  std::size_t StepLost(std::string_view run, Handler& handler);
  std::size_t StepResync(std::string_view run, Handler& handler);
  bool SkipKnownGap(std::uint64_t& length, Handler& handler);

  void BeginBody(std::uint64_t length, Handler& handler);
  void BeginChunked();
  void EndMessage(Handler& handler);
  void SkipUnparsed(std::uint64_t bytes, Handler& handler);
  // Counts the current section as `reason` and leaves the message, or what was to become one.
  void Fail(Unparsed reason, Handler& handler);

  std::uint64_t body_left_ = 0;           // of the body or the chunk; the value of a chunk size being read
  std::uint64_t first_byte_ns_ = 0;       // of the message that began last
  std::uint64_t parsed_bytes_ = 0;        // since TakeParsedBytes
  std::unique_ptr<PartialLine> partial_;  // only while a head's line is split over runs
  Framing framing_;
  std::uint32_t section_bytes_ = 0;  // of the head, chunk-size line or trailer section so far
  std::uint16_t status_ = 0;
  Method answered_ = Method::kOther;
  State state_;
  Kind kind_;
  Unparsed loss_ = Unparsed::kMidStream;  // why the state is kLost, kResync or kOpaque
  bool confirmed_ : 1;                    // HTTP was seen on this connection
  bool searched_ : 1;                     // the current head was found by searching: check it more closely
  bool line_empty_ : 1;                   // nothing of the current trailer line was seen, except CRs
  bool digit_seen_ : 1;                   // of the current chunk size
  bool early_bytes_ : 1;                  // bytes came in kAwaitAnswer
};

}  // namespace wiregauge::decode::http1
