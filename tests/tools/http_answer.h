// Reads HTTP/1.1 answers from a byte stream, piece by piece: for the load generator, which must know where an answer
// ends and how long its body was. Written apart from exporter/decode on purpose: the tests compare the two. Source of
// its rules: RFC 9112 sections 4, 6 and 7. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wiregauge::tools {

struct Answer {
  int status = 0;
  std::uint64_t body_bytes = 0;  // without chunk framing
  bool closes = false;           // "Connection: close", or delimited by the end of the stream
};

class AnswerReader {
 public:
  // Starts the answer to the next request. An answer to HEAD has no body whatever its headers say.
  void Begin(bool to_head);

  // Takes bytes up to the end of the answer and returns how many of `input` that was; the rest belongs to the next
  // answer. kCorrupt when the bytes are no HTTP/1.x answer.
  Result<std::size_t> Feed(std::string_view input);

  // The stream has ended: true when that ends an answer properly (or none had begun), false when it cuts one off.
  bool EndStream();

  [[nodiscard]] bool done() const { return state_ == State::kDone; }
  [[nodiscard]] const Answer& answer() const { return answer_; }

 private:
  enum class State { kStatusLine, kHeader, kBody, kUntilEnd, kChunkSize, kChunk, kChunkEnd, kTrailer, kDone };

  Result<std::size_t> FeedLine(std::string_view input);
  std::size_t FeedBody(std::string_view input);
  Status TakeLine(std::string_view line);
  Status TakeStatusLine(std::string_view line);
  Status TakeHeader(std::string_view line);
  Status TakeChunkSize(std::string_view line);
  void EndHeaders();

  State state_ = State::kStatusLine;
  Answer answer_;
  bool to_head_ = false;
  bool chunked_ = false;
  bool has_length_ = false;
  std::uint64_t left_ = 0;  // bytes of the body or of the chunk still to come
  std::string line_;        // the part of a line that has come
};

}  // namespace wiregauge::tools
