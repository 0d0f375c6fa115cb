// Packets of the MySQL protocol as pure functions over a payload or its beginning, and whether bytes look like the
// beginning of a connection. What they return borrows from their arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "exporter/decode/likeness.h"
#include "exporter/decode/mysql/types.h"

namespace wiregauge::decode::mysql {

// A packet's header; `bytes` has at least kHeaderBytes.
struct Header {
  std::uint32_t length = 0;  // of the payload
  std::uint8_t sequence = 0;
};
Header ReadHeader(Bytes bytes);

// The login or the request for TLS that begins with these bytes of a payload of `length`. At least min(length, 32) are
// given. Only protocol 4.1: nothing older is in use.
std::optional<Login> ParseLogin(Bytes payload, std::uint32_t length);

// The greeting that begins with these bytes of a payload. Nothing when it is none; at least min(length, 24) are given.
std::optional<Greeting> ParseGreeting(Bytes payload, std::uint32_t length);

// A command's payload of `length` bytes, of which these are at hand: all, or the first kRequestBytesRead or fewer.
Request ParseRequest(Bytes payload, std::uint32_t length);

// Whether more of the command's payload than these bytes can make ParseRequest say more.
bool NeedsMore(const Request& request, Bytes payload, std::uint32_t length);

// Whether a known command of plausible shape begins with these bytes, header first, of which more may follow.
bool CanStartRequest(Bytes bytes);

// What a packet of an answer is, by its first byte and its length. An ERR is one everywhere; the others depend on the
// place: the first of an answer, a row.
enum class Packet : std::uint8_t {
  kOk,
  kError,
  kProgress,  // MariaDB: an ERR packet that reports how far a long statement is
  kEof,       // the old form, 5 bytes
  kOkAsEof,   // the new form (CLIENT_DEPRECATE_EOF): an OK packet with another first byte
  kFile,      // asks for the file of a LOAD DATA LOCAL INFILE
  kData,      // anything else
};
// `payload` is not empty; it has min(length, kAnswerBytesRead) bytes.
Packet PacketKind(Bytes payload, std::uint32_t length);

// The status flags of an OK, kEof or kOkAsEof packet; 0 when it is malformed.
std::uint16_t StatusOf(Bytes payload, Packet kind);
inline constexpr std::uint16_t kMoreResults = 0x0008;
inline constexpr std::uint16_t kCursorExists = 0x0040;

// The number of an ERR packet.
std::uint16_t ErrorOf(Bytes payload);

// The packet with which a result set begins.
struct ColumnCount {
  std::uint64_t columns = 0;
  bool definitions_follow = true;  // else the client has them from before
};
std::optional<ColumnCount> ParseColumnCount(Bytes payload, std::uint32_t length);

// The answer to kStmtPrepare.
struct Prepared {
  std::uint32_t statement_id = 0;
  std::uint16_t columns = 0;
  std::uint16_t parameters = 0;
  bool definitions_follow = true;
};
std::optional<Prepared> ParsePrepared(Bytes payload, std::uint32_t length);

// The packet with which rows end, at the end of a segment whose framing is not known. `bytes` are the segment's last:
// 8 (the kernel's tail) or more. Nothing when they do not show one.
struct Terminator {
  std::uint16_t status = 0;
  std::uint16_t error = 0;
};
// `old_eof`: rows end with kEof, else with kOkAsEof.
std::optional<Terminator> FindTerminator(Bytes bytes, bool old_eof);

// The longest of them but ERR: a packet that ends rows.
inline constexpr std::size_t kTerminatorBytes = kHeaderBytes + 7;

// Whether these last bytes of an answer, 8 or more, are those of an ERR packet, that is text: what else can end an
// answer ends with numbers, of which one is 0.
bool EndsWithText(Bytes bytes);

Likeness LooksLikeRequests(Bytes first, bool mid_stream);
Likeness LooksLikeAnswers(Bytes first, bool mid_stream);

}  // namespace wiregauge::decode::mysql
