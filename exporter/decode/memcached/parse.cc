#include "exporter/decode/memcached/parse.h"

#include <algorithm>

namespace wiregauge::decode::memcached {

namespace {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The next word of `line`, which is cut to what is behind it. Empty at the end.
std::string_view NextWord(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

std::optional<std::uint64_t> Number(std::string_view word, std::uint64_t max) {
  constexpr std::size_t kDigitsMax = 19;
  if (word.empty() || word.size() > kDigitsMax || !std::all_of(word.begin(), word.end(), IsDigit)) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : word) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  return value <= max ? std::optional(value) : std::nullopt;
}

bool IsKey(std::string_view word) {
  return !word.empty() && word.size() <= kKeyBytesMax && std::all_of(word.begin(), word.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f';
  });
}

Tag TagOf(std::string_view word) {
  std::uint32_t hash = 2'166'136'261u;  // FNV-1a
  for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619u;
  return hash | 1;
}

Command FindCommand(std::string_view word) {
  for (std::size_t i = 1; i < kCommandNames.size(); ++i) {
    if (kCommandNames[i] == word) return static_cast<Command>(i);
  }
  return Command::kOther;
}

bool IsStorage(Command command) { return command >= Command::kSet && command <= Command::kCas; }
bool IsMeta(Command command) { return command >= Command::kMetaGet && command <= Command::kMetaArithmetic; }

// <command> <key> <flags> <exptime> <bytes> [<cas unique>] [noreply]; `line` is behind the command.
void ReadStorage(std::string_view line, RequestLine& read) {
  const bool key = IsKey(NextWord(line));
  const auto flags = Number(NextWord(line), UINT32_MAX);
  std::string_view expires = NextWord(line);
  if (expires.starts_with('-')) expires.remove_prefix(1);
  const auto bytes = Number(NextWord(line), kValueBytesMax);
  const bool cas = read.request.command != Command::kCas || Number(NextWord(line), UINT64_MAX);
  if (!key || !flags || !Number(expires, UINT64_MAX) || !bytes || !cas) return;  // refused; no value follows
  read.value_bytes = bytes;
  read.request.noreply = NextWord(line) == "noreply";
}

// Flags of a meta command, and the key when the answer repeats it.
void ReadFlags(std::string_view flags, std::string_view key, Request& request) {
  for (std::string_view flag = NextWord(flags); !flag.empty(); flag = NextWord(flags)) {
    if (flag == "q") request.quiet = true;
    if (flag == "k") request.key = TagOf(key);
    if (flag[0] == 'O') request.opaque = TagOf(flag.substr(1));
  }
}

void ReadMeta(std::string_view line, RequestLine& read) {
  const std::string_view key = NextWord(line);
  if (read.request.command == Command::kMetaSet) {
    const auto bytes = Number(NextWord(line), kValueBytesMax);
    if (!IsKey(key) || !bytes) return;
    read.value_bytes = bytes;
  }
  ReadFlags(line, key, read.request);
}

struct Word {
  std::string_view text;
  Code code;
};

// Whole lines, or their first words.
constexpr auto kAnswers = std::to_array<Word>({
    {"STORED", Code::kStored},
    {"END", Code::kEnd},
    {"NOT_FOUND", Code::kNotFound},
    {"DELETED", Code::kDeleted},
    {"NOT_STORED", Code::kNotStored},
    {"EXISTS", Code::kExists},
    {"TOUCHED", Code::kTouched},
    {"OK", Code::kOk},
    {"ERROR", Code::kError},
    {"RESET", Code::kReset},
    {"MN", Code::kMetaNoop},
    {"BUSY", Code::kBusy},
    {"BADCLASS", Code::kBusy},
    {"NOSPARE", Code::kBusy},
    {"NOTFULL", Code::kBusy},
    {"UNSAFE", Code::kBusy},
    {"SAME", Code::kBusy},
    {"VERSION", Code::kVersion},
    {"CLIENT_ERROR", Code::kClientError},
    {"SERVER_ERROR", Code::kServerError},
    {"ME", Code::kMetaDebug},
    {"HD", Code::kMetaHit},
    {"EN", Code::kMetaMiss},
    {"NF", Code::kMetaNotFound},
    {"NS", Code::kMetaNotStored},
    {"EX", Code::kMetaExists},
    {"VA", Code::kMetaValue},
});

void ReadAnswerFlags(std::string_view flags, Answer& answer) {
  for (std::string_view flag = NextWord(flags); !flag.empty(); flag = NextWord(flags)) {
    if (flag[0] == 'O') answer.opaque = TagOf(flag.substr(1));
    if (flag[0] == 'k') answer.key = TagOf(flag.substr(1));
  }
}

bool IsMetaCode(Code code) { return code >= Code::kMetaValue && code <= Code::kMetaExists; }

// VALUE <key> <flags> <bytes> [<cas unique>]; `line` is behind the first word.
std::optional<AnswerLine> ReadValue(std::string_view line) {
  AnswerLine read;
  const bool key = IsKey(NextWord(line));
  const auto flags = Number(NextWord(line), UINT32_MAX);
  read.value_bytes = Number(NextWord(line), kValueBytesMax);
  read.is_value = true;
  return key && flags && read.value_bytes ? std::optional(read) : std::nullopt;
}

// Whether the line is what a client library sends, no more and no less.
bool IsWellFormed(std::string_view line) {
  const RequestLine read = ParseRequestLine(line);
  std::string_view rest = line;
  NextWord(rest);
  const Command command = read.request.command;
  if (command == Command::kMetaNoop || command == Command::kVersion || command == Command::kQuit) return rest.empty();
  if (IsStorage(command) || command == Command::kMetaSet) return read.value_bytes.has_value();
  const bool with_key = command != Command::kOther && command < Command::kStats && command != Command::kMetaNoop;
  return with_key && IsKey(NextWord(rest));
}

}  // namespace

