// What a connection to Redis (Valkey, KeyDB, Sentinel, …) says, as far as counting, timing and framing need it: RESP2
// and RESP3 (redis.io/docs/latest/develop/reference/protocol-spec) and inline commands. No key or value leaves the
// decoder (decision D14).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace wiregauge::decode::redis {

// What a command does to the order of requests and answers.
enum class Trait : std::uint8_t {
  kPlain,
  kBlocksLast,    // may wait for so many seconds as its last argument says (0: for ever)
  kBlocksFirst,   // the same, its first
  kBlocksLastMs,  // the same in milliseconds, its last
  kBlocksOption,  // XREAD, XREADGROUP: with BLOCK milliseconds
  kPubSub,        // one confirmation a channel
  kClient,        // CLIENT REPLY turns answers off
  kMonitor,       // its answer is followed by every command of the server
  kReset,         // leaves every mode
  kSync,          // the server's data and commands follow
  kPsync,         // the same, after an answer
  kMulti,
  kMultiEnds,  // EXEC, DISCARD
  kPing,
  kQuit,
  kShutdown,  // no answer when it succeeds
};

// The first element of an array or push that publish/subscribe sends.
enum class PubSub : std::uint8_t {
  kNone,
  kMessage,  // message, pmessage, smessage
  kSubscribe,
  kUnsubscribe,
  kPsubscribe,
  kPunsubscribe,
  kSsubscribe,
  kSunsubscribe,
};

struct CommandInfo {
  std::string_view name;
  Trait trait = Trait::kPlain;
  PubSub pubsub = PubSub::kNone;  // what confirms it
};

