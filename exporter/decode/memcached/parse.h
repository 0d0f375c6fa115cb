// Lines of memcached's text protocol as pure functions, and where in a run of bytes a command can start. Grammar and
// names: memcached's doc/protocol.txt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "exporter/decode/likeness.h"
#include "exporter/decode/memcached/types.h"

namespace wiregauge::decode::memcached {

struct RequestLine {
  Request request;
  std::optional<std::uint64_t> value_bytes;  // a value of that size and a line end follow
};

// A command line without its end, at most its first kLineBytesKept bytes. What the server would answer with ERROR is
// kOther.
RequestLine ParseRequestLine(std::string_view line);

struct AnswerLine {
  Answer answer;  // code kNone: the line is part of an answer that goes on
  std::optional<std::uint64_t> value_bytes;
  bool is_value = false;  // of get
  bool is_log = false;    // what `watch` sends
};

// A line of an answer, the same. Nothing when it is none.
std::optional<AnswerLine> ParseAnswerLine(std::string_view line);

// Where a command seems to start in `run`, the bytes after a loss: at `run`'s first byte when `at_segment_start`, or
// behind a line end; a whole line of a well-formed command. npos when nowhere.
std::size_t FindRequestStart(std::string_view run, bool at_segment_start);

// Whether an answer can begin with these bytes, of which more may follow.
bool CanStartAnswer(std::string_view run);

Likeness LooksLikeRequests(Bytes first, bool mid_stream);
Likeness LooksLikeAnswers(Bytes first, bool mid_stream);

}  // namespace wiregauge::decode::memcached
