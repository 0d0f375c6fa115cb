#include "exporter/decode/redis/parse.h"

#include <algorithm>
#include <cstring>

namespace wiregauge::decode::redis {

namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kMillisecondNs = 1'000'000;

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\0'; }
constexpr char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c; }
constexpr bool IsLetter(char c) { return Upper(c) >= 'A' && Upper(c) <= 'Z'; }
// Of modules too: "JSON.GET", "FT._LIST", "RG.PYEXECUTE", "CL.THROTTLE".
constexpr bool IsNameByte(char c) { return IsLetter(c) || IsDigit(c) || c == '.' || c == '_' || c == '-'; }

// `upper` is upper case.
bool EqualsIgnoringCase(std::string_view text, std::string_view upper) {
  return text.size() == upper.size() &&
         std::equal(text.begin(), text.end(), upper.begin(), [](char a, char b) { return Upper(a) == b; });
}

// --- names

constexpr std::size_t kSlots = 1'024;  // a quarter full

constexpr std::size_t SlotOf(std::string_view name) {
  std::uint32_t hash = static_cast<std::uint32_t>(name.size());
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(Upper(c));
  return (hash ^ hash >> 11) % kSlots;
}

constexpr std::array<CommandId, kSlots> MakeSlots() {
  std::array<CommandId, kSlots> slots{};
  for (std::size_t i = 1; i < kCommands.size(); ++i) {
    std::size_t at = SlotOf(kCommands[i].name);
    while (slots[at] != kOtherCommand) at = (at + 1) % kSlots;
    slots[at] = static_cast<CommandId>(i);
  }
  return slots;
}

constexpr std::array<CommandId, kSlots> kCommandSlots = MakeSlots();

// --- numbers

// Digits behind `at`, which is moved behind them, into `value`; false when there are none or too many.
inline bool TakeCount(const char*& at, const char* end, std::uint64_t& value) {
  constexpr std::ptrdiff_t kDigitsMax = 12;
  const char* const begin = at;
  value = 0;
  for (; at < end; ++at) {
    const unsigned digit = static_cast<unsigned char>(*at) - unsigned{'0'};
    if (digit > 9) break;
    value = value * 10 + digit;
  }
  return at != begin && at - begin <= kDigitsMax;
}

// "\r\n" behind `at`, which is moved behind it.
bool TakeLineEnd(const char*& at, const char* end) {
  if (end - at < 2 || at[0] != '\r' || at[1] != '\n') return false;
  at += 2;
  return true;
}

// A timeout argument: seconds with a fraction, or milliseconds. Unreadable: no bound.
std::uint64_t TimeoutNs(std::string_view text, std::uint64_t unit_ns) {
  constexpr std::uint64_t kCountMax = 1'000'000'000;  // 30 years of seconds
  const std::size_t point = text.find('.');
  const auto whole = ParseCount(text.substr(0, point), kCountMax);
  if (!whole) return kForever;
  std::uint64_t ns = *whole * unit_ns;
  if (point != std::string_view::npos) {
    for (const char c : text.substr(point + 1)) {
      unit_ns /= 10;
      if (!IsDigit(c)) return kForever;
      ns += static_cast<std::uint64_t>(c - '0') * unit_ns;
    }
  }
  return ns == 0 ? kForever : ns;
}

// How much of `run` is the type line of an array of at least one element or a string, as "*3\r\n"; npos when it cannot
// be one, and run.size() or more when it is cut short.
std::size_t CountLine(std::string_view run, char type, std::uint64_t& count) {
  constexpr std::size_t kDigitsMax = 12;
  if (run.empty()) return 0;
  if (run[0] != type) return std::string_view::npos;
  std::size_t at = 1;
  count = 0;
  for (; at < run.size() && IsDigit(run[at]); ++at) count = count * 10 + static_cast<std::uint64_t>(run[at] - '0');
  if (at > kDigitsMax + 1) return std::string_view::npos;
  if (at == run.size()) return at;
  if (at == 1 || run[at] != '\r') return std::string_view::npos;
  if (at + 1 == run.size()) return at + 1;
  return run[at + 1] == '\n' ? at + 2 : std::string_view::npos;
}

// "*N\r\n$M\r\n" and the beginning of a command's name. kMaybe when cut short before the name.
Likeness LooksLikeCommand(std::string_view run) {
  std::uint64_t count = 0;
  std::size_t used = CountLine(run, '*', count);
  if (used == std::string_view::npos) return Likeness::kNo;
  constexpr std::size_t kShortestLine = 4;  // a count that is cut short is smaller than the whole one
  if (used >= kShortestLine && (count == 0 || count > kElementsMax)) return Likeness::kNo;
  if (used >= run.size()) return Likeness::kMaybe;
  run.remove_prefix(used);
  used = CountLine(run, '$', count);
  if (used == std::string_view::npos) return Likeness::kNo;
  if (used >= kShortestLine && (count == 0 || count > kLineBytesKept)) return Likeness::kNo;
  if (used >= run.size()) return Likeness::kMaybe;
  const std::string_view name = run.substr(used, count);
  return IsLetter(name[0]) && std::all_of(name.begin(), name.end(), IsNameByte) ? Likeness::kYes : Likeness::kNo;
}

