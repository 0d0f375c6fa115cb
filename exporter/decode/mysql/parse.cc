#include "exporter/decode/mysql/parse.h"

#include <algorithm>

#include "exporter/decode/sql/summarize.h"

namespace wiregauge::decode::mysql {

namespace {

// Bits of the status that no server sets, and those of which every session has one: autocommit, or a transaction.
constexpr std::uint16_t kStatusNever = 0x8004;
constexpr std::uint16_t kStatusOneOf = 0x0003;
constexpr std::size_t kEofBytes = 5;
constexpr std::size_t kOkBytesMin = 7;
// Of a login the part before names: capabilities, packet size, character set, 19 zeros, MariaDB's capabilities.
constexpr std::size_t kLoginBytes = 32;
constexpr std::size_t kLoginZeros = 19;
constexpr std::size_t kVersionBytesMax = 128;
// The longest message of an ERR packet, with what precedes it (MYSQL_ERRMSG_SIZE).
constexpr std::size_t kErrorBytesMax = 9 + 512;

std::uint16_t Read16(Bytes bytes, std::size_t at) { return static_cast<std::uint16_t>(bytes[at] | bytes[at + 1] << 8); }
std::uint32_t Read32(Bytes bytes, std::size_t at) {
  return Read16(bytes, at) | static_cast<std::uint32_t>(Read16(bytes, at + 2)) << 16;
}

bool IsPrintable(std::uint8_t byte) { return byte >= 0x20 && byte < 0x7f; }

// Protocol::LengthEncodedInteger. Of 0xfb and 0xff, which are none, 0 and a failed reader.
std::uint64_t ReadLengthEncoded(ByteReader& reader) {
  const auto first = reader.Read<std::uint8_t>();
  if (first < 0xfb) return first;
  if (first == 0xfc) return reader.Read<std::uint16_t>();
  if (first == 0xfd) {
    const auto low = reader.Read<std::uint16_t>();
    return low | static_cast<std::uint64_t>(reader.Read<std::uint8_t>()) << 16;
  }
  if (first == 0xfe) return reader.Read<std::uint64_t>();
  reader.Take(reader.remaining() + 1);
  return 0;
}

void SkipLengthEncodedString(ByteReader& reader) { reader.Take(ReadLengthEncoded(reader)); }

// A value of the binary protocol ("Binary Protocol Value"); `type` is enum_field_types.
void SkipBinaryValue(ByteReader& reader, std::uint8_t type) {
  switch (type) {
    case 0x06: return;                  // NULL
    case 0x01: reader.Take(1); return;  // TINY
    case 0x02:                          // SHORT
    case 0x0d: reader.Take(2); return;  // YEAR
    case 0x03:                          // LONG
    case 0x04:                          // FLOAT
    case 0x09: reader.Take(4); return;  // INT24
    case 0x05:                          // DOUBLE
    case 0x08: reader.Take(8); return;  // LONGLONG
    case 0x07:                          // TIMESTAMP
    case 0x0a:                          // DATE
    case 0x0b:                          // TIME
    case 0x0c:                          // DATETIME
      reader.Take(reader.Read<std::uint8_t>());
      return;
    default: SkipLengthEncodedString(reader);
  }
}

// Where the statement of a kQuery begins, behind the query attributes of MySQL 8.0.23 if it has any: a statement does
// not begin with a control character, their count does. Nothing when they are cut off.
std::optional<std::size_t> StatementOffset(Bytes payload) {
  if (payload.size() < 2 || payload[1] >= '\t') return 1;
  ByteReader reader(payload.subspan(1));
  const std::uint64_t count = ReadLengthEncoded(reader);
  ReadLengthEncoded(reader);  // sets of them: 1
  if (count > 0) {
    const Bytes nulls = reader.Take((count + 7) / 8);
    reader.Read<std::uint8_t>();  // their types follow: always
    constexpr std::size_t kAttributesMax = 8;
    std::uint8_t types[kAttributesMax] = {};
    if (count > kAttributesMax) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) {
      types[i] = static_cast<std::uint8_t>(reader.Read<std::uint16_t>());
      SkipLengthEncodedString(reader);
    }
    for (std::size_t i = 0; reader.ok() && i < count; ++i) {
      if ((nulls[i / 8] >> (i % 8) & 1) == 0) SkipBinaryValue(reader, types[i]);
    }
  }
  return reader.ok() ? std::optional(1 + reader.offset()) : std::nullopt;
}

bool HasStatementId(Command command) {
  switch (command) {
    case Command::kStmtExecute:
    case Command::kStmtSendLongData:
    case Command::kStmtClose:
    case Command::kStmtReset:
    case Command::kStmtFetch:
    case Command::kStmtBulkExecute: return true;
    default: return false;
  }
}

bool HasStatement(Command command) { return command == Command::kQuery || command == Command::kStmtPrepare; }

// A byte with which a statement, or query attributes, may begin.
bool CanStartStatement(std::uint8_t byte) {
  const std::uint8_t lower = byte | 0x20;
  return (lower >= 'a' && lower <= 'z') || byte <= '\r' || byte == ' ' || byte == '(' || byte == '/' || byte == '-' ||
         byte == '#' || byte == ';' || byte == '{';
}

// Whether `length` is one that the command can have, and what is at hand of its payload fits.
bool Fits(Bytes payload, std::uint32_t length) {
  switch (static_cast<Command>(payload[0])) {
    case Command::kQuit:
    case Command::kStatistics:
    case Command::kProcessInfo:
    case Command::kDebug:
    case Command::kPing:
    case Command::kResetConnection: return length == 1;
    case Command::kRefresh: return length == 2;
    case Command::kShutdown: return length <= 2;
    case Command::kSetOption: return length == 3;
    case Command::kProcessKill:
    case Command::kStmtClose:
    case Command::kStmtReset: return length == 5;
    case Command::kStmtFetch: return length == 9;
    case Command::kStmtSendLongData:
    case Command::kStmtBulkExecute: return length >= 7;
    case Command::kStmtExecute:  // id, flags, and how often: once
      return length >= 10 && (payload.size() < 10 || (payload[5] < 0x20 && Read32(payload, 6) == 1));
    case Command::kQuery:
    case Command::kStmtPrepare: return length >= 2 && (payload.size() < 2 || CanStartStatement(payload[1]));
    case Command::kInitDb:
    case Command::kCreateDb:
    case Command::kDropDb: return length >= 2 && length <= 257 && (payload.size() < 2 || payload[1] >= 0x20);
    case Command::kFieldList:
    case Command::kChangeUser: return length >= 2 && length <= 65'536;
    case Command::kBinlogDump:
    case Command::kBinlogDumpGtid: return length >= 11 && length <= 65'536;
    case Command::kRegisterSlave: return length >= 18 && length <= 1'024;
    case Command::kClone:
    case Command::kGroupReplicationStream: return length <= 65'536;
    default: return false;
  }
}

bool PlausibleStatus(std::uint16_t status) { return (status & kStatusNever) == 0 && (status & kStatusOneOf) != 0; }

// An ERR packet of protocol 4.1 that is exactly these bytes.
bool IsErrorPacket(Bytes bytes) {
  if (bytes.size() < kHeaderBytes + 9 || bytes.size() > kHeaderBytes + kErrorBytesMax) return false;
  if (ReadHeader(bytes).length != bytes.size() - kHeaderBytes || bytes[4] != 0xff || bytes[7] != '#') return false;
  const Bytes state = bytes.subspan(8, 5);
  return Read16(bytes, 5) >= 1'000 && std::all_of(state.begin(), state.end(), [](std::uint8_t byte) {
           return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z');
         });
}

}  // namespace

