// RESP's lines and commands as pure functions, and where in a run of bytes a message can start. Grammar: the protocol
// specification of Redis; laxities and limits are those of its networking.c.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "exporter/decode/likeness.h"
#include "exporter/decode/line_framing.h"
#include "exporter/decode/redis/types.h"

namespace wiregauge::decode::redis {

// The command of that name in any case, else kOtherCommand.
CommandId FindCommand(std::string_view name);

// The word that `text`, what follows '-' or a blob error's first bytes, begins with; see Answer::error.
std::string_view ErrorWord(std::string_view text);

// What publish/subscribe begins its arrays and pushes with, else kNone.
PubSub FindPubSub(std::string_view word);

// A decimal number without sign or blanks, up to `max`.
std::optional<std::uint64_t> ParseCount(std::string_view digits, std::uint64_t max);

// Reads the arguments of one command in their order and keeps what Request tells.
class ArgumentReader {
 public:
  // `count` arguments with the name, or 0 when that is not known before the end.
  void Begin(std::uint64_t count);
  // The next one, the name first: its first min(size, LineFraming::kFirstBytesKept) bytes. Fewer are at hand after a
  // gap.
  void Add(std::string_view first_bytes);
  // Nothing behind the name is looked at.
  [[nodiscard]] bool indifferent() const { return trait_ == Trait::kPlain && seen_ > 0; }
  // Counts arguments that are not looked at.
  void Skip(std::uint64_t count) { seen_ += count; }
  // The command is complete.
  [[nodiscard]] Request Finish() const;
  // As far as it was seen: the name at least.
  [[nodiscard]] bool named() const { return seen_ > 0; }

 private:
  void Look(std::string_view argument, std::uint64_t index);

  Request request_;
  std::uint64_t count_ = 0;
  std::uint64_t seen_ = 0;
  std::uint64_t last_ns_ = 0;  // the argument read last as a timeout
  Trait trait_ = Trait::kPlain;
  bool awaits_option_ = false;  // the one before was BLOCK, or CLIENT's was REPLY
};

// The fast path: a whole command as an array of strings at the beginning of `run`. Its bytes; 0 when it is not whole,
// or anything about it is out of the ordinary.
std::size_t ParseCommand(std::string_view run, Request& request);

// An inline command, without its line end. Nothing when the line holds only blanks: Redis does not answer that.
std::optional<Request> ParseInline(std::string_view line);

// Where a command that is an array seems to start in `run`, the bytes after a loss: at `run`'s first byte when
// `at_segment_start`, or behind a line end. npos when nowhere.
std::size_t FindRequestStart(std::string_view run, bool at_segment_start);

// Whether an answer can begin with these bytes, of which more may follow.
bool CanStartAnswer(std::string_view run);

Likeness LooksLikeRequests(Bytes first, bool mid_stream);
Likeness LooksLikeAnswers(Bytes first, bool mid_stream);

}  // namespace wiregauge::decode::redis