RequestLine ParseRequestLine(std::string_view line) {
  RequestLine read;
  std::string_view rest = line;
  const Command command = FindCommand(NextWord(rest));
  read.request.command = command;
  if (IsStorage(command)) {
    ReadStorage(rest, read);
  } else if (IsMeta(command)) {
    ReadMeta(rest, read);
  } else if (command >= Command::kIncr && command != Command::kMetaNoop && line.size() < kLineBytesKept) {
    read.request.noreply = line.ends_with(" noreply");
  }
  return read;
}

std::optional<AnswerLine> ParseAnswerLine(std::string_view line) {
  std::string_view rest = line;
  const std::string_view word = NextWord(rest);
  AnswerLine read;
  if (word == "VALUE") return ReadValue(rest);
  if (word == "STAT" || word == "ITEM" || word == "PREFIX" || word == "mg" || word.starts_with("key=")) return read;
  if (word.starts_with("ts=")) {
    read.is_log = true;
    return read;
  }
  if (Number(word, UINT64_MAX)) {
    read.answer.code = Code::kNumber;  // decr leaves blanks behind it
    return read;
  }
  const auto* const found =
      std::find_if(kAnswers.begin(), kAnswers.end(), [&](const Word& known) { return known.text == word; });
  if (found == kAnswers.end()) return std::nullopt;
  read.answer.code = found->code;
  if (found->code == Code::kMetaValue) {
    read.value_bytes = Number(NextWord(rest), kValueBytesMax);
    if (!read.value_bytes) return std::nullopt;
  }
  if (IsMetaCode(found->code)) ReadAnswerFlags(rest, read.answer);
  return read;
}

std::size_t FindRequestStart(std::string_view run, bool at_segment_start) {
  std::size_t at = 0;
  if (!at_segment_start) {
    const std::size_t line_end = run.find("\r\n");
    if (line_end == std::string_view::npos) return line_end;
    at = line_end + 2;
  }
  while (at < run.size()) {
    const std::size_t line_end = run.find("\r\n", at);
    if (line_end == std::string_view::npos) break;
    if (line_end - at <= kLineBytesKept && IsWellFormed(run.substr(at, line_end - at))) return at;
    at = line_end + 2;
  }
  return std::string_view::npos;
}

bool CanStartAnswer(std::string_view run) {
  const std::size_t line_end = run.find("\r\n");
  return line_end != std::string_view::npos && ParseAnswerLine(run.substr(0, line_end)).has_value();
}

Likeness LooksLikeRequests(Bytes first, bool mid_stream) {
  const std::string_view run = AsText(first);
  const std::string_view line = run.substr(0, run.find_first_of("\r\n"));
  const bool whole = line.size() < run.size();
  std::string_view rest = line;
  const std::string_view word = NextWord(rest);
  if (!whole && rest.empty()) {  // in its first word
    const bool begins = std::any_of(kCommandNames.begin() + 1, kCommandNames.end(),
                                    [&](std::string_view name) { return name.starts_with(word); });
    return begins && !mid_stream && !word.empty() && word == line ? Likeness::kMaybe : Likeness::kNo;
  }
  const Command command = FindCommand(word);
  if (command == Command::kOther || line[0] == ' ') return Likeness::kNo;
  if (!whole) return mid_stream ? Likeness::kNo : Likeness::kMaybe;
  const bool sure = IsStorage(command) || command == Command::kMetaSet;
  if (IsWellFormed(line)) return sure ? Likeness::kYes : mid_stream ? Likeness::kNo : Likeness::kMaybe;
  return command >= Command::kStats && !mid_stream ? Likeness::kMaybe : Likeness::kNo;
}

Likeness LooksLikeAnswers(Bytes first, bool mid_stream) {
  const std::string_view run = AsText(first);
  const std::string_view line = run.substr(0, run.find('\r'));
  if (line.size() == run.size()) {
    const std::string_view word = line.substr(0, line.find(' '));
    const bool begins = std::any_of(kAnswers.begin(), kAnswers.end(),
                                    [&](const Word& known) { return known.text.starts_with(word); }) ||
                        std::string_view("VALUE").starts_with(word) || std::string_view("STAT").starts_with(word) ||
                        std::all_of(word.begin(), word.end(), IsDigit);
    return begins && !mid_stream ? Likeness::kMaybe : Likeness::kNo;
  }
  const auto read = ParseAnswerLine(line);
  if (!read) return Likeness::kNo;
  const Code code = read->answer.code;
  const bool sure = read->is_value || code == Code::kStored || code == Code::kNotStored || code == Code::kMetaValue ||
                    (code == Code::kEnd && line == "END") || code == Code::kDeleted || code == Code::kTouched;
  return sure ? Likeness::kYes : mid_stream ? Likeness::kNo : Likeness::kMaybe;
}

}  // namespace wiregauge::decode::memcached
