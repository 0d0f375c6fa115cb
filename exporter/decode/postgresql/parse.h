// PostgreSQL's messages as pure functions over their bytes, and where in a run of bytes a message can start or the
// server says that it is ready. What they return borrows from their arguments.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "exporter/decode/likeness.h"
#include "exporter/decode/postgresql/types.h"

namespace wiregauge::decode::postgresql {

// A type byte and the length of what follows, itself included.
inline constexpr std::size_t kHeaderBytes = 5;
// Length and code of an opening.
inline constexpr std::size_t kOpeningHeaderBytes = 8;

inline std::uint32_t ReadBigEndian32(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | std::uint32_t{at[3]};
}

// How messages of one type look. Nothing fits for bytes that are no type.
struct Shape {
  std::uint32_t length_min = 1;  // of the length field, which counts itself
  std::uint32_t length_max = 0;
  std::uint16_t kept = 0;  // of the body so many bytes are looked at
  bool told = false;       // the match room hears of it

  [[nodiscard]] bool Fits(std::uint32_t length) const { return length >= length_min && length <= length_max; }
};
const Shape& ShapeOf(Sender sender, std::uint8_t type);

// Which opening these 8 bytes begin; kNone when none.
Opening ParseOpening(Bytes header);

// `body`: the first bytes of the body, as many as its Shape asks for or as there are; all of it when `whole`.
ClientMessage ParseClientMessage(char type, Bytes body, bool whole);
ServerMessage ParseServerMessage(char type, Bytes body);

// What the server says that it did ("INSERT 0 1"), for a statement that was not seen. The server says SELECT for
// CREATE TABLE AS too.
Operation OperationOfCommandTag(std::string_view tag);

// Whether `run`, which begins where a message is due, can begin with one: the first is whole and another follows or
// nothing does, or the run is too short to tell.
bool StartsWithMessage(Sender sender, Bytes run);

// Whether `run`, which may begin anywhere, is whole messages up to one after which the other side speaks: the server's
// ReadyForQuery, the client's Query or Sync.
bool IsWholeTurn(Sender sender, Bytes run);

// The message at the end of `run`, of which 8 bytes are enough, after which the next one starts: 'Z' for a server,
// 'S' or 'c' for a client. '\0' when there is none.
char TurnEnd(Sender sender, Bytes run);
// What the bytes before the ReadyForQuery at the end of `run` are of: an ErrorResponse ends with two zeros, a
// CommandComplete with one.
Before BeforeReady(Bytes run);

// Detection: see decode::LikenessOf.
Likeness LooksLikeRequests(Bytes first, bool mid_stream);
Likeness LooksLikeAnswers(Bytes first, bool mid_stream);

}  // namespace wiregauge::decode::postgresql
