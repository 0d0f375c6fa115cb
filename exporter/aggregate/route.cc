#include "exporter/aggregate/route.h"

#include <algorithm>
#include <cstdint>

namespace wiregauge::aggregate {
namespace {

constexpr std::string_view kId = "{id}";
constexpr std::string_view kDate = "{date}";
constexpr std::string_view kRest = "{rest}";

constexpr std::size_t kSegmentBytesMax = 64;    // longer: a token or a sentence, no name that a programmer chose
constexpr std::size_t kHexBytesMin = 6;         // hex words with a digit: below this, "ec2", "fade1" and the like
constexpr std::size_t kHexLettersMin = 16;      // hex words without a digit: above "defaced", "effaced"
constexpr std::size_t kMixedBytesMin = 20;      // words of letters and digits
constexpr std::size_t kLettersMax = 40;         // words of letters only: above any camelCase name in use
constexpr std::size_t kDigitRunMin = 3;         // "user123" folds its digits, "v2", "mp3", "k8s", "amd64" do not
constexpr std::size_t kHexGroupDigitsMin = 12;  // "00:1b:44:11:3a:b7", UUIDs
constexpr std::size_t kExtensionBytesMax = 5;   // ".html", ".woff2"

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsAlnum(char c) { return IsDigit(c) || IsLetter(c); }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
// RFC 3986 section 2.3.
bool IsUnreserved(char c) { return IsAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~'; }
// What a segment of a template may hold: pchar without "%" and ";" and without the quotes' cousin "'".
bool IsKept(char c) { return IsUnreserved(c) || std::string_view("!$&()*+,=:@").find(c) != std::string_view::npos; }

// What a byte of a path says about its segment; ORed over the segment.
constexpr std::uint8_t kIsLetter = 1;
constexpr std::uint8_t kIsDigit = 2;
constexpr std::uint8_t kIsJoint = 4;
constexpr std::uint8_t kIsSpecial = 8;
constexpr std::uint8_t kIsEnd = 16;

constexpr std::array<std::uint8_t, 256> kByteClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  classes.fill(kIsSpecial);
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = classes[c - 32] = kIsLetter;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] = kIsDigit;
  for (const char c : std::string_view("-_.~:")) classes[static_cast<std::uint8_t>(c)] = kIsJoint;
  for (const char c : std::string_view("/?#")) classes[static_cast<std::uint8_t>(c)] = kIsEnd;
  return classes;
}();

int HexValue(char c) { return IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10; }

template <typename Is>
std::size_t Count(std::string_view text, Is is) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is));
}

template <typename Is>
bool All(std::string_view text, Is is) {
  return std::all_of(text.begin(), text.end(), is);
}

// The template under construction; what does not fit is dropped and noted.
class Out {
 public:
  explicit Out(RouteBuffer& buffer) : buffer_(buffer) {}

  void Add(std::string_view text) {
    if (size_ + text.size() > kRouteBytesMax) {
      overflow_ = true;
      return;
    }
    std::copy(text.begin(), text.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
  }
  void AddSlash() {
    if (size_ < kRouteBytesMax) {
      buffer_[size_++] = '/';
    } else {
      overflow_ = true;
    }
  }
  void CutTo(std::size_t size) {
    size_ = size;
    overflow_ = false;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool overflow() const { return overflow_; }
  [[nodiscard]] std::string_view text() const { return {buffer_.data(), size_}; }

 private:
  RouteBuffer& buffer_;
  std::size_t size_ = 0;
  bool overflow_ = false;
};

// Decodes percent-encoded unreserved characters (the same resource, RFC 3986 section 6.2.2.2) and drops parameters
// (";jsessionid=…"). False when the segment holds anything else that no programmer writes into a route: it is data.
bool Normalize(std::string_view raw, std::array<char, kSegmentBytesMax>& storage, std::string_view& segment) {
  raw = raw.substr(0, raw.find(';'));
  std::size_t size = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      if (raw.size() - i < 3 || !IsHex(raw[i + 1]) || !IsHex(raw[i + 2])) return false;
      c = static_cast<char>(HexValue(raw[i + 1]) * 16 + HexValue(raw[i + 2]));
      if (!IsUnreserved(c)) return false;
      i += 2;
    }
    if (!IsKept(c) || size == storage.size()) return false;
    storage[size++] = c;
  }
  segment = {storage.data(), size};
  return true;
}

