#include "exporter/decode/http1/parse.h"

#include <algorithm>
#include <cstring>

namespace wiregauge::decode::http1 {

namespace {

constexpr std::string_view kVersionPrefix = "HTTP/1.";
constexpr std::string_view kContentLength = "content-length";
constexpr std::string_view kTransferEncoding = "transfer-encoding";
constexpr std::string_view kUpgrade = "upgrade";

constexpr std::array<bool, 256> MakeTokenTable() {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}

constexpr std::array<bool, 256> kIsToken = MakeTokenTable();

bool IsToken(char c) { return kIsToken[static_cast<unsigned char>(c)]; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// `lower` is lower case.
bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c) != lower[i]) return false;
  }
  return true;
}

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

// The next element of a comma-separated list, trimmed; `list` becomes what is behind it.
std::string_view NextElement(std::string_view& list) {
  const std::size_t comma = list.find(',');
  const std::string_view element = TrimBlanks(list.substr(0, comma));
  list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  return element;
}

void ReadContentLength(std::string_view value, Framing& framing) {
  constexpr std::size_t kDigitsMax = 18;  // fits 63 bits; no body is an exabyte
  while (!value.empty()) {
    const std::string_view digits = NextElement(value);
    if (digits.empty()) continue;
    if (digits.size() > kDigitsMax || !std::all_of(digits.begin(), digits.end(), IsDigit)) {
      framing.ambiguous = true;
      return;
    }
    std::uint64_t length = 0;
    for (const char c : digits) length = length * 10 + static_cast<std::uint64_t>(c - '0');
    if (framing.has_content_length && framing.content_length != length) framing.ambiguous = true;
    framing.has_content_length = true;
    framing.content_length = length;
  }
}

void ReadTransferEncoding(std::string_view value, Framing& framing) {
  framing.has_transfer_encoding = true;
  while (!value.empty()) {
    const std::string_view coding = NextElement(value);
    if (!coding.empty()) framing.chunked = EqualsIgnoringCase(coding, "chunked");
  }
}

void ReadFieldValue(const Line& line, std::string_view value, Framing& framing) {
  if (framing.last_field == Framing::Field::kOther) return;
  if (line.size > line.first.size()) {
    framing.ambiguous = true;  // a length of 2 KiB
  } else if (framing.last_field == Framing::Field::kContentLength) {
    ReadContentLength(value, framing);
  } else {
    ReadTransferEncoding(value, framing);
  }
}

// "METHOD " of a registered method and the first byte of a target; or a beginning of that, when `bytes` ends.
bool StartsWithKnownMethod(std::string_view bytes) {
  for (std::size_t i = 1; i < kMethodNames.size(); ++i) {
    const std::string_view name = kMethodNames[i];
    if (bytes.substr(0, name.size()) != name.substr(0, bytes.size())) continue;
    if (bytes.size() <= name.size()) return true;
    if (bytes[name.size()] != ' ') continue;
    if (bytes.size() == name.size() + 1) return true;
    const char target = bytes[name.size() + 1];
    return target == '/' || target == '[' || IsToken(target);
  }
  return false;
}

// "HTTP/1.d ddd" and a separator; or a beginning of that, when `bytes` ends.
bool StartsWithStatusLine(std::string_view bytes) {
  constexpr std::string_view kShape = "HTTP/1.d ddd ";
  for (std::size_t i = 0; i < std::min(bytes.size(), kShape.size()); ++i) {
    const char c = bytes[i];
    const bool fits =
        i + 1 == kShape.size() ? c == ' ' || c == '\r' || c == '\n' : (kShape[i] == 'd' ? IsDigit(c) : c == kShape[i]);
    if (!fits) return false;
  }
  return true;
}

// How many bytes of empty lines `run` begins with; zero when it has nothing else.
std::size_t EmptyLines(std::string_view run) {
  const std::size_t end = run.find_first_not_of("\r\n");
  return end == std::string_view::npos ? 0 : end;
}

std::size_t FindResponseStart(std::string_view run) {
  const std::size_t empty = EmptyLines(run);
  if (StartsWithStatusLine(run.substr(empty))) return empty;
  constexpr std::size_t kShapeBytes = 13;
  for (std::size_t at = run.find(kVersionPrefix); at != std::string_view::npos; at = run.find(kVersionPrefix, at + 1)) {
    if (run.size() - at >= kShapeBytes && StartsWithStatusLine(run.substr(at))) return at;
  }
  return std::string_view::npos;
}

