#include "exporter/decode/postgresql/parse.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <absl/hash/hash.h>

#include "exporter/decode/sql/summarize.h"

namespace wiregauge::decode::postgresql {

namespace {

constexpr std::uint32_t kProtocol3Major = 3;
constexpr std::uint32_t kCancelRequestCode = 80877102;
constexpr std::uint32_t kSslRequestCode = 80877103;
constexpr std::uint32_t kGssEncRequestCode = 80877104;
// What is believed where a message is only supposed to begin: text never passes, as its first byte would be zero.
constexpr std::uint32_t kLikelyBytesMax = 1u << 24;

using Shapes = std::array<Shape, 128>;

constexpr Shapes MakeClientShapes() {
  Shapes shapes{};
  const auto add = [&shapes](char type, std::uint32_t body_min, std::uint32_t max, std::size_t kept, bool told) {
    shapes[static_cast<std::size_t>(type)] = {body_min + 4, max, static_cast<std::uint16_t>(kept), told};
  };
  add(client::kBind, 8, kLargeBytesMax, kNamesBytesKept, true);
  add(client::kClose, 2, kSmallBytesMax, kNamesBytesKept, true);
  add(client::kDescribe, 2, kSmallBytesMax, 0, true);
  add(client::kExecute, 5, kSmallBytesMax, kNamesBytesKept, true);
  add(client::kFunctionCall, 10, kLargeBytesMax, 0, true);
  add(client::kFlush, 0, 4, 0, true);
  add(client::kParse, 4, kLargeBytesMax, kStatementBytesKept, true);
  add(client::kQuery, 1, kLargeBytesMax, kStatementBytesKept, true);
  add(client::kSync, 0, 4, 0, true);
  add(client::kTerminate, 0, 4, 0, true);
  add(client::kCopyDone, 0, 4, 0, true);
  add(client::kCopyFail, 1, kSmallBytesMax, 0, true);
  add('d', 0, kLargeBytesMax, 0, false);  // CopyData
  add('p', 0, kAuthBytesMax, 0, false);   // PasswordMessage, SASL and GSSAPI answers
  return shapes;
}

constexpr Shapes MakeServerShapes() {
  Shapes shapes{};
  const auto add = [&shapes](char type, std::uint32_t body_min, std::uint32_t max, std::size_t kept, bool told) {
    shapes[static_cast<std::size_t>(type)] = {body_min + 4, max, static_cast<std::uint16_t>(kept), told};
  };
  for (const char empty : {server::kParseComplete, server::kBindComplete, server::kCloseComplete,
                           server::kEmptyQueryResponse, server::kNoData, server::kPortalSuspended}) {
    add(empty, 0, 4, 0, true);
  }
  add(server::kCommandComplete, 1, kSmallBytesMax, kCommandTagBytesMax, true);
  add(server::kErrorResponse, 1, kLargeBytesMax, kErrorBytesKept, true);
  for (const char copy : {server::kCopyInResponse, server::kCopyBothResponse}) add(copy, 3, kSmallBytesMax, 0, true);
  add(server::kAuthentication, 4, kAuthBytesMax, 0, true);
  add(server::kRowDescription, 2, kLargeBytesMax, 0, true);
  add(server::kFunctionCallResponse, 4, kLargeBytesMax, 0, true);
  add(server::kReadyForQuery, 1, 5, 1, true);
  add('H', 3, kSmallBytesMax, 0, false);  // CopyOutResponse
  add('A', 6, kLargeBytesMax, 0, false);  // NotificationResponse
  add('D', 2, kLargeBytesMax, 0, false);  // DataRow
  add('K', 8, 4 + 4 + 256, 0, false);     // BackendKeyData; in protocol 3.2 the key has up to 256 bytes
  add('N', 1, kLargeBytesMax, 0, false);  // NoticeResponse
  add('S', 2, kLargeBytesMax, 0, false);  // ParameterStatus
  add('c', 0, 4, 0, false);               // CopyDone
  add('d', 0, kLargeBytesMax, 0, false);  // CopyData
  add('t', 2, kLargeBytesMax, 0, false);  // ParameterDescription
  add('v', 8, kSmallBytesMax, 0, false);  // NegotiateProtocolVersion
  return shapes;
}

constexpr Shapes kClientShapes = MakeClientShapes();
constexpr Shapes kServerShapes = MakeServerShapes();
constexpr Shape kNoShape{};

NameId IdOf(std::string_view name) {
  if (name.empty()) return kUnnamed;
  return std::max<NameId>(absl::Hash<std::string_view>()(name), kUnknownName + 1);
}

// Takes a zero-terminated string off the front. False when its end is not at hand.
bool TakeString(std::string_view& bytes, std::string_view& string) {
  const void* zero = bytes.empty() ? nullptr : std::memchr(bytes.data(), '\0', bytes.size());
  if (zero == nullptr) return false;
  const auto size = static_cast<std::size_t>(static_cast<const char*>(zero) - bytes.data());
  string = bytes.substr(0, size);
  bytes.remove_prefix(size + 1);
  return true;
}

NameId TakeName(std::string_view& bytes) {
  std::string_view name;
  return TakeString(bytes, name) ? IdOf(name) : kUnknownName;
}

struct Command {
  std::string_view name;
  Operation operation;
};
constexpr std::array<Command, 7> kReplicationCommands = {{
    {"BASE_BACKUP", Operation::kBaseBackup},
    {"CREATE_REPLICATION_SLOT", Operation::kCreateReplicationSlot},
    {"DROP_REPLICATION_SLOT", Operation::kDropReplicationSlot},
    {"IDENTIFY_SYSTEM", Operation::kIdentifySystem},
    {"READ_REPLICATION_SLOT", Operation::kReadReplicationSlot},
    {"START_REPLICATION", Operation::kStartReplication},
    {"TIMELINE_HISTORY", Operation::kTimelineHistory},
}};

Operation ReplicationCommand(std::string_view statement) {
  statement.remove_prefix(std::min(statement.find_first_not_of(" \t\r\n"), statement.size()));
  const std::string_view word = statement.substr(0, statement.find_first_of(" \t\r\n;("));
  const auto same = [word](const Command& command) {
    return std::equal(word.begin(), word.end(), command.name.begin(), command.name.end(),
                      [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - ('a' - 'A') : a) == b; });
  };
  const auto* found = std::find_if(kReplicationCommands.begin(), kReplicationCommands.end(), same);
  return found == kReplicationCommands.end() ? Operation::kOther : found->operation;
}

// What an error says, without its text: fields are a letter and a zero-terminated string each.
std::string_view CodeOf(std::string_view fields) {
  while (!fields.empty() && fields.front() != '\0') {
    const char letter = fields.front();
    fields.remove_prefix(1);
    std::string_view value;
    if (!TakeString(fields, value)) return {};
    if (letter == 'C') return value.size() == 5 ? value : std::string_view();
  }
  return {};
}

}  // namespace

