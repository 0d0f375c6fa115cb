#include "exporter/decode/dns/parse.h"

#include <algorithm>
#include <limits>

namespace wiregauge::decode::dns {
namespace {

constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeAaaa = 28;
constexpr std::uint16_t kTypeOpt = 41;
constexpr std::size_t kLabelMax = 63;

std::uint16_t U16(Bytes bytes, std::size_t at) { return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]); }
std::uint32_t U32(Bytes bytes, std::size_t at) { return std::uint32_t{U16(bytes, at)} << 16 | U16(bytes, at + 2); }

char Printable(std::uint8_t byte) {
  if (byte >= 'A' && byte <= 'Z') return static_cast<char>(byte + ('a' - 'A'));
  return byte > ' ' && byte < 0x7f && byte != '.' && byte != '"' && byte != '\\' ? static_cast<char>(byte) : '?';
}

// Reads the name at `at` and moves behind it. False when it is broken or cut off. `name` may be null.
bool ReadName(Bytes message, std::size_t& at, Name* name) {
  std::size_t from = at;
  std::size_t pointers = 0;
  std::size_t size = 0;
  if (name != nullptr) name->size = 0;
  while (from < message.size()) {
    const std::uint8_t length = message[from];
    if ((length & 0xc0) == 0xc0) {
      if (from + 2 > message.size()) return false;
      if (pointers == 0) at = from + 2;
      const std::size_t target = U16(message, from) & 0x3fffu;
      if (target >= from || ++pointers > kPointersMax) return false;
      from = target;
      continue;
    }
    if (length > kLabelMax) return false;
    if (length == 0) {
      if (pointers == 0) at = from + 1;
      return true;
    }
    if (from + 1 + length > message.size()) return false;
    const std::size_t dot = size == 0 ? 0 : 1;
    if (size + dot + length > kNameMax) return false;
    if (name != nullptr) {
      if (dot != 0) name->text[size] = '.';
      for (std::size_t i = 0; i < length; ++i) name->text[size + dot + i] = Printable(message[from + 1 + i]);
    }
    size += dot + length;
    if (name != nullptr) name->size = static_cast<std::uint8_t>(size);
    from += 1u + length;
  }
  return false;
}

void TakeAddress(Bytes data, std::uint16_t type, std::uint32_t ttl_s, Message& message) {
  if (message.address_count == kAddressesMax) return;
  Address& address = message.addresses[message.address_count];
  if (type == kTypeA && data.size() == 4) {
    constexpr Address kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    address = kMapped;
    std::copy(data.begin(), data.end(), address.begin() + 12);
  } else if (type == kTypeAaaa && data.size() == address.size()) {
    std::copy(data.begin(), data.end(), address.begin());
  } else {
    return;
  }
  message.ttl_s = message.address_count == 0 ? ttl_s : std::min(message.ttl_s, ttl_s);
  ++message.address_count;
}

// Answers, then authorities, then additional records, as far as they are there.
void ReadRecords(Bytes bytes, std::size_t at, Message& message) {
  constexpr std::size_t kFixedBytes = 10;  // type, class, TTL, length of the data
  const std::size_t answers = U16(bytes, 6);
  const std::size_t all = std::min<std::size_t>(answers + U16(bytes, 8) + U16(bytes, 10), kRecordsMax);
  for (std::size_t i = 0; i < all; ++i) {
    if (!ReadName(bytes, at, nullptr) || bytes.size() - at < kFixedBytes) return;
    const std::uint16_t type = U16(bytes, at);
    const std::uint32_t ttl_s = U32(bytes, at + 4);
    const std::size_t length = U16(bytes, at + 8);
    at += kFixedBytes;
    if (bytes.size() - at < length) return;
    if (i < answers) TakeAddress(bytes.subspan(at, length), type, ttl_s, message);
    // RFC 6891 section 6.1.3: the upper eight bits of the code are where other records have their TTL.
    if (type == kTypeOpt) message.code = static_cast<std::uint16_t>(message.code | (ttl_s >> 24) << 4);
    at += length;
  }
}

struct Named {
  std::uint16_t number;
  std::string_view name;
};

