// What a memcached connection says in the text protocol, classic and meta commands, as far as counting, timing and
// framing need it (memcached's doc/protocol.txt, 1.6). No key or value leaves the decoder (decision D14). The binary
// protocol, which 1.6 deprecates, is not decoded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wiregauge::decode::memcached {

enum class Command : std::uint8_t {
  kOther,
  kGet,
  kGets,
  kGat,
  kGats,
  kSet,
  kAdd,
  kReplace,
  kAppend,
  kPrepend,
  kCas,
  kIncr,
  kDecr,
  kDelete,
  kTouch,
  kMetaGet,
  kMetaSet,
  kMetaDelete,
  kMetaArithmetic,
  kMetaNoop,
  kMetaDebug,
  kStats,
  kFlushAll,
  kVersion,
  kVerbosity,
  kQuit,
  kShutdown,
  kWatch,
  kLruCrawler,
  kLru,
  kSlabs,
  kCacheMemlimit,
};

inline constexpr auto kCommandNames = std::to_array<std::string_view>(
    {"_OTHER",    "get",     "gets",     "gat",   "gats",        "set",    "add",       "replace",
     "append",    "prepend", "cas",      "incr",  "decr",        "delete", "touch",     "mg",
     "ms",        "md",      "ma",       "mn",    "me",          "stats",  "flush_all", "version",
     "verbosity", "quit",    "shutdown", "watch", "lru_crawler", "lru",    "slabs",     "cache_memlimit"});
static_assert(kCommandNames[static_cast<std::size_t>(Command::kCacheMemlimit)] == "cache_memlimit");

constexpr std::string_view CommandName(Command command) { return kCommandNames[static_cast<std::size_t>(command)]; }

// How an answer ends: its last line, except that kValue is an END that values came before.
enum class Code : std::uint8_t {
  kNone,
  kNumber,  // incr, decr
  kStored,
  kNotStored,
  kExists,
  kNotFound,
  kDeleted,
  kTouched,
  kOk,
  kReset,
  kVersion,
  kEnd,
  kValue,
  kMetaValue,
  kMetaHit,
  kMetaMiss,  // EN
  kMetaNotFound,
  kMetaNotStored,
  kMetaExists,
  kMetaNoop,
  kMetaDebug,
  kError,
  kClientError,
  kServerError,
  kBusy,  // lru_crawler, slabs: BUSY and other refusals
};

inline constexpr auto kCodeNames = std::to_array<std::string_view>(
    {"",      "",        "STORED", "NOT_STORED", "EXISTS",       "NOT_FOUND",    "DELETED", "TOUCHED", "OK",
     "RESET", "VERSION", "END",    "VALUE",      "VA",           "HD",           "EN",      "NF",      "NS",
     "EX",    "MN",      "ME",     "ERROR",      "CLIENT_ERROR", "SERVER_ERROR", "BUSY"});
static_assert(kCodeNames[static_cast<std::size_t>(Code::kBusy)] == "BUSY");

constexpr std::string_view CodeName(Code code) { return kCodeNames[static_cast<std::size_t>(code)]; }
constexpr bool IsError(Code code) { return code >= Code::kError; }

// Something that tells requests of one pipeline apart: a hash of an opaque or a key; 0: none.
using Tag = std::uint32_t;

struct Request {
  Command command = Command::kOther;
  bool noreply = false;  // classic commands: no answer
  bool quiet = false;    // meta commands: no answer when the outcome is the usual one
  Tag opaque = 0;        // of the O flag, which the answer repeats
  Tag key = 0;           // of the k flag, the same
};

struct Answer {
  Code code = Code::kNone;
  Tag opaque = 0;
  Tag key = 0;
};

// A line is at most so long: get has no limit on its keys, memcached refuses 8 KiB of them without a space.
inline constexpr std::size_t kLineBytesMax = 1u << 20;
// Of a line so much is looked at: a key of 250 bytes, its numbers and flags.
inline constexpr std::size_t kLineBytesKept = 2'048;
inline constexpr std::size_t kKeyBytesMax = 250;
// memcached -I allows 1 GiB.
inline constexpr std::uint64_t kValueBytesMax = std::uint64_t{1} << 30;

}  // namespace wiregauge::decode::memcached