const Shape& ShapeOf(Sender sender, std::uint8_t type) {
  if (type >= 128) return kNoShape;
  return (sender == Sender::kClient ? kClientShapes : kServerShapes)[type];
}

Opening ParseOpening(Bytes header) {
  const std::uint32_t length = ReadBigEndian32(header.data());
  const std::uint32_t code = ReadBigEndian32(header.data() + 4);
  if (code == kSslRequestCode) return length == 8 ? Opening::kSslRequest : Opening::kNone;
  if (code == kGssEncRequestCode) return length == 8 ? Opening::kGssEncRequest : Opening::kNone;
  // The key has 4 bytes, in protocol 3.2 up to 256.
  if (code == kCancelRequestCode) return length >= 16 && length <= 12 + 256 ? Opening::kCancelRequest : Opening::kNone;
  const bool startup = code >> 16 == kProtocol3Major && length > 8 && length <= kStartupBytesMax;
  return startup ? Opening::kStartup : Opening::kNone;
}

ClientMessage ParseClientMessage(char type, Bytes body, bool whole) {
  ClientMessage message;
  message.type = type;
  std::string_view rest = AsText(body);
  switch (type) {
    case client::kParse:
      message.statement = TakeName(rest);
      if (message.statement == kUnknownName) break;
      [[fallthrough]];
    case client::kQuery: {
      std::string_view statement = rest;
      const bool cut = !TakeString(rest, statement) && !whole;
      const sql::Summary summary = sql::Summarize(statement, cut, sql::Dialect::kPostgresql);
      message.operation = OperationOf(summary.verb);
      message.table = summary.table;
      if (summary.verb == sql::Verb::kOther && type == client::kQuery)
        message.operation = ReplicationCommand(statement);
      break;
    }
    case client::kBind:
      message.portal = TakeName(rest);
      if (message.portal != kUnknownName) message.statement = TakeName(rest);
      break;
    case client::kExecute: message.portal = TakeName(rest); break;
    case client::kClose:
      if (rest.empty()) break;
      rest.remove_prefix(1);
      (body[0] == 'S' ? message.statement : message.portal) = TakeName(rest);
      break;
    default: break;
  }
  return message;
}

