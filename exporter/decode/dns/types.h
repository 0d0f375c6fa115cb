// What a DNS message says, as far as counting, timing and naming need it. RFC 1035 section 4, RFC 6891 (EDNS).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wiregauge::decode::dns {

inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::size_t kNameMax = 253;      // as text (RFC 1035 section 2.3.4: 255 on the wire)
inline constexpr std::size_t kRecordsMax = 128;   // walked of one message; a datagram rarely has 30
inline constexpr std::size_t kAddressesMax = 16;  // kept of one message; resolvers use the first few
inline constexpr std::size_t kPointersMax = 32;  // followed for one name; a name has at most 127 labels, in practice 10

// A domain name as lower-case text without the final dot, empty for the root. Bytes that are no printable ASCII are
// '?'.
struct Name {
  std::array<char, kNameMax + 1> text;
  std::uint8_t size = 0;

  [[nodiscard]] std::string_view view() const { return {text.data(), size}; }
};

// IPv6, or IPv4 as ::ffff:a.b.c.d.
using Address = std::array<std::uint8_t, 16>;

struct Message {
  std::uint16_t id = 0;
  bool is_answer = false;
  bool truncated = false;  // the whole answer is to be had by TCP
  bool has_question = false;
  std::uint16_t code = 0;  // of an answer, with EDNS' upper bits
  std::uint16_t type = 0;  // of the question
  Name question;
  std::size_t address_count = 0;
  std::array<Address, kAddressesMax> addresses;  // of A and AAAA records of the answer
  std::uint32_t ttl_s = 0;                       // the least of theirs
};

}  // namespace wiregauge::decode::dns