// "42", "-1.5", "10.0.0.1", "52.5,13.4", "978-3-16-148410-0", "10:30".
bool IsNumeric(std::string_view segment) {
  return All(segment,
             [](char c) { return IsDigit(c) || std::string_view(".,:+-_").find(c) != std::string_view::npos; }) &&
         std::any_of(segment.begin(), segment.end(), IsDigit);
}

// "2026-11-20", "2026-11", "2026-11-20T10:00:00Z": year, month, and what may follow.
bool IsDate(std::string_view segment) {
  if (segment.size() < 7 || !All(segment.substr(0, 4), IsDigit) || segment[4] != '-') return false;
  if (!All(segment.substr(5, 2), IsDigit)) return false;
  const std::string_view year = segment.substr(0, 4);
  const std::string_view month = segment.substr(5, 2);
  if (year < "1900" || year > "2199" || month < "01" || month > "12") return false;
  if (segment.size() == 7) return true;
  if (segment.size() < 10 || segment[7] != '-' || !All(segment.substr(8, 2), IsDigit)) return false;
  const std::string_view rest = segment.substr(10);
  return rest.empty() || ((rest[0] == 'T' || rest[0] == '_') &&
                          All(rest.substr(1), [](char c) { return IsDigit(c) || c == 'Z' || !IsAlnum(c); }));
}

// UUIDs, MAC addresses, long IPv6: groups of hex digits.
bool IsHexGroups(std::string_view segment) {
  return All(segment, [](char c) { return IsHex(c) || c == '-' || c == ':'; }) &&
         Count(segment, IsHex) >= kHexGroupDigitsMin && std::any_of(segment.begin(), segment.end(), IsDigit);
}

// local@domain.tld, but not "@scope" and not "logo@2x.png".
bool IsEmail(std::string_view segment) {
  const std::size_t at = segment.find('@');
  if (at == 0 || at == std::string_view::npos) return false;
  const std::string_view domain = segment.substr(at + 1);
  const bool scale = domain.size() > 2 && IsDigit(domain[0]) && domain[1] == 'x' && domain[2] == '.';
  return domain.find('.') != std::string_view::npos && !scale;
}

std::size_t Alternations(std::string_view word) {
  std::size_t count = 0;
  for (std::size_t i = 1; i < word.size(); ++i) count += IsDigit(word[i]) != IsDigit(word[i - 1]) ? 1 : 0;
  return count;
}

// A word (letters and digits only) that a machine made: hashes, base62 tokens.
bool IsRandom(std::string_view word) {
  const std::size_t digits = Count(word, IsDigit);
  if (digits == word.size()) return false;  // a number
  if (All(word, IsHex) && word.size() >= (digits > 0 ? kHexBytesMin : kHexLettersMin)) return true;
  if (digits == 0) return word.size() > kLettersMax;
  const std::size_t alternations = Alternations(word);
  return word.size() >= kMixedBytesMin || alternations >= 4 || (alternations == 3 && word.size() >= 8);
}

// Calls visit(word, is_word) for the runs of letters and digits and for the runs between them.
template <typename Visit>
void ForEachWord(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const bool is_word = IsAlnum(text[0]);
    std::size_t end = 1;
    while (end < text.size() && IsAlnum(text[end]) == is_word) ++end;
    visit(text.substr(0, end), is_word);
    text.remove_prefix(end);
  }
}

// "user123" -> "user{id}", "100ms" -> "{id}ms".
void AddWord(std::string_view word, Out& out) {
  while (!word.empty()) {
    const bool digits = IsDigit(word[0]);
    std::size_t end = 1;
    while (end < word.size() && IsDigit(word[end]) == digits) ++end;
    out.Add(digits && end >= kDigitRunMin ? kId : word.substr(0, end));
    word.remove_prefix(end);
  }
}