ServerMessage ParseServerMessage(char type, Bytes body) {
  ServerMessage message;
  message.type = type;
  std::string_view rest = AsText(body);
  if (type == server::kErrorResponse) message.code = CodeOf(rest);
  if (type == server::kCommandComplete) TakeString(rest, message.command_tag);
  if (type == server::kReadyForQuery && !rest.empty()) message.status = rest.front();
  return message;
}

Operation OperationOfCommandTag(std::string_view tag) {
  if (tag == "START TRANSACTION") return OperationOf(sql::Verb::kStartTransaction);
  return OperationOf(sql::FindVerb(tag.substr(0, tag.find(' '))));
}

namespace {

// Strings in it end where they should, as far as `body` (the first bytes of `length - 4`) shows.
bool IsLikelyBody(Sender sender, char type, Bytes body, std::uint32_t length) {
  const bool whole = body.size() == length - 4;
  if (sender == Sender::kClient) {
    switch (type) {
      case client::kQuery: return !whole || body.back() == '\0';
      case client::kParse: return !whole || std::count(body.begin(), body.end(), 0) >= 2;
      case client::kDescribe:
      case client::kClose: return body.empty() || ((body[0] == 'S' || body[0] == 'P') && (!whole || body.back() == 0));
      case client::kExecute: return !whole || body[body.size() - 5] == '\0';
      default: return true;
    }
  }
  switch (type) {
    case server::kReadyForQuery: return body.empty() || body[0] == 'I' || body[0] == 'T' || body[0] == 'E';
    case server::kCommandComplete: return !whole || body.back() == '\0';
    case server::kErrorResponse:
    case 'N': return (body.empty() || body[0] == 'S') && (!whole || body.back() == '\0');
    case 'S': return !whole || body.back() == '\0';
    default: return true;
  }
}

struct Chain {
  std::size_t whole = 0;  // messages that end in the run
  char last = '\0';       // of them
  bool fits = false;      // what follows them may be a message too
  bool exact = false;     // nothing follows them
};

Chain ReadChain(Sender sender, Bytes run) {
  Chain chain;
  std::size_t at = 0;
  while (run.size() - at >= kHeaderBytes) {
    const std::uint8_t type = run[at];
    const std::uint32_t length = ReadBigEndian32(&run[at + 1]);
    if (!ShapeOf(sender, type).Fits(length) || length > kLikelyBytesMax) return chain;
    const std::size_t there = std::min<std::size_t>(length - 4, run.size() - at - kHeaderBytes);
    if (!IsLikelyBody(sender, static_cast<char>(type), run.subspan(at + kHeaderBytes, there), length)) return chain;
    if (there < length - 4) {
      chain.fits = true;
      return chain;
    }
    ++chain.whole;
    chain.last = static_cast<char>(type);
    at += kHeaderBytes + there;
  }
  chain.exact = at == run.size();
  chain.fits = chain.exact || ShapeOf(sender, run[at]).length_max != 0;
  return chain;
}

bool EndsTurn(Sender sender, char type) {
  if (sender == Sender::kServer) return type == server::kReadyForQuery;
  return type == client::kQuery || type == client::kSync || type == client::kFunctionCall || type == client::kTerminate;
}

}  // namespace

bool StartsWithMessage(Sender sender, Bytes run) { return ReadChain(sender, run).fits; }

bool IsWholeTurn(Sender sender, Bytes run) {
  const Chain chain = ReadChain(sender, run);
  return chain.exact && chain.whole > 0 && EndsTurn(sender, chain.last);
}

char TurnEnd(Sender sender, Bytes run) {
  if (sender == Sender::kServer) {
    if (run.size() < 6) return '\0';
    const Bytes end = run.last(6);
    const bool status = end[5] == 'I' || end[5] == 'T' || end[5] == 'E';
    return end[0] == 'Z' && ReadBigEndian32(&end[1]) == 5 && status ? server::kReadyForQuery : '\0';
  }
  if (run.size() < kHeaderBytes) return '\0';
  const Bytes end = run.last(kHeaderBytes);
  const bool type = end[0] == client::kSync || end[0] == client::kCopyDone;
  return type && ReadBigEndian32(&end[1]) == 4 ? static_cast<char>(end[0]) : '\0';
}