std::size_t FindRequestStart(std::string_view run) {
  const std::size_t empty = EmptyLines(run);
  if (StartsWithKnownMethod(run.substr(empty))) return empty;
  std::size_t line_end = run.find('\n');
  while (line_end != std::string_view::npos) {
    const std::size_t version = run.find(" HTTP/1.", line_end);
    if (version == std::string_view::npos) break;
    line_end = run.rfind('\n', version);
    if (StartsWithKnownMethod(run.substr(line_end + 1, version - line_end))) return line_end + 1;
    line_end = run.find('\n', version);
  }
  return std::string_view::npos;
}

}  // namespace

Line WholeLine(std::string_view text) {
  return {text.substr(0, kLineBytesKept), text.substr(text.size() - std::min(text.size(), kLineEndBytes)), text.size()};
}

Method FindMethod(std::string_view name) {
  if (name == "GET") return Method::kGet;
  if (name == "POST") return Method::kPost;
  for (std::size_t i = 1; i < kMethodNames.size(); ++i) {
    if (kMethodNames[i] == name) return static_cast<Method>(i);
  }
  return Method::kOther;
}

std::string_view TargetPath(Method method, std::string_view target) {
  if (method == Method::kConnect) return {};
  if (!target.empty() && target.front() != '/' && target != "*") {
    const std::size_t scheme_end = target.find("://");
    const std::size_t query = target.find_first_of("?#");
    if (scheme_end != std::string_view::npos && scheme_end < query) {
      target.remove_prefix(scheme_end + 3);
      const std::size_t authority_end = target.find_first_of("/?#");
      target.remove_prefix(std::min(authority_end, target.size()));
      if (target.empty() && method == Method::kOptions) return "*";
      if (target.empty() || target.front() != '/') return "/";
    }
  }
  return target.substr(0, target.find_first_of("?#"));
}

std::optional<RequestLine> ParseRequestLine(const Line& line) {
  if (line.last.size() != kLineEndBytes || line.last.substr(1, kVersionPrefix.size()) != kVersionPrefix) return {};
  if (line.last.front() != ' ' || !IsDigit(line.last.back())) return {};
  const std::string_view text = line.first.substr(0, line.size - kLineEndBytes);
  const bool whole = text.size() == line.size - kLineEndBytes;

  std::size_t method_end = 0;
  while (method_end < text.size() && IsToken(text[method_end])) ++method_end;
  if (method_end == 0 || method_end > kMethodBytesMax) return {};
  if (method_end + 1 >= text.size() || text[method_end] != ' ') return {};

  RequestLine request;
  request.method = FindMethod(text.substr(0, method_end));
  const std::string_view target = text.substr(method_end + 1);
  const std::string_view path = TargetPath(request.method, target);
  const bool path_goes_on = !whole && !path.empty() && path.data() + path.size() == target.data() + target.size();
  request.path = path.substr(0, kPathMax);
  request.path_cut = path.size() > kPathMax || path_goes_on;
  request.minor_version = line.last.back() == '0' ? 0 : 1;
  return request;
}

std::optional<StatusLine> ParseStatusLine(const Line& line) {
  const std::string_view text = line.first;
  constexpr std::size_t kStatusAt = kVersionPrefix.size() + 2;
  if (text.size() < kStatusAt + 3 || text.substr(0, kVersionPrefix.size()) != kVersionPrefix) return {};
  if (!IsDigit(text[kStatusAt - 2]) || text[kStatusAt - 1] != ' ') return {};
  if (text.size() > kStatusAt + 3 && text[kStatusAt + 3] != ' ') return {};
  unsigned status = 0;
  for (const char c : text.substr(kStatusAt, 3)) {
    if (!IsDigit(c)) return {};
    status = status * 10 + static_cast<unsigned>(c - '0');
  }
  if (status < 100) return {};
  return StatusLine{static_cast<std::uint16_t>(std::min(status, 599u)),
                    static_cast<std::uint8_t>(text[kStatusAt - 2] == '0' ? 0 : 1)};
}

std::size_t OtherFieldLines(std::string_view run) {
  const char* const begin = run.data();
  const char* const end = begin + run.size();
  const char* line = begin;
  while (line < end) {
    const auto* line_end = static_cast<const char*>(std::memchr(line, '\n', static_cast<std::size_t>(end - line)));
    if (line_end == nullptr) break;
    const auto size = static_cast<std::size_t>(line_end - line);
    const char first = static_cast<char>(*line | 0x20);
    const auto colon_behind = [&](std::string_view name) { return size > name.size() && line[name.size()] == ':'; };
    const bool read = (first == 'c' && colon_behind(kContentLength)) ||
                      (first == 't' && (colon_behind(kTransferEncoding) || colon_behind(kTraceparent)));
    if (read || *line == '\r' || *line == '\n' || IsBlank(*line)) break;
    line = line_end + 1;
  }
  return static_cast<std::size_t>(line - begin);
}