Expected ExpectedOf(Command command) {
  switch (command) {
    case Command::kQuit:
    case Command::kStmtSendLongData:
    case Command::kStmtClose: return Expected::kNothing;
    case Command::kConnect:
    case Command::kChangeUser: return Expected::kLogin;
    case Command::kStatistics: return Expected::kText;
    case Command::kQuery:
    case Command::kProcessInfo:
    case Command::kStmtExecute:
    case Command::kStmtBulkExecute: return Expected::kResults;
    case Command::kStmtPrepare: return Expected::kPrepared;
    case Command::kFieldList: return Expected::kFields;
    case Command::kStmtFetch: return Expected::kRows;
    case Command::kBinlogDump:
    case Command::kBinlogDumpGtid:
    case Command::kTableDump:
    case Command::kClone:
    case Command::kGroupReplicationStream: return Expected::kStream;
    default: return Expected::kOk;
  }
}

std::string_view CommandName(Command command) {
  switch (command) {
    case Command::kInitDb: return "USE";
    case Command::kFieldList: return "FIELD_LIST";
    case Command::kCreateDb: return "CREATE_DB";
    case Command::kDropDb: return "DROP_DB";
    case Command::kRefresh: return "REFRESH";
    case Command::kShutdown: return "SHUTDOWN";
    case Command::kStatistics: return "STATISTICS";
    case Command::kProcessInfo: return "PROCESS_INFO";
    case Command::kConnect: return "CONNECT";
    case Command::kProcessKill: return "KILL";
    case Command::kDebug: return "DEBUG";
    case Command::kPing: return "PING";
    case Command::kChangeUser: return "CHANGE_USER";
    case Command::kBinlogDump:
    case Command::kBinlogDumpGtid: return "BINLOG_DUMP";
    case Command::kRegisterSlave: return "REGISTER_SLAVE";
    case Command::kStmtPrepare: return "PREPARE";
    case Command::kStmtReset: return "STMT_RESET";
    case Command::kSetOption: return "SET_OPTION";
    case Command::kStmtFetch: return "FETCH";
    case Command::kResetConnection: return "RESET_CONNECTION";
    case Command::kClone: return "CLONE";
    default: return "_OTHER";
  }
}

