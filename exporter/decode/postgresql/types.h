// What a PostgreSQL connection says, as far as counting, timing and framing need it: protocol 3 of PostgreSQL 7.4 and
// later (manual, "Frontend/Backend Protocol", sections "Message Flow" and "Message Formats"). Statement text,
// parameters, rows, names of statements and portals, and what is sent to authenticate stay in the decoder
// (decision D14).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "exporter/decode/sql/types.h"

namespace wiregauge::decode::postgresql {

enum class Sender : std::uint8_t { kClient, kServer };

// What a request is told as: a sql::Verb, or one of the values from kConnect on, which are no SQL.
enum class Operation : std::uint8_t {
  kOther = 0,
  kConnect = sql::kVerbNames.size(),  // from the StartupMessage until the server is ready, or refuses
  kCancel,
  kBind,  // a portal that is not executed in the same batch
  kFunctionCall,
  // Commands of a walsender connection (manual, "Streaming Replication Protocol").
  kBaseBackup,
  kCreateReplicationSlot,
  kDropReplicationSlot,
  kIdentifySystem,
  kReadReplicationSlot,
  kStartReplication,
  kTimelineHistory,
};

inline constexpr std::array<std::string_view, 11> kOperationNames = {"CONNECT",
                                                                     "CANCEL",
                                                                     "BIND",
                                                                     "FUNCTION_CALL",
                                                                     "BASE_BACKUP",
                                                                     "CREATE_REPLICATION_SLOT",
                                                                     "DROP_REPLICATION_SLOT",
                                                                     "IDENTIFY_SYSTEM",
                                                                     "READ_REPLICATION_SLOT",
                                                                     "START_REPLICATION",
                                                                     "TIMELINE_HISTORY"};

constexpr Operation OperationOf(sql::Verb verb) { return static_cast<Operation>(verb); }

constexpr std::string_view OperationName(Operation operation) {
  const auto i = static_cast<std::size_t>(operation);
  return i < sql::kVerbNames.size() ? sql::kVerbNames[i] : kOperationNames[i - sql::kVerbNames.size()];
}
static_assert(OperationName(Operation::kTimelineHistory) == "TIMELINE_HISTORY");

// Stands for the name of a prepared statement or a portal on one connection. Not the name: a hash of it.
using NameId = std::uint64_t;
inline constexpr NameId kUnnamed = 0;
inline constexpr NameId kUnknownName = 1;  // not at hand

// The first bytes of a client, which have no type byte (protocol constants of src/include/libpq/pqcomm.h).
enum class Opening : std::uint8_t { kNone, kStartup, kSslRequest, kGssEncRequest, kCancelRequest };

// Type bytes that the match room acts on. Others are framing only.
namespace client {
inline constexpr char kBind = 'B';
inline constexpr char kClose = 'C';
inline constexpr char kDescribe = 'D';
inline constexpr char kExecute = 'E';
inline constexpr char kFunctionCall = 'F';
inline constexpr char kFlush = 'H';
inline constexpr char kParse = 'P';
inline constexpr char kQuery = 'Q';
inline constexpr char kSync = 'S';
inline constexpr char kTerminate = 'X';
inline constexpr char kCopyDone = 'c';
inline constexpr char kCopyFail = 'f';
}  // namespace client
namespace server {
inline constexpr char kParseComplete = '1';
inline constexpr char kBindComplete = '2';
inline constexpr char kCloseComplete = '3';
inline constexpr char kCommandComplete = 'C';
inline constexpr char kErrorResponse = 'E';
inline constexpr char kCopyInResponse = 'G';
inline constexpr char kEmptyQueryResponse = 'I';
inline constexpr char kAuthentication = 'R';
inline constexpr char kRowDescription = 'T';
inline constexpr char kFunctionCallResponse = 'V';
inline constexpr char kCopyBothResponse = 'W';
inline constexpr char kReadyForQuery = 'Z';
inline constexpr char kNoData = 'n';
inline constexpr char kPortalSuspended = 's';
}  // namespace server

// A message of the client. Which fields are set depends on `type`.
struct ClientMessage {
  char type = '\0';  // '\0': an opening, without a type byte
  Opening opening = Opening::kNone;
  NameId statement = kUnknownName;          // Parse, Bind, Close
  NameId portal = kUnknownName;             // Bind, Execute
  Operation operation = Operation::kOther;  // Query, Parse
  sql::TableName table;                     // Query, Parse: see sql::Summary
  std::uint64_t first_byte_ns = 0;
};

// What stood before a ReadyForQuery that was found after a loss.
enum class Before : std::uint8_t { kUnknown, kNoError, kError };

// A message of the server. Views are valid during the call.
struct ServerMessage {
  char type = '\0';
  std::string_view code;         // ErrorResponse: SQLSTATE, five characters; empty when it has none
  std::string_view command_tag;  // CommandComplete: "INSERT 0 1"
  char status = '\0';            // ReadyForQuery: 'I' idle, 'T' in a transaction, 'E' in one that has failed
  bool after_loss = false;       // ReadyForQuery, found by its bytes alone
  Before before = Before::kUnknown;
};

// What a message may have at most (MaxAllocSize in src/include/utils/memutils.h), and what the server takes of those
// that carry no data (PQ_SMALL_MESSAGE_LIMIT). Both with the length field.
inline constexpr std::uint32_t kLargeBytesMax = 0x3fffffff;
inline constexpr std::uint32_t kSmallBytesMax = 10'000;
inline constexpr std::uint32_t kStartupBytesMax = 10'000;  // MAX_STARTUP_PACKET_LENGTH
// A SASL or GSSAPI token (PG_MAX_AUTH_TOKEN_LENGTH), with the length field.
inline constexpr std::uint32_t kAuthBytesMax = 65'535 + 4;

// What is looked at of a message: of a statement as much as its summary needs, behind a name.
inline constexpr std::size_t kStatementBytesKept = sql::kStatementBytesRead + 64;
inline constexpr std::size_t kNamesBytesKept = 256;  // portal and statement; the server keeps 63 bytes of each
// "SERROR", "VERROR", "C42P01": the severity is translated, in Greek to 20 bytes.
inline constexpr std::size_t kErrorBytesKept = 128;
inline constexpr std::size_t kCommandTagBytesMax = 64;  // COMPLETION_TAG_BUFSIZE

}  // namespace wiregauge::decode::postgresql