// A type and digits, perhaps negative, and a line end; as far as `run` goes.
bool BeginsWithNumber(std::string_view run) {
  std::size_t at = run.size() > 1 && run[1] == '-' ? 2 : 1;
  while (at < run.size() && IsDigit(run[at])) ++at;
  if (at == run.size()) return at < 21;
  return at > 1 && IsDigit(run[at - 1]) && run[at] == '\r' && (at + 1 == run.size() || run[at + 1] == '\n');
}

// Text of a line, as far as `run` goes.
bool BeginsWithText(std::string_view run) {
  const std::size_t end = std::min({run.size(), run.find('\r'), kLineBytesKept});
  return std::all_of(run.begin() + 1, run.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
}

}  // namespace

CommandId FindCommand(std::string_view name) {
  if (name.empty() || name.size() > kCommandBytesMax) return kOtherCommand;
  for (std::size_t at = SlotOf(name);; at = (at + 1) % kSlots) {
    const CommandId id = kCommandSlots[at];
    if (id == kOtherCommand || EqualsIgnoringCase(name, kCommands[id].name)) return id;
  }
}

std::string_view ErrorWord(std::string_view text) {
  const std::string_view word = text.substr(0, text.find_first_of(" \r\n"));
  const auto* const found = std::find(kErrorWords.begin(), kErrorWords.end(), word);
  return found == kErrorWords.end() ? kOtherError : *found;
}

PubSub FindPubSub(std::string_view word) {
  if (word == "message" || word == "pmessage" || word == "smessage") return PubSub::kMessage;
  if (word == "subscribe") return PubSub::kSubscribe;
  if (word == "unsubscribe") return PubSub::kUnsubscribe;
  if (word == "psubscribe") return PubSub::kPsubscribe;
  if (word == "punsubscribe") return PubSub::kPunsubscribe;
  if (word == "ssubscribe") return PubSub::kSsubscribe;
  if (word == "sunsubscribe") return PubSub::kSunsubscribe;
  return PubSub::kNone;
}

std::optional<std::uint64_t> ParseCount(std::string_view digits, std::uint64_t max) {
  const char* at = digits.data();
  const char* const end = at + digits.size();
  std::uint64_t value = 0;
  if (!TakeCount(at, end, value) || at != end || value > max) return std::nullopt;
  return value;
}

void ArgumentReader::Begin(std::uint64_t count) {
  request_ = {};
  count_ = count;
  seen_ = 0;
  last_ns_ = 0;
  trait_ = Trait::kPlain;
  awaits_option_ = false;
}

void ArgumentReader::Add(std::string_view first_bytes) {
  if (seen_++ == 0) {
    request_.command = FindCommand(first_bytes);
    trait_ = InfoOf(request_.command).trait;
    // Until its timeout has been seen.
    const bool blocks = trait_ == Trait::kBlocksLast || trait_ == Trait::kBlocksLastMs || trait_ == Trait::kBlocksFirst;
    request_.blocks_ns = blocks ? kForever : 0;
  } else if (trait_ != Trait::kPlain) {
    Look(first_bytes, seen_ - 1);
  }
}

void ArgumentReader::Look(std::string_view argument, std::uint64_t index) {
  switch (trait_) {
    case Trait::kBlocksFirst:
      if (index == 1) request_.blocks_ns = TimeoutNs(argument, kSecondNs);
      return;
    case Trait::kBlocksLast: last_ns_ = TimeoutNs(argument, kSecondNs); return;
    case Trait::kBlocksLastMs: last_ns_ = TimeoutNs(argument, kMillisecondNs); return;
    case Trait::kBlocksOption:
      if (awaits_option_) request_.blocks_ns = TimeoutNs(argument, kMillisecondNs);
      if (EqualsIgnoringCase(argument, "STREAMS")) trait_ = Trait::kPlain;  // keys follow
      awaits_option_ = EqualsIgnoringCase(argument, "BLOCK");
      return;
    case Trait::kClient:
      if (index == 2 && awaits_option_) {
        if (EqualsIgnoringCase(argument, "ON")) request_.reply_mode = ReplyMode::kOn;
        if (EqualsIgnoringCase(argument, "OFF")) request_.reply_mode = ReplyMode::kOff;
        if (EqualsIgnoringCase(argument, "SKIP")) request_.reply_mode = ReplyMode::kSkip;
      }
      awaits_option_ = index == 1 && EqualsIgnoringCase(argument, "REPLY");
      return;
    default: return;
  }
}

Request ArgumentReader::Finish() const {
  Request request = request_;
  request.arguments = static_cast<std::uint32_t>(seen_ > 0 ? seen_ - 1 : 0);
  const bool last = trait_ == Trait::kBlocksLast || trait_ == Trait::kBlocksLastMs;
  if (last && request.arguments > 0 && (count_ == 0 || seen_ == count_)) request.blocks_ns = last_ns_;
  return request;
}