Header ReadHeader(Bytes bytes) {
  return {.length = Read16(bytes, 0) | static_cast<std::uint32_t>(bytes[2]) << 16, .sequence = bytes[3]};
}

std::optional<Login> ParseLogin(Bytes payload, std::uint32_t length) {
  if (length < kLoginBytes || payload.size() < kLoginBytes) return std::nullopt;
  Login login;
  login.capabilities = Read32(payload, 0);
  const Bytes zeros = payload.subspan(9, kLoginZeros);
  if ((login.capabilities & kClientProtocol41) == 0 ||
      std::any_of(zeros.begin(), zeros.end(), [](std::uint8_t byte) { return byte != 0; })) {
    return std::nullopt;
  }
  login.tls = length == kLoginBytes;
  if (login.tls && (login.capabilities & kClientSsl) == 0) return std::nullopt;
  return login;
}

// Protocol::HandshakeV10: 10, version, NUL, thread id, 8 bytes of salt, NUL, capabilities (lower half), character set,
// status, capabilities (upper half).
std::optional<Greeting> ParseGreeting(Bytes payload, std::uint32_t length) {
  if (length < kAnswerBytesRead || length > 1'024 || payload.size() < kAnswerBytesRead || payload[0] != 10) {
    return std::nullopt;
  }
  const auto begin = payload.begin() + 1;
  const auto end = std::find_if_not(begin, payload.end(), IsPrintable);
  const auto version_size = static_cast<std::size_t>(end - begin);
  if (version_size < 3 || version_size > kVersionBytesMax || payload[1] < '0' || payload[1] > '9') return std::nullopt;
  if (end == payload.end()) return Greeting{};
  const std::size_t behind = 1 + version_size + 1 + 4 + 8;
  if (*end != 0 || (behind < payload.size() && payload[behind] != 0)) return std::nullopt;
  if (behind + 8 > payload.size()) return Greeting{};
  Greeting greeting;
  greeting.known = true;
  greeting.capabilities = Read16(payload, behind + 1) | static_cast<std::uint32_t>(Read16(payload, behind + 6)) << 16;
  return greeting;
}

Request ParseRequest(Bytes payload, std::uint32_t length) {
  Request request;
  if (payload.empty()) return request;
  request.command = static_cast<Command>(payload[0]);
  if (HasStatementId(request.command)) {
    // Without it, a statement that is not known.
    if (payload.size() >= 5) request.statement_id = Read32(payload, 1);
  } else if (HasStatement(request.command)) {
    const auto offset = request.command == Command::kQuery ? StatementOffset(payload) : 1;
    if (offset && *offset <= payload.size()) {
      const std::string_view text = AsText(payload.subspan(*offset));
      request.statement = sql::Summarize(text, payload.size() < length, sql::Dialect::kMysql);
    }
  }
  return request;
}