Before BeforeReady(Bytes run) {
  if (run.size() < 8) return Before::kUnknown;
  const Bytes before = run.last(8).first(2);
  // An ErrorResponse ends with a string and the end of its fields. PortalSuspended, EmptyQueryResponse and the like end
  // with the length 4, a CommandComplete with a string that is not empty.
  if (before[0] == 0 && before[1] == 0) return Before::kError;
  return (before[0] != 0 && before[1] == 0) || (before[0] == 0 && before[1] == 4) ? Before::kNoError : Before::kUnknown;
}

namespace {

// A list of parameters, "user" among them: zero-terminated names and values. Kafka's Metadata request of version 0 has
// the same first 8 bytes; behind them it has a number.
Likeness LooksLikeStartup(Bytes first) {
  const std::uint32_t length = ReadBigEndian32(first.data());
  const std::string_view rest = AsText(first.subspan(kOpeningHeaderBytes));
  if (rest.empty()) return Likeness::kMaybe;
  if (rest[0] == '\0') return length == 9 ? Likeness::kYes : Likeness::kNo;
  const std::string_view name = rest.substr(0, rest.find('\0'));
  const bool named = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
  if (!named) return Likeness::kNo;
  return name.size() < rest.size() ? Likeness::kYes : Likeness::kMaybe;
}

Likeness LooksLikeOpening(Bytes first) {
  if (first.size() < kOpeningHeaderBytes) {
    constexpr std::array<std::uint8_t, 2> kLengthUpper = {0, 0};
    const std::size_t known = std::min(first.size(), kLengthUpper.size());
    return std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(known), kLengthUpper.begin())
               ? Likeness::kMaybe
               : Likeness::kNo;
  }
  switch (ParseOpening(first)) {
    case Opening::kNone: return Likeness::kNo;
    case Opening::kStartup: return LooksLikeStartup(first);
    default: return Likeness::kYes;
  }
}

Likeness LooksLikeChain(Sender sender, Bytes first) {
  const Chain chain = ReadChain(sender, first);
  if (!chain.fits || first.size() < kHeaderBytes) return Likeness::kNo;
  if (chain.exact && EndsTurn(sender, chain.last)) return Likeness::kYes;
  // Of a message that is not whole only the length speaks for it.
  const std::string_view long_ones = sender == Sender::kClient ? "QPBd" : "TDd";
  if (chain.whole == 0 && long_ones.find(static_cast<char>(first[0])) == std::string_view::npos) return Likeness::kNo;
  return chain.whole >= 2 ? Likeness::kYes : Likeness::kMaybe;
}

}  // namespace

Likeness LooksLikeRequests(Bytes first, bool mid_stream) {
  return mid_stream ? LooksLikeChain(Sender::kClient, first) : LooksLikeOpening(first);
}

Likeness LooksLikeAnswers(Bytes first, bool mid_stream) {
  if (mid_stream) return LooksLikeChain(Sender::kServer, first);
  // The answer to SSLRequest or GSSENCRequest; then in clear or TLS, or a token behind its length.
  if (first[0] == 'N' || first[0] == 'S' || first[0] == 'G') {
    if (first.size() == 1) return Likeness::kMaybe;
    const std::string_view next = first[0] == 'N' ? "NSGREv" : first[0] == 'S' ? "\x16" : std::string_view("\0", 1);
    return next.find(static_cast<char>(first[1])) != std::string_view::npos ? Likeness::kMaybe : Likeness::kNo;
  }
  if (first[0] != server::kAuthentication && first[0] != server::kErrorResponse && first[0] != 'v')
    return Likeness::kNo;
  if (first.size() < kHeaderBytes + 4) return Likeness::kMaybe;
  const std::uint32_t length = ReadBigEndian32(&first[1]);
  if (!ShapeOf(Sender::kServer, first[0]).Fits(length) || length > kAuthBytesMax) return Likeness::kNo;
  if (first[0] == server::kErrorResponse) return first[5] == 'S' ? Likeness::kYes : Likeness::kNo;
  if (first[0] == 'v') return Likeness::kMaybe;
  return ReadBigEndian32(&first[5]) <= 12 ? Likeness::kYes : Likeness::kNo;
}

}  // namespace wiregauge::decode::postgresql
