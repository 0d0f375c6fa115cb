// Lines of an HTTP/1 head as pure functions, and where in a run of bytes a message can start. What they return borrows
// from their arguments. Grammar: RFC 9112 sections 2 to 5; laxities are those that servers in use share (a bare LF ends
// a line, the target may hold any byte, text after a status is not looked at).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "exporter/decode/http1/types.h"
#include "exporter/decode/likeness.h"
#include "exporter/decode/trace_context.h"

namespace wiregauge::decode::http1 {

// A line without its end (LF or CRLF). Of a line over kLineBytesKept only the two ends are at hand.
struct Line {
  std::string_view first;  // the first min(size, kLineBytesKept) bytes
  std::string_view last;   // the last min(size, kLineEndBytes) bytes; may overlap `first`
  std::size_t size = 0;
};

// " HTTP/1.1"
inline constexpr std::size_t kLineEndBytes = 9;

// The line whose bytes are all in `text`.
Line WholeLine(std::string_view text);

// Nothing when it is not HTTP/1.x.
std::optional<RequestLine> ParseRequestLine(const Line& line);
std::optional<StatusLine> ParseStatusLine(const Line& line);

// The method registered under exactly this name, else kOther.
Method FindMethod(std::string_view name);

// The path of a request target (RFC 9112 section 3.2), not cut. "/" when the target has an authority and no path,
// "*" for OPTIONS then.
std::string_view TargetPath(Method method, std::string_view target);

// What the header fields of one head say about the message's length. Zero-initialised for each head.
struct Framing {
  std::uint64_t content_length = 0;
  bool has_content_length = false;
  bool has_transfer_encoding = false;
  bool chunked = false;    // the last transfer coding is "chunked"
  bool h2c = false;        // an Upgrade field names HTTP/2
  bool ambiguous = false;  // contradicting or unreadable lengths: RFC 9112 section 6.3 forbids to guess

  enum class Field : std::uint8_t { kOther, kContentLength, kTransferEncoding };
  Field last_field = Field::kOther;  // what an obs-fold line goes on with
};

// Reads a header field line, or an obs-fold line (begins with a space or tab), into `framing`.
void ReadFieldLine(const Line& line, Framing& framing);

// The trace that a field line tells of, if it is a valid traceparent.
std::optional<Trace> ParseTraceField(const Line& line);

// How many of the first bytes of `run` are whole lines that ReadFieldLine and ParseTraceField would not look at: every
// field line but the two of framing and traceparent. Stops before a line that begins with a blank or is empty. The fast
// path of every head.
std::size_t OtherFieldLines(std::string_view run);

// Whether the line has the shape `token ":" ...` or is an obs-fold line. Not needed for framing: a check on heads that
// were found by searching.
bool IsFieldLine(const Line& line);

enum class Kind : std::uint8_t { kUnknown, kRequests, kResponses };

// Whether a message of that kind can begin with these bytes, of which more may follow: a method token and a space, or
// "HTTP/1.". The first check of every connection.
bool CanStart(std::string_view bytes, Kind kind);

// See LikenessOf. After a loss or in the middle the decoder finds message starts by itself, so these look only at the
// first byte on.
Likeness LooksLikeRequests(Bytes first, bool mid_stream);
Likeness LooksLikeAnswers(Bytes first, bool mid_stream);

// Where a message seems to start in `run`, the bytes after a loss: at the run's first byte or behind empty lines (then
// it may be cut short by the run's end) or at a full start line inside. Stricter than CanStart: only registered
// methods. npos when nowhere.
std::size_t FindStart(std::string_view run, Kind kind);

// Whether a run that belongs to a chunked body of unknown position ends with the last chunk and no trailers.
bool EndsWithLastChunk(std::string_view run);

}  // namespace wiregauge::decode::http1