void ReadFieldLine(const Line& line, Framing& framing) {
  const std::string_view text = line.first;
  if (IsBlank(text.front())) return ReadFieldValue(line, text, framing);

  // The place of the colon tells nearly every other field apart without comparing names.
  const auto named = [text](std::string_view name) {
    return text.size() > name.size() && text[name.size()] == ':' &&
           EqualsIgnoringCase(text.substr(0, name.size()), name);
  };
  framing.last_field = named(kContentLength)      ? Framing::Field::kContentLength
                       : named(kTransferEncoding) ? Framing::Field::kTransferEncoding
                                                  : Framing::Field::kOther;
  if (named(kUpgrade)) framing.h2c = EqualsIgnoringCase(TrimBlanks(text.substr(kUpgrade.size() + 1)), "h2c");
  if (framing.last_field == Framing::Field::kOther) return;
  ReadFieldValue(line, text.substr(text.find(':') + 1), framing);
}

std::optional<Trace> ParseTraceField(const Line& line) {
  const std::string_view text = line.first;
  const std::size_t colon = kTraceparent.size();
  if (text.size() <= colon || text[colon] != ':' || !EqualsIgnoringCase(text.substr(0, colon), kTraceparent)) return {};
  return ParseTraceparent(TrimBlanks(text.substr(colon + 1)));
}

bool IsFieldLine(const Line& line) {
  if (!line.first.empty() && IsBlank(line.first.front())) return true;
  std::size_t name_end = 0;
  while (name_end < line.first.size() && IsToken(line.first[name_end])) ++name_end;
  return name_end > 0 && name_end < line.first.size() && line.first[name_end] == ':';
}

bool CanStart(std::string_view bytes, Kind kind) {
  const std::string_view version = bytes.substr(0, kVersionPrefix.size());
  if (kind != Kind::kRequests && version == kVersionPrefix.substr(0, version.size())) return true;
  if (kind == Kind::kResponses) return false;
  std::size_t method_end = 0;
  while (method_end < bytes.size() && IsToken(bytes[method_end])) ++method_end;
  if (method_end > kMethodBytesMax) return false;
  return method_end == bytes.size() || (method_end > 0 && bytes[method_end] == ' ');
}

std::size_t FindStart(std::string_view run, Kind kind) {
  const std::size_t request = kind != Kind::kResponses ? FindRequestStart(run) : std::string_view::npos;
  const std::size_t response = kind != Kind::kRequests ? FindResponseStart(run) : std::string_view::npos;
  return std::min(request, response);
}

bool EndsWithLastChunk(std::string_view run) {
  constexpr std::string_view kLastChunk = "0\r\n\r\n";
  if (run.size() < kLastChunk.size() || run.substr(run.size() - kLastChunk.size()) != kLastChunk) return false;
  return run.size() == kLastChunk.size() || run[run.size() - kLastChunk.size() - 1] == '\n';
}

Likeness LooksLikeRequests(Bytes first, bool /*mid_stream*/) {
  const std::string_view text = AsText(first);
  if (!CanStart(text, Kind::kRequests)) return Likeness::kNo;
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos || space + 1 == text.size()) return Likeness::kMaybe;
  const std::string_view target = text.substr(space + 1);
  const std::string_view line = target.substr(0, target.find('\n'));
  if (line.find(" HTTP/1.") != std::string_view::npos) return Likeness::kYes;
  if (line.size() < target.size()) return Likeness::kNo;
  const Method method = FindMethod(text.substr(0, space));
  if (method == Method::kConnect) return Likeness::kYes;
  // A path, the asterisk, an absolute URI.
  constexpr std::string_view kScheme = "http";
  if (target.front() != '/' && target.front() != '*' && !target.starts_with(kScheme.substr(0, target.size()))) {
    return Likeness::kNo;
  }
  return method == Method::kOther || kScheme.starts_with(target) ? Likeness::kMaybe : Likeness::kYes;
}

Likeness LooksLikeAnswers(Bytes first, bool /*mid_stream*/) {
  constexpr std::string_view kVersion = "HTTP/1.";
  const std::string_view text = AsText(first);
  if (text.starts_with(kVersion)) return Likeness::kYes;
  return kVersion.starts_with(text) ? Likeness::kMaybe : Likeness::kNo;
}

}  // namespace wiregauge::decode::http1