// COMMAND LIST of Redis 7.0 without subcommands, what came up to 8.0, and Sentinel's. A container's subcommand is not
// told (CONFIG, not "CONFIG GET"): OpenTelemetry's db.operation.name is the command.
// One name a line would be pages.
// clang-format off
inline constexpr auto kCommands = std::to_array<CommandInfo>({
    {"_OTHER"}, {"ACL"}, {"APPEND"}, {"ASKING"}, {"AUTH"}, {"BGREWRITEAOF"}, {"BGSAVE"}, {"BITCOUNT"}, {"BITFIELD"},
    {"BITFIELD_RO"}, {"BITOP"}, {"BITPOS"}, {"BLMOVE", Trait::kBlocksLast}, {"BLMPOP", Trait::kBlocksFirst},
    {"BLPOP", Trait::kBlocksLast}, {"BRPOP", Trait::kBlocksLast}, {"BRPOPLPUSH", Trait::kBlocksLast},
    {"BZMPOP", Trait::kBlocksFirst}, {"BZPOPMAX", Trait::kBlocksLast}, {"BZPOPMIN", Trait::kBlocksLast},
    {"CLIENT", Trait::kClient}, {"CLUSTER"}, {"COMMAND"}, {"CONFIG"}, {"COPY"}, {"DBSIZE"}, {"DEBUG"}, {"DECR"},
    {"DECRBY"}, {"DEL"}, {"DISCARD", Trait::kMultiEnds}, {"DUMP"}, {"ECHO"}, {"EVAL"}, {"EVALSHA"}, {"EVALSHA_RO"},
    {"EVAL_RO"}, {"EXEC", Trait::kMultiEnds}, {"EXISTS"}, {"EXPIRE"}, {"EXPIREAT"}, {"EXPIRETIME"}, {"FAILOVER"},
    {"FCALL"}, {"FCALL_RO"}, {"FLUSHALL"}, {"FLUSHDB"}, {"FUNCTION"}, {"GEOADD"}, {"GEODIST"}, {"GEOHASH"}, {"GEOPOS"},
    {"GEORADIUS"}, {"GEORADIUSBYMEMBER"}, {"GEORADIUSBYMEMBER_RO"}, {"GEORADIUS_RO"}, {"GEOSEARCH"},
    {"GEOSEARCHSTORE"}, {"GET"}, {"GETBIT"}, {"GETDEL"}, {"GETEX"}, {"GETRANGE"}, {"GETSET"}, {"HDEL"}, {"HELLO"},
    {"HEXISTS"}, {"HEXPIRE"}, {"HEXPIREAT"}, {"HEXPIRETIME"}, {"HGET"}, {"HGETALL"}, {"HGETDEL"}, {"HGETEX"},
    {"HINCRBY"}, {"HINCRBYFLOAT"}, {"HKEYS"}, {"HLEN"}, {"HMGET"}, {"HMSET"}, {"HPERSIST"}, {"HPEXPIRE"},
    {"HPEXPIREAT"}, {"HPEXPIRETIME"}, {"HPTTL"}, {"HRANDFIELD"}, {"HSCAN"}, {"HSET"}, {"HSETEX"}, {"HSETNX"},
    {"HSTRLEN"}, {"HTTL"}, {"HVALS"}, {"INCR"}, {"INCRBY"}, {"INCRBYFLOAT"}, {"INFO"}, {"KEYS"}, {"LASTSAVE"},
    {"LATENCY"}, {"LCS"}, {"LINDEX"}, {"LINSERT"}, {"LLEN"}, {"LMOVE"}, {"LMPOP"}, {"LOLWUT"}, {"LPOP"}, {"LPOS"},
    {"LPUSH"}, {"LPUSHX"}, {"LRANGE"}, {"LREM"}, {"LSET"}, {"LTRIM"}, {"MEMORY"}, {"MGET"}, {"MIGRATE"}, {"MODULE"},
    {"MONITOR", Trait::kMonitor}, {"MOVE"}, {"MSET"}, {"MSETNX"}, {"MULTI", Trait::kMulti}, {"OBJECT"}, {"PERSIST"},
    {"PEXPIRE"}, {"PEXPIREAT"}, {"PEXPIRETIME"}, {"PFADD"}, {"PFCOUNT"}, {"PFDEBUG"}, {"PFMERGE"}, {"PFSELFTEST"},
    {"PING", Trait::kPing}, {"PSETEX"}, {"PSUBSCRIBE", Trait::kPubSub, PubSub::kPsubscribe}, {"PSYNC", Trait::kPsync},
    {"PTTL"}, {"PUBLISH"}, {"PUBSUB"}, {"PUNSUBSCRIBE", Trait::kPubSub, PubSub::kPunsubscribe}, {"QUIT", Trait::kQuit},
    {"RANDOMKEY"}, {"READONLY"}, {"READWRITE"}, {"RENAME"}, {"RENAMENX"}, {"REPLCONF"}, {"REPLICAOF"},
    {"RESET", Trait::kReset}, {"RESTORE"}, {"RESTORE-ASKING"}, {"ROLE"}, {"RPOP"}, {"RPOPLPUSH"}, {"RPUSH"},
    {"RPUSHX"}, {"SADD"}, {"SAVE"}, {"SCAN"}, {"SCARD"}, {"SCRIPT"}, {"SDIFF"}, {"SDIFFSTORE"}, {"SELECT"},
    {"SENTINEL"}, {"SET"}, {"SETBIT"}, {"SETEX"}, {"SETNX"}, {"SETRANGE"}, {"SHUTDOWN", Trait::kShutdown}, {"SINTER"},
    {"SINTERCARD"}, {"SINTERSTORE"}, {"SISMEMBER"}, {"SLAVEOF"}, {"SLOWLOG"}, {"SMEMBERS"}, {"SMISMEMBER"}, {"SMOVE"},
    {"SORT"}, {"SORT_RO"}, {"SPOP"}, {"SPUBLISH"}, {"SRANDMEMBER"}, {"SREM"}, {"SSCAN"},
    {"SSUBSCRIBE", Trait::kPubSub, PubSub::kSsubscribe}, {"STRLEN"}, {"SUBSCRIBE", Trait::kPubSub, PubSub::kSubscribe},
    {"SUBSTR"}, {"SUNION"}, {"SUNIONSTORE"}, {"SUNSUBSCRIBE", Trait::kPubSub, PubSub::kSunsubscribe}, {"SWAPDB"},
    {"SYNC", Trait::kSync}, {"TIME"}, {"TOUCH"}, {"TTL"}, {"TYPE"}, {"UNLINK"},
    {"UNSUBSCRIBE", Trait::kPubSub, PubSub::kUnsubscribe}, {"UNWATCH"}, {"WAIT", Trait::kBlocksLastMs},
    {"WAITAOF", Trait::kBlocksLastMs}, {"WATCH"}, {"XACK"}, {"XACKDEL"}, {"XADD"}, {"XAUTOCLAIM"}, {"XCLAIM"},
    {"XDEL"}, {"XDELEX"}, {"XGROUP"}, {"XINFO"}, {"XLEN"}, {"XPENDING"}, {"XRANGE"}, {"XREAD", Trait::kBlocksOption},
    {"XREADGROUP", Trait::kBlocksOption}, {"XREVRANGE"}, {"XSETID"}, {"XTRIM"}, {"ZADD"}, {"ZCARD"}, {"ZCOUNT"},
    {"ZDIFF"}, {"ZDIFFSTORE"}, {"ZINCRBY"}, {"ZINTER"}, {"ZINTERCARD"}, {"ZINTERSTORE"}, {"ZLEXCOUNT"}, {"ZMPOP"},
    {"ZMSCORE"}, {"ZPOPMAX"}, {"ZPOPMIN"}, {"ZRANDMEMBER"}, {"ZRANGE"}, {"ZRANGEBYLEX"}, {"ZRANGEBYSCORE"},
    {"ZRANGESTORE"}, {"ZRANK"}, {"ZREM"}, {"ZREMRANGEBYLEX"}, {"ZREMRANGEBYRANK"}, {"ZREMRANGEBYSCORE"}, {"ZREVRANGE"},
    {"ZREVRANGEBYLEX"}, {"ZREVRANGEBYSCORE"}, {"ZREVRANK"}, {"ZSCAN"}, {"ZSCORE"}, {"ZUNION"}, {"ZUNIONSTORE"},
});
// clang-format on