bool NeedsMore(const Request& request, Bytes payload, std::uint32_t length) {
  if (payload.size() >= length || payload.size() >= kRequestBytesRead) return false;
  if (payload.empty()) return true;
  if (HasStatementId(request.command)) return payload.size() < 5;
  return HasStatement(request.command) && request.statement.table.empty();
}

bool CanStartRequest(Bytes bytes) {
  if (bytes.size() <= kHeaderBytes) return false;
  const Header header = ReadHeader(bytes);
  return header.sequence == 0 && header.length > 0 && Fits(bytes.subspan(kHeaderBytes), header.length);
}

Packet PacketKind(Bytes payload, std::uint32_t length) {
  switch (payload[0]) {
    case 0x00: return length >= kOkBytesMin ? Packet::kOk : Packet::kData;
    case 0xfb: return Packet::kFile;
    case 0xfe:
      if (length == kEofBytes) return Packet::kEof;
      return length >= kOkBytesMin && length < kPayloadBytesMax ? Packet::kOkAsEof : Packet::kData;
    case 0xff:
      if (length < 3) return Packet::kData;
      return Read16(payload, 1) == 0xffff ? Packet::kProgress : Packet::kError;
    default: return Packet::kData;
  }
}

std::uint16_t StatusOf(Bytes payload, Packet kind) {
  if (kind == Packet::kEof) return Read16(payload, 3);
  ByteReader reader(payload.subspan(1));
  ReadLengthEncoded(reader);  // affected rows
  ReadLengthEncoded(reader);  // last insert id
  return reader.Read<std::uint16_t>();
}

std::uint16_t ErrorOf(Bytes payload) { return Read16(payload, 1); }

// MySQL puts a flag before the count (CLIENT_OPTIONAL_RESULTSET_METADATA), MariaDB one behind it (MARIADB_CLIENT_CACHE_
// METADATA). As the flag is 0 or 1 and the count is not 0, the bytes tell them apart.
std::optional<ColumnCount> ParseColumnCount(Bytes payload, std::uint32_t length) {
  if (payload.size() < length) return std::nullopt;  // over kAnswerBytesRead
  ColumnCount count;
  ByteReader reader(payload);
  count.columns = ReadLengthEncoded(reader);
  if (reader.ok() && reader.remaining() > 0 && payload[0] <= 1 && (payload[0] == 0 || payload[1] > 1)) {
    count.definitions_follow = payload[0] == 1;
    count.columns = ReadLengthEncoded(reader);
  } else if (reader.remaining() == 1) {
    count.definitions_follow = reader.Read<std::uint8_t>() != 0;
  }
  constexpr std::uint64_t kColumnsMax = 65'535;
  if (!reader.ok() || reader.remaining() > 0 || count.columns == 0 || count.columns > kColumnsMax) return std::nullopt;
  return count;
}

// COM_STMT_PREPARE_OK: 0, id, columns, parameters, 0, warnings, with CLIENT_OPTIONAL_RESULTSET_METADATA a flag.
std::optional<Prepared> ParsePrepared(Bytes payload, std::uint32_t length) {
  if (length < 12 || length > 13 || payload[0] != 0) return std::nullopt;
  return Prepared{.statement_id = Read32(payload, 1),
                  .columns = Read16(payload, 5),
                  .parameters = Read16(payload, 7),
                  .definitions_follow = length == 12 || payload[12] != 0};
}