// The segment word by word; neighbours that both fold become one placeholder: "jquery-3.6.0.min" -> "jquery-{id}.min".
void AddWords(std::string_view segment, Out& out) {
  bool folded = false;
  std::string_view between;
  ForEachWord(segment, [&](std::string_view word, bool is_word) {
    if (!is_word) {
      between = word;
      return;
    }
    const bool fold = All(word, IsDigit) || IsRandom(word);
    if (!(fold && folded)) {
      out.Add(between);
      if (fold) {
        out.Add(kId);
      } else {
        AddWord(word, out);
      }
    }
    folded = fold;
    between = {};
  });
  out.Add(between);
}

// The extension with its dot when the segment has one that looks like a file type, else empty.
std::string_view ExtensionOf(std::string_view segment) {
  const std::size_t dot = segment.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  const std::string_view type = segment.substr(dot + 1);
  const bool fits = !type.empty() && type.size() <= kExtensionBytesMax && IsLetter(type[0]) && All(type, IsAlnum);
  return fits ? segment.substr(dot) : std::string_view{};
}

// The commonest segments, told by the classes of their bytes alone; the result is that of the rules below.
bool AddPlainSegment(std::string_view raw, unsigned classes, Out& out) {
  constexpr std::size_t kMixedPlainMax = 3;  // "v1", "mp3": too short for a run of digits that folds
  const bool no_digits = (classes & (kIsDigit | kIsSpecial)) == 0 && raw.size() < kHexLettersMin;
  if (no_digits || (classes == (kIsLetter | kIsDigit) && raw.size() <= kMixedPlainMax)) {
    out.Add(raw);
    return true;
  }
  if (classes == kIsDigit && raw.size() <= kSegmentBytesMax) {
    out.Add(kId);
    return true;
  }
  return false;
}

void AddSegment(std::string_view raw, unsigned classes, Out& out) {
  if (AddPlainSegment(raw, classes, out)) return;
  std::array<char, kSegmentBytesMax> storage;
  std::string_view segment;
  if (!Normalize(raw, storage, segment)) return out.Add(kId);
  if (IsDate(segment)) return out.Add(kDate);
  if (IsNumeric(segment) || IsHexGroups(segment) || IsEmail(segment)) return out.Add(kId);
  const std::string_view extension = ExtensionOf(segment);
  const std::string_view stem = segment.substr(0, segment.size() - extension.size());
  std::size_t random = 0;
  ForEachWord(stem,
              [&](std::string_view word, bool is_word) { random += is_word && IsRandom(word) ? word.size() : 0; });
  if (random > 0 && random * 4 > Count(stem, IsAlnum) * 3) {
    out.Add(kId);
  } else if (IsDate(stem)) {
    out.Add(kDate);
  } else {
    AddWords(stem, out);
  }
  out.Add(extension);
}

}  // namespace

std::string_view FoldRoute(std::string_view path, bool cut, RouteBuffer& buffer) {
  if (path == "*") return "*";
  Out out(buffer);
  std::size_t segments = 0;
  for (std::size_t at = 0; at < path.size();) {
    if (path[at] == '/') {  // repeated slashes are one
      if (out.size() == 0 || out.text().back() != '/') out.AddSlash();
      ++at;
      continue;
    }
    std::size_t end = at;
    unsigned classes = 0;
    for (; end < path.size(); ++end) {
      const unsigned byte_class = kByteClasses[static_cast<std::uint8_t>(path[end])];
      if (byte_class == kIsEnd) break;
      classes |= byte_class;
    }
    if (end == at) break;  // a query
    const std::size_t before = out.size();
    const bool unknown_end = cut && end == path.size();
    if (++segments > kRouteSegmentsMax || unknown_end) {
      out.Add(kRest);
    } else {
      AddSegment(path.substr(at, end - at), classes, out);
    }
    const bool more = end < path.size() && path[end] == '/';
    // Room is kept for the slash and the placeholder of what does not fit.
    if (out.overflow() || (more && out.size() + 1 + kRest.size() > kRouteBytesMax)) {
      out.CutTo(before);
      out.Add(kRest);
      return out.text();
    }
    if (segments > kRouteSegmentsMax || !more) break;
    at = end;
  }
  return out.text();
}

}  // namespace wiregauge::aggregate