using CommandId = std::uint16_t;  // an index in kCommands
inline constexpr CommandId kOtherCommand = 0;
inline constexpr std::size_t kCommandBytesMax = 20;  // GEORADIUSBYMEMBER_RO

constexpr const CommandInfo& InfoOf(CommandId id) { return kCommands[id]; }

// The words with which errors begin: of Redis 7, its cluster, Sentinel. Any other is "_OTHER".
inline constexpr auto kErrorWords = std::to_array<std::string_view>(
    {"ERR",       "WRONGTYPE",  "NOAUTH",       "WRONGPASS",  "NOPERM",      "MOVED",     "ASK",        "CLUSTERDOWN",
     "CROSSSLOT", "TRYAGAIN",   "LOADING",      "BUSY",       "NOSCRIPT",    "READONLY",  "MASTERDOWN", "MISCONF",
     "OOM",       "NOREPLICAS", "EXECABORT",    "UNKILLABLE", "BUSYKEY",     "BUSYGROUP", "NOGROUP",    "UNBLOCKED",
     "INPROG",    "NOTBUSY",    "NOMASTERLINK", "NOPROTO",    "NOGOODSLAVE", "NOQUORUM",  "IDONTKNOW",  "IOERR",
     "DENIED",    "REDIRECT",   "NOTREADY",     "INVALIDOBJ", "NOADDR",      "STALE",     "SYNTAX",     "UNKNOWN"});
inline constexpr std::string_view kOtherError = "_OTHER";
inline constexpr std::size_t kErrorWordBytesMax = 32;

inline constexpr std::uint64_t kForever = std::numeric_limits<std::uint64_t>::max();

enum class ReplyMode : std::uint8_t { kUnchanged, kOn, kOff, kSkip };  // CLIENT REPLY

// A command that a client sent.
struct Request {
  CommandId command = kOtherCommand;
  ReplyMode reply_mode = ReplyMode::kUnchanged;
  bool is_inline = false;
  std::uint32_t arguments = 0;  // behind the name
  std::uint64_t blocks_ns = 0;  // how long the command itself allows the server to wait; kForever: no bound
};

// A whole answer, or push.
struct Answer {
  char type = 0;  // of the outermost value: '+', '-', '*', …
  PubSub pubsub = PubSub::kNone;
  bool no_channel = false;          // pubsub: the confirmation names none
  bool queued = false;              // +QUEUED
  bool monitored = false;           // a status that begins with a digit: what MONITOR sends
  bool sync = false;                // +FULLRESYNC, +CONTINUE
  std::int64_t subscriptions = -1;  // pubsub: what is left of them, as the server counts; -1 when it does not say
  // The words of an error answer, and of the first error that is an element of an array (EXEC's): of kErrorWords, or
  // kOtherError; valid for ever. Empty when there is none.
  std::string_view error;
  std::string_view element_error;
};

// What is looked at of a line that is no inline command: the longest word, a length, MONITOR's first digit.
inline constexpr std::size_t kLineBytesKept = 64;
// A status or error: Lua scripts and modules make up their own, of a few KiB.
inline constexpr std::size_t kLineBytesMax = 1u << 20;
// Redis' own limit (PROTO_INLINE_MAX_SIZE).
inline constexpr std::size_t kInlineBytesMax = 64u << 10;
// Redis allows 2^31 arguments to who is authenticated; its clients send 10^6 at most.
inline constexpr std::uint64_t kElementsMax = std::uint64_t{1} << 31;
// proto-max-bulk-len may be raised beyond its 512 MiB.
inline constexpr std::uint64_t kBulkBytesMax = std::uint64_t{1} << 40;
// COMMAND DOCS, the deepest answer of the server's own, has about 12 levels.
inline constexpr std::size_t kDepthMax = 64;

}  // namespace wiregauge::decode::redis