std::optional<Terminator> FindTerminator(Bytes bytes, bool old_eof) {
  if (bytes.size() < 8) return std::nullopt;
  const Bytes last = bytes.last(8);
  if (old_eof) {  // [5 0 0 sequence] fe warnings status
    const bool fits = last[0] == 0 && last[1] == 0 && last[3] == 0xfe && PlausibleStatus(Read16(last, 6));
    if (fits && (bytes.size() == 8 || bytes[bytes.size() - 9] == kEofBytes)) return Terminator{Read16(last, 6), 0};
  } else {  // [7 0 0 sequence] fe 0 0 status warnings
    const bool fits = last[1] == 0xfe && last[2] == 0 && last[3] == 0 && PlausibleStatus(Read16(last, 4));
    const std::size_t at = bytes.size() - std::min<std::size_t>(bytes.size(), 11);
    if (fits && (bytes.size() < 11 || ReadHeader(bytes.subspan(at)).length == kOkBytesMin)) {
      return Terminator{Read16(last, 4), 0};
    }
  }
  const std::size_t begin = bytes.size() - std::min(bytes.size(), kHeaderBytes + kErrorBytesMax);
  for (std::size_t at = begin; at + kHeaderBytes + 9 <= bytes.size(); ++at) {
    if (bytes[at + 4] == 0xff && IsErrorPacket(bytes.subspan(at))) return Terminator{0, ErrorOf(bytes.subspan(at + 4))};
  }
  return std::nullopt;
}

bool EndsWithText(Bytes bytes) {
  const Bytes last = bytes.last(8);
  return std::all_of(last.begin(), last.end(), [](std::uint8_t byte) { return byte >= ' '; });
}

Likeness LooksLikeRequests(Bytes first, bool mid_stream) {
  if (first.size() <= kHeaderBytes) {
    const bool fits = first.size() < kHeaderBytes || first[3] <= 2;
    return fits ? Likeness::kMaybe : Likeness::kNo;
  }
  const Header header = ReadHeader(first);
  const Bytes payload = first.subspan(kHeaderBytes);
  if (header.sequence == 1 || header.sequence == 2) {  // 2: behind a request for TLS, in what TLS carries
    constexpr std::uint32_t kLoginBytesMax = 65'536;
    if (header.length < kLoginBytes || header.length > kLoginBytesMax) return Likeness::kNo;
    if (payload.size() < kLoginBytes) return Likeness::kMaybe;
    return ParseLogin(payload, header.length) ? Likeness::kYes : Likeness::kNo;
  }
  if (!mid_stream || !CanStartRequest(first)) return Likeness::kNo;
  const bool whole = payload.size() >= header.length;
  const auto command = static_cast<Command>(payload[0]);
  if (HasStatement(command)) {
    const Bytes at_hand = payload.first(std::min<std::size_t>(payload.size(), header.length));
    const bool verb = ParseRequest(at_hand, header.length).statement.verb != sql::Verb::kOther;
    return verb ? Likeness::kYes : Likeness::kMaybe;
  }
  return command == Command::kStmtExecute && whole ? Likeness::kYes : Likeness::kMaybe;
}

Likeness LooksLikeAnswers(Bytes first, bool mid_stream) {
  // An answer in the middle shows nothing that the command before it did not.
  if (mid_stream) return Likeness::kNo;
  if (first.size() <= kHeaderBytes) {
    const bool fits = first.size() < 3 || first[2] == 0;
    return fits ? Likeness::kMaybe : Likeness::kNo;
  }
  const Header header = ReadHeader(first);
  const Bytes payload = first.subspan(kHeaderBytes);
  if (header.sequence == 0) {
    if (IsErrorPacket(first)) return Likeness::kYes;
    if (payload[0] == 0xff) {  // before the handshake there may be no SQL state: "Host '...' is not allowed to connect"
      const bool fits = payload.size() == header.length && header.length > 3 && Read16(payload, 1) >= 1'000 &&
                        std::all_of(payload.begin() + 3, payload.end(), IsPrintable);
      return fits ? Likeness::kYes : Likeness::kNo;
    }
    if (payload.size() < std::min<std::size_t>(header.length, kAnswerBytesRead)) {
      return payload[0] == 10 ? Likeness::kMaybe : Likeness::kNo;
    }
    return ParseGreeting(payload, header.length) ? Likeness::kYes : Likeness::kNo;
  }
  // In what TLS carries, the first answer is that to the login: OK, ERR, or more authentication.
  const bool fits =
      header.sequence >= 3 && header.length <= 1'024 && (payload[0] <= 1 || payload[0] == 0xfe || payload[0] == 0xff);
  return fits ? Likeness::kMaybe : Likeness::kNo;
}

}  // namespace wiregauge::decode::mysql