std::size_t ParseCommand(std::string_view run, Request& request) {
  const char* at = run.data();
  const char* const end = at + run.size();
  if (run.size() < 8 || *at++ != '*') return 0;
  std::uint64_t count = 0;
  if (!TakeCount(at, end, count) || count == 0 || count > kElementsMax || !TakeLineEnd(at, end)) return 0;
  ArgumentReader arguments;
  arguments.Begin(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t size = 0;
    if (at == end || *at++ != '$' || !TakeCount(at, end, size) || !TakeLineEnd(at, end)) return 0;
    if (size >= static_cast<std::uint64_t>(end - at)) return 0;
    const std::string_view argument(at, size);
    at += size;
    if (!TakeLineEnd(at, end)) return 0;
    if (arguments.indifferent()) {
      arguments.Skip(1);
    } else {
      arguments.Add(size > LineFraming::kFirstBytesKept ? std::string_view() : argument);
    }
  }
  request = arguments.Finish();
  return static_cast<std::size_t>(at - run.data());
}

std::optional<Request> ParseInline(std::string_view line) {
  ArgumentReader arguments;
  arguments.Begin(0);
  std::size_t at = 0;
  while (true) {
    while (at < line.size() && IsBlank(line[at])) ++at;
    if (at == line.size()) break;
    const std::size_t begin = at;
    char quote = 0;
    for (; at < line.size() && (quote != 0 || !IsBlank(line[at])); ++at) {
      if (quote == '"' && line[at] == '\\') {
        ++at;
        if (at == line.size()) break;
      } else if (quote != 0) {
        if (line[at] == quote) quote = 0;
      } else if (line[at] == '"' || line[at] == '\'') {
        quote = line[at];
      }
    }
    std::string_view argument = line.substr(begin, at - begin);
    if (argument.size() >= 2 && (argument[0] == '"' || argument[0] == '\'') && argument.back() == argument[0]) {
      argument = argument.substr(1, argument.size() - 2);
    }
    arguments.Add(argument.size() > LineFraming::kFirstBytesKept ? std::string_view() : argument);
  }
  if (!arguments.named()) return std::nullopt;
  Request request = arguments.Finish();
  request.is_inline = true;
  return request;
}

std::size_t FindRequestStart(std::string_view run, bool at_segment_start) {
  for (std::size_t at = run.find('*'); at != std::string_view::npos; at = run.find('*', at + 1)) {
    const bool behind_line_end = at >= 2 && run[at - 1] == '\n' && run[at - 2] == '\r';
    if (!behind_line_end && !(at == 0 && at_segment_start)) continue;
    const Likeness likeness = LooksLikeCommand(run.substr(at));
    // A beginning that is cut short counts where one is likely.
    if (likeness == Likeness::kYes || (likeness == Likeness::kMaybe && at == 0)) return at;
  }
  return std::string_view::npos;
}

bool CanStartAnswer(std::string_view run) {
  if (run.empty()) return false;
  switch (run[0]) {
    case '$':
    case '*':
    case ':':
    case '%':
    case '~':
    case '>':
    case '|':
    case '=':
    case '!': return BeginsWithNumber(run);
    case '+': return BeginsWithText(run);
    case '-': return (run.size() == 1 || IsLetter(run[1])) && BeginsWithText(run);
    case '_': return run.substr(1, 2) == std::string_view("\r\n").substr(0, std::min<std::size_t>(2, run.size() - 1));
    case '#': return run.size() == 1 || run[1] == 't' || run[1] == 'f';
    case ',':
    case '(': return BeginsWithText(run);
    default: return false;
  }
}

Likeness LooksLikeRequests(Bytes first, bool mid_stream) {
  const std::string_view run = AsText(first);
  if (run.starts_with('*')) return LooksLikeCommand(run);
  // An inline command is no more than a word: other protocols of lines use some of them.
  const std::size_t end = run.find_first_of(" \r\n");
  const std::string_view word = run.substr(0, end);
  if (mid_stream || word.empty() || word.size() > kCommandBytesMax) return Likeness::kNo;
  if (end == std::string_view::npos) {
    return std::all_of(word.begin(), word.end(), IsNameByte) ? Likeness::kMaybe : Likeness::kNo;
  }
  return FindCommand(word) == kOtherCommand ? Likeness::kNo : Likeness::kMaybe;
}

Likeness LooksLikeAnswers(Bytes first, bool mid_stream) {
  const std::string_view run = AsText(first);
  if (!CanStartAnswer(run)) return Likeness::kNo;
  const std::string_view line = run.substr(0, run.find("\r\n"));
  if (line.size() == run.size()) return mid_stream ? Likeness::kNo : Likeness::kMaybe;
  switch (run[0]) {
    case '$':
    case ':':
    case '%':
    case '~':
    case '>':
    case '_': return Likeness::kYes;
    case '+': return line == "+PONG" || line == "+QUEUED" ? Likeness::kYes : Likeness::kMaybe;
    case '-': {
      const std::string_view word = ErrorWord(line.substr(1));
      return word != kOtherError && word != "ERR" ? Likeness::kYes : Likeness::kMaybe;
    }
    default: return Likeness::kMaybe;  // an array of strings is a request as well
  }
}

}  // namespace wiregauge::decode::redis
