// What a MySQL or MariaDB connection says, as far as counting, timing and framing need it. Sources: MySQL's
// "Client/Server Protocol" (dev.mysql.com/doc/dev/mysql-server, PAGE_PROTOCOL), MariaDB's "Clients & Utilities:
// protocol" pages. Of a statement only its verb and table leave the decoder (decision D14).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "exporter/decode/sql/types.h"

namespace wiregauge::decode::mysql {

// The first byte of a command (my_command.h, MariaDB's mysql_com.h). kConnect is the login here: no client sends it.
enum class Command : std::uint8_t {
  kSleep = 0x00,
  kQuit = 0x01,
  kInitDb = 0x02,
  kQuery = 0x03,
  kFieldList = 0x04,
  kCreateDb = 0x05,
  kDropDb = 0x06,
  kRefresh = 0x07,
  kShutdown = 0x08,
  kStatistics = 0x09,
  kProcessInfo = 0x0a,
  kConnect = 0x0b,
  kProcessKill = 0x0c,
  kDebug = 0x0d,
  kPing = 0x0e,
  kChangeUser = 0x11,
  kBinlogDump = 0x12,
  kTableDump = 0x13,
  kRegisterSlave = 0x15,
  kStmtPrepare = 0x16,
  kStmtExecute = 0x17,
  kStmtSendLongData = 0x18,
  kStmtClose = 0x19,
  kStmtReset = 0x1a,
  kSetOption = 0x1b,
  kStmtFetch = 0x1c,
  kBinlogDumpGtid = 0x1e,
  kResetConnection = 0x1f,
  kClone = 0x20,
  kGroupReplicationStream = 0x21,
  kStmtBulkExecute = 0xfa,  // MariaDB
};

// What the server answers to a command.
enum class Expected : std::uint8_t {
  kNothing,
  kOk,        // one packet: OK, EOF or ERR
  kLogin,     // OK or ERR, before it any number of rounds of authentication
  kText,      // one packet of text, or ERR
  kResults,   // one or more of: OK, ERR, a result set, a request for a file
  kPrepared,  // a statement's id and the definitions of its parameters and columns, or ERR
  kFields,    // definitions of columns until EOF, or ERR
  kRows,      // rows of a cursor until EOF, or ERR
  kStream,    // ERR, or no end: replication
};

Expected ExpectedOf(Command command);

// "PING", "USE": the operation that a command is counted as when it has no statement. "_OTHER" when it is none.
std::string_view CommandName(Command command);

// Capability flags (mysql_com.h) that matter here.
inline constexpr std::uint32_t kClientCompress = 1u << 5;
inline constexpr std::uint32_t kClientProtocol41 = 1u << 9;
inline constexpr std::uint32_t kClientSsl = 1u << 11;
inline constexpr std::uint32_t kClientZstdCompression = 1u << 26;
inline constexpr std::uint32_t kClientQueryAttributes = 1u << 27;

// The client's first packet: a login, or the request for TLS that precedes it.
struct Login {
  std::uint32_t capabilities = 0;
  bool tls = false;
};

// The server's first packet.
struct Greeting {
  std::uint32_t capabilities = 0;
  bool known = false;  // the capabilities were at hand
};

// A command, as far as it is looked at.
struct Request {
  Command command = Command::kSleep;
  sql::Summary statement;          // kQuery, kStmtPrepare
  std::uint32_t statement_id = 0;  // kStmt...
};

// MariaDB: the statement that was prepared last, whose id is not known yet.
inline constexpr std::uint32_t kLastPrepared = 0xffffffff;

// A whole answer.
struct Answer {
  std::uint16_t error = 0;         // of the ERR packet that ended it; 0: none, or see below
  bool failed = false;             // an ERR packet ended it, whose number was not at hand
  bool outcome_known = true;       // else its end was not at hand
  bool prepared = false;           // it was that to a kStmtPrepare, and no error
  std::uint32_t statement_id = 0;  // when prepared
};

inline constexpr std::size_t kHeaderBytes = 4;
// A payload of this length goes on in the next packet.
inline constexpr std::uint32_t kPayloadBytesMax = 0xffffff;
// Of a command so much is looked at: a statement as far as sql::Summarize reads it, query attributes before it.
inline constexpr std::size_t kRequestBytesRead = 1 + sql::kStatementBytesRead;
// Of an answer's packet so much is looked at: an OK with two of the longest numbers and its status.
inline constexpr std::size_t kAnswerBytesRead = 24;

}  // namespace wiregauge::decode::mysql
