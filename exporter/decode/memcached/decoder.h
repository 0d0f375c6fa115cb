// The two directions of a memcached connection: bytes in order go in, whole commands and whole answers come out. Push
// style: a message may be split anywhere, and nothing is copied unless a line is. After a loss that the framing cannot
// bridge a decoder says so (OnLost), counts what it cannot read, and goes on at the next message start. Pure: no clock,
// no I/O. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "exporter/decode/line_framing.h"
#include "exporter/decode/memcached/parse.h"
#include "exporter/decode/memcached/types.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode::memcached {

// Hears what a decoder finds, in stream order. Must not call the decoder that it hears.
class RequestHandler {
 public:
  virtual void OnRequest(const Request& request, std::uint64_t first_byte_ns) = 0;
  // Commands may be lost from here on. `open`: the one that had begun; null when none had, or nothing is known of it.
  virtual void OnLost(const Request* open, std::uint64_t first_byte_ns) = 0;
  // The bytes are no command. OnLost follows.
  virtual void OnMalformed() = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;

 protected:
  ~RequestHandler() = default;
};

class RequestDecoder : public LineFraming {
 public:
  explicit RequestDecoder(bool mid_stream) : LineFraming(mid_stream) {}

  void OnBytes(Bytes bytes, std::uint64_t time_ns, RequestHandler& handler);
  // `length` bytes are missing, the last of them are `tail`.
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, RequestHandler& handler);
  // Nothing follows: a pending line is counted as kCutOff.
  void OnClose(RequestHandler& handler);

 private:
  std::size_t Step(std::string_view run, std::uint64_t time_ns, bool at_segment_start, RequestHandler& handler);
  std::size_t StepLine(std::string_view run, std::uint64_t time_ns, RequestHandler& handler);
  void OnLine(std::string_view line, RequestHandler& handler);
  void EndRequest(RequestHandler& handler);
  void Fail(Unparsed reason, RequestHandler& handler);

  Request request_;  // whose value is being skipped
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

class AnswerDecoder : public LineFraming {
 public:
  explicit AnswerDecoder(bool mid_stream) : LineFraming(mid_stream), may_start_(mid_stream) {}

  void OnBytes(Bytes bytes, AnswerHandler& handler);
  void OnGap(std::uint64_t length, Bytes tail, AnswerHandler& handler);
  void OnClose(AnswerHandler& handler);

  // The client went on: only here a search for the next answer ends, as lines of a lost one look like answers.
  void RequestPassed() { may_start_ = true; }
  // An answer has begun that has not ended.
  [[nodiscard]] bool in_answer() const { return open_ || partial_bytes_ > 0 || state_ == State::kString; }

 private:
  std::size_t Step(std::string_view run, bool at_segment_start, AnswerHandler& handler);
  std::size_t StepLine(std::string_view run, AnswerHandler& handler);
  void OnLine(std::string_view line, AnswerHandler& handler);
  void EndLineOfAnswer(AnswerHandler& handler);
  void Fail(Unparsed reason, AnswerHandler& handler);

  Answer answer_;           // of the line whose value is being skipped
  bool open_ = false;       // lines came, the last did not
  bool has_value_ = false;  // VALUE was among them
  bool may_start_;
};

}  // namespace wiregauge::decode::memcached
