// One direction of a Kafka connection: bytes in order go in, requests and answers with their topics and error codes
// come out. Push style: a message may be split anywhere, and nothing is copied unless a header, a number or a topic's
// name is. After a loss that the framing cannot bridge the decoder says so (OnLost), counts what it cannot read, and
// goes on at the next message start. Pure: no clock, no I/O. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "exporter/decode/kafka/parse.h"
#include "exporter/decode/kafka/types.h"
#include "exporter/decode/kafka/walker.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode::kafka {

// Hears what a Decoder finds, in stream order. Must not call the Decoder it hears. OnTopic and OnTopicId belong to the
// OnRequest or OnAnswer that follows: of a request that names one topic, that one; of an answer that teaches topic ids,
// each name followed by its id.
class Handler : public TopicSink {
 public:
  virtual void OnRequest(const Request& request) = 0;
  // An answer begins. Returns what it answers, which decides how it is read; nothing: it is skipped, and no OnAnswer
  // follows.
  virtual std::optional<Api> OnAnswerBegins(std::int32_t correlation_id) = 0;
  virtual void OnAnswer(const Answer& answer) = 0;
  // Whether a request with this id waits for its answer: how an answer is found after a loss.
  [[nodiscard]] virtual bool IsExpected(std::int32_t correlation_id) const = 0;
  // Messages may have been lost, before anything of them was known.
  virtual void OnLost() = 0;
  // The first bytes of this direction are no Kafka.
  virtual void OnNotKafka() = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;

 protected:
  ~Handler() = default;
};

enum class Kind : std::uint8_t { kRequests, kAnswers };

// Every byte told by OnBytes and OnGap is, once, parsed (TakeParsedBytes), unparsed (OnUnparsed), or part of a header
// that is not complete yet (pending_bytes).
class Decoder {
 public:
  // `mid_stream`: the first byte may be anywhere in a message.
  Decoder(Kind kind, bool mid_stream);

  void OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler);
  // `length` bytes are missing, the last of them are `tail`.
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, Handler& handler);
  // Nothing follows: a pending header is counted as kCutOff.
  void OnClose(Handler& handler);

  // What breaks the grammar from now on is malformed, not another protocol.
  void ConfirmKafka() { confirmed_ = true; }

  [[nodiscard]] std::uint64_t pending_bytes() const { return partial_size_; }
  // Bytes understood since the last call.
  std::uint64_t TakeParsedBytes();

 private:
  enum class State : std::uint8_t {
    kHeader,  // at a message's start, or in its header
    kBody,    // frame_left_ bytes to go
    kResync,  // the next message start not found yet
    kOpaque,  // for good
  };

  [[nodiscard]] std::size_t header_bytes() const {
    return kind_ == Kind::kRequests ? kRequestHeaderBytes : kAnswerHeaderBytes;
  }
  std::size_t StepHeader(Bytes run, std::uint64_t time_ns, Handler& handler);
  std::size_t StepBody(Bytes run, std::uint64_t time_ns, Handler& handler);
  std::size_t StepResync(Bytes run, bool at_start, Handler& handler);
  std::uint64_t GapInBody(std::uint64_t length, std::uint64_t time_ns, Handler& handler);
  void EndHeader(const std::uint8_t* raw, std::uint64_t time_ns, Handler& handler);
  void BeginRequest(const RequestHeader& header);
  void BeginAnswer(const AnswerHeader& header, Handler& handler);
  void EndFrame(std::uint64_t time_ns, Handler& handler);
  [[nodiscard]] Walk HowItEnded() const;
  void Count(std::uint64_t bytes, Handler& handler);
  void Lose(Unparsed reason, Handler& handler);
  // Whether a message begins at `at` in `run`, after a loss.
  [[nodiscard]] bool StartsAt(Bytes run, std::size_t at, const Handler& handler) const;

  Walker walker_;
  std::uint64_t first_byte_ns_ = 0;  // of the message
  std::uint64_t parsed_bytes_ = 0;   // since TakeParsedBytes
  std::uint32_t frame_left_ = 0;
  std::int32_t correlation_id_ = -1;  // of the message, or of the one before
  Api api_;
  std::int16_t client_id_bytes_ = -1;
  std::array<std::uint8_t, kRequestHeaderBytes> partial_;
  std::uint8_t partial_size_ = 0;
  State state_;
  Kind kind_;
  Unparsed loss_ = Unparsed::kMidStream;  // why the state is kResync or kOpaque
  std::optional<Unparsed> rest_;          // what the rest of the message is counted as, unless parsed
  bool walking_ = false;                  // with walker_
  bool wanted_ = false;                   // the answer is to be told
  bool confirmed_;                        // Kafka was seen on this connection
  bool seen_ = false;                     // a message of this direction was seen whole
};

}  // namespace wiregauge::decode::kafka
