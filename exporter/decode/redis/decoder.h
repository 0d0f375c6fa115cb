// The two directions of a Redis connection: bytes in order go in, whole commands and whole answers come out. Push
// style: a message may be split anywhere, and nothing is copied unless a line is. After a loss that the framing cannot
// bridge a decoder says so (OnLost), counts what it cannot read, and goes on at the next message start. Pure: no clock,
// no I/O. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "exporter/decode/line_framing.h"
#include "exporter/decode/redis/parse.h"
#include "exporter/decode/redis/types.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode::redis {

// Hears what a decoder finds, in stream order. May call Stop of the decoder that it hears, nothing else of it.
class RequestHandler {
 public:
  virtual void OnRequest(const Request& request, std::uint64_t first_byte_ns) = 0;
  // Commands may be lost from here on. `open`: the one that had begun, as far as it was seen; null when none had, or
  // nothing is known of it.
  virtual void OnLost(const Request* open, std::uint64_t first_byte_ns) = 0;
  // The bytes are no command. OnLost follows.
  virtual void OnMalformed() = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;

 protected:
  ~RequestHandler() = default;
};

class RequestDecoder : public LineFraming {
 public:
  // `mid_stream`: the first byte may be anywhere in a message.
  explicit RequestDecoder(bool mid_stream) : LineFraming(mid_stream) {}

  void OnBytes(Bytes bytes, std::uint64_t time_ns, RequestHandler& handler);
  // `length` bytes are missing, the last of them are `tail`.
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, RequestHandler& handler);
  // Everything from now on is counted as `reason`, a pending line too.
  void Stop(Unparsed reason, RequestHandler& handler);
  // Nothing follows: a pending line is counted as kCutOff.
  void OnClose(RequestHandler& handler);

 private:
  std::size_t Step(std::string_view run, std::uint64_t time_ns, bool at_segment_start, RequestHandler& handler);
  std::size_t StepLine(std::string_view run, std::uint64_t time_ns, RequestHandler& handler);
  void OnLine(std::string_view line, RequestHandler& handler);
  void EndArgument(RequestHandler& handler);
  void Fail(Unparsed reason, RequestHandler& handler);

  ArgumentReader arguments_;
  std::uint64_t arguments_left_ = 0;  // of the command that is open
  std::uint64_t first_byte_ns_ = 0;
};

class AnswerHandler {
 public:
  virtual void OnAnswer(const Answer& answer) = 0;
  // Answers may be lost from here on. `open`: one had begun.
  virtual void OnLost(bool open) = 0;
  // The bytes are no answer. OnLost follows.
  virtual void OnMalformed() = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;

 protected:
  ~AnswerHandler() = default;
};

// RESP2 and RESP3 alike: nothing needs to be known of HELLO.
class AnswerDecoder : public LineFraming {
 public:
  explicit AnswerDecoder(bool mid_stream) : LineFraming(mid_stream), may_start_(mid_stream) {}

  // As RequestDecoder's.
  void OnBytes(Bytes bytes, AnswerHandler& handler);
  void OnGap(std::uint64_t length, Bytes tail, AnswerHandler& handler);
  void Stop(Unparsed reason, AnswerHandler& handler);
  void OnClose(AnswerHandler& handler);

  // The client went on. What elements of a lost array look like is what answers look like: only here a search ends.
  void RequestPassed() { may_start_ = true; }
  // An answer has begun that has not ended.
  [[nodiscard]] bool in_answer() const { return !levels_.empty() || partial_bytes_ > 0 || state_ == State::kString; }

 private:
  // An aggregate that is open.
  struct Level {
    static constexpr std::uint64_t kStreamed = std::numeric_limits<std::uint64_t>::max();  // until "."
    enum class Kind : std::uint8_t { kElements, kAttribute, kChunks };
    std::uint64_t left = 0;
    Kind kind = Kind::kElements;
  };

  std::size_t Step(std::string_view run, bool at_segment_start, AnswerHandler& handler);
  std::size_t StepLine(std::string_view run, AnswerHandler& handler);
  void OnLine(std::string_view line, AnswerHandler& handler);
  void OnStatus(std::string_view text);
  bool BeginAggregate(std::string_view count, char type, AnswerHandler& handler);
  bool BeginBulk(std::string_view size, char type, AnswerHandler& handler);
  void EndString(AnswerHandler& handler);
  void EndElement(AnswerHandler& handler);
  void Fail(Unparsed reason, AnswerHandler& handler);
  // Of the outermost array or push.
  [[nodiscard]] bool at_element(std::uint64_t index) const { return levels_.size() == 1 && elements_ == index; }

  std::vector<Level> levels_;
  Answer answer_;
  std::uint64_t elements_ = 0;  // complete, of the outermost aggregate
  char string_type_ = 0;
  bool may_start_;
};

}  // namespace wiregauge::decode::redis