constexpr Named kCodes[] = {{0, "NOERROR"},  {1, "FORMERR"},    {2, "SERVFAIL"}, {3, "NXDOMAIN"},  {4, "NOTIMP"},
                            {5, "REFUSED"},  {6, "YXDOMAIN"},   {7, "YXRRSET"},  {8, "NXRRSET"},   {9, "NOTAUTH"},
                            {10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"}, {17, "BADKEY"},   {18, "BADTIME"},
                            {19, "BADMODE"}, {20, "BADNAME"},   {21, "BADALG"},  {22, "BADTRUNC"}, {23, "BADCOOKIE"}};
constexpr Named kTypes[] = {{1, "A"},     {28, "AAAA"},  {2, "NS"},    {5, "CNAME"},  {6, "SOA"},    {12, "PTR"},
                            {15, "MX"},   {16, "TXT"},   {33, "SRV"},  {35, "NAPTR"}, {43, "DS"},    {48, "DNSKEY"},
                            {64, "SVCB"}, {65, "HTTPS"}, {255, "ANY"}, {257, "CAA"},  {251, "IXFR"}, {252, "AXFR"}};

template <std::size_t N>
std::string_view NameIn(const Named (&table)[N], std::uint16_t number) {
  for (const Named& named : table) {
    if (named.number == number) return named.name;
  }
  return "_OTHER";
}

Likeness LooksLikeMessage(Bytes first, bool answer) {
  // Length, id, flags.
  if (first.size() < 2 + 4) return Likeness::kMaybe;
  const std::size_t length = U16(first, 0);
  const std::uint8_t flags = first[4];
  if (length < kHeaderBytes + 5 || ((flags & 0x80) != 0) != answer || (flags & 0x78) != 0) return Likeness::kNo;
  if (first.size() < 2 + kHeaderBytes + 5) return Likeness::kMaybe;
  const Bytes message = first.subspan(2, std::min(length, first.size() - 2));
  const auto parsed = ParseMessage(message);
  if (!parsed || !parsed->has_question) return message.size() < length ? Likeness::kMaybe : Likeness::kNo;
  if (!answer && (U16(message, 6) != 0 || U16(message, 10) > 2)) return Likeness::kNo;
  return Likeness::kYes;
}

// In the middle of a connection a few bytes that fit say nothing.
Likeness Sure(Likeness likeness, bool mid_stream) {
  return mid_stream && likeness == Likeness::kMaybe ? Likeness::kNo : likeness;
}

}  // namespace

std::optional<Message> ParseMessage(Bytes bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const std::uint8_t flags = bytes[2];
  const std::uint16_t questions = U16(bytes, 4);
  if ((flags & 0x78) != 0 || (bytes[3] & 0x40) != 0 || questions > 1) return std::nullopt;
  Message message;
  message.id = U16(bytes, 0);
  message.is_answer = (flags & 0x80) != 0;
  message.truncated = (flags & 0x02) != 0;
  message.code = bytes[3] & 0x0f;
  // A server that could not read the question may leave it out (RFC 1035 section 4.1.1: format error).
  if (questions == 0) return message.is_answer && message.code != 0 ? std::optional(message) : std::nullopt;
  std::size_t at = kHeaderBytes;
  if (!ReadName(bytes, at, &message.question) || bytes.size() - at < 4) return std::nullopt;
  message.has_question = true;
  message.type = U16(bytes, at);
  if (message.is_answer) ReadRecords(bytes, at + 4, message);
  return message;
}

std::string_view CodeName(std::uint16_t code) { return NameIn(kCodes, code); }
std::string_view TypeName(std::uint16_t type) { return NameIn(kTypes, type); }

bool IsSearchStep(std::string_view missed, std::string_view later) {
  if (missed.empty() || later.empty() || missed == later) return false;
  const auto [short_name, long_name] =
      missed.size() < later.size() ? std::pair(missed, later) : std::pair(later, missed);
  if (long_name.starts_with(short_name) && long_name[short_name.size()] == '.') return true;
  // The first labels are the same: what is behind them in one must be the end of what is behind them in the other.
  const auto differ = std::mismatch(short_name.begin(), short_name.end(), long_name.begin(), long_name.end()).first;
  const std::size_t same = short_name.rfind('.', static_cast<std::size_t>(differ - short_name.begin()));
  if (same == std::string_view::npos) return false;
  const std::string_view rest = short_name.substr(same);  // with its dot
  return long_name.size() > same + rest.size() && long_name[same] == '.' && long_name.ends_with(rest);
}

Likeness LooksLikeRequests(Bytes first, bool mid_stream) { return Sure(LooksLikeMessage(first, false), mid_stream); }
Likeness LooksLikeAnswers(Bytes first, bool mid_stream) { return Sure(LooksLikeMessage(first, true), mid_stream); }

}  // namespace wiregauge::decode::dns
