// What kind of address the other end of a connection has: a few classes instead of a label value an address. The rules
// are data, because the kernel side loads the same table into a longest-prefix map; operators' own CIDR rules and
// observed DNS names join it with ids from kFirstNamedPeer on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

namespace wiregauge::identity {

// IPv6, or IPv4 as ::ffff:a.b.c.d, in network order: the form of probe::Endpoint.
using Address = std::array<std::uint8_t, 16>;

// The `peer` numbers of probe::TcpKey. Never renumber: the kernel map and tests hold them.
enum PeerClass : std::uint32_t {
  kPeerUnknown = 0,  // nothing is known of the other end
  kPeerLoopback = 1,
  kPeerPrivate = 2,  // not routed on the internet: RFC 1918, RFC 4193, shared (RFC 6598), documentation, benchmark
  kPeerLinkLocal = 3,
  kPeerMulticast = 4,  // and limited broadcast
  kPeerInternet = 5,   // everything else
};
inline constexpr std::uint32_t kFirstNamedPeer = 256;
inline constexpr std::uint32_t kFirstObservedPeer = 1u << 24;  // names that DNS answers gave; never in the kernel's map

// One line of the table. `prefix_len` is in bits of the 16-byte form (an IPv4 /8 is 104), 0 to 128; address bits beyond
// it are zero. Several rules may share an id.
struct PeerRule {
  Address address{};
  std::uint8_t prefix_len = 0;
  std::uint32_t id = kPeerUnknown;
  std::string name;
};

// The built-in rules, after the IANA special-purpose address registries (RFC 6890). Contains ::/0, so that every
// address has a class. In no particular order.
std::vector<PeerRule> BuiltInPeerRules();

// Longest-prefix lookup over a list of rules, which never change, and the names that DNS answers gave to addresses.
class PeerTable {
 public:
  // Names kept in all, and addresses that have one now. A host talks to some hundreds; beyond it an address has only
  // its class. Names stay for good, as series hold their ids.
  static constexpr std::size_t kObservedNamesMax = 4'096;
  static constexpr std::size_t kObservedAddressesMax = 16'384;
  // A connection may be opened after the answer's time to live: pools and JVMs keep addresses.
  static constexpr std::uint64_t kObservedSlackNs = 3'600'000'000'000;

  explicit PeerTable(std::vector<PeerRule> rules = BuiltInPeerRules());

  // The id of the longest rule that holds the address; kPeerUnknown when none does.
  [[nodiscard]] std::uint32_t ClassOf(const Address& address) const;
  // An answer said that `name` (not empty) has this address for `ttl_s`. The latest name counts.
  void Observe(std::string_view name, const Address& address, std::uint32_t ttl_s, std::uint64_t now_ns);
  // The id of the observed name, when there is one that is not too old, else ClassOf. Loopback has no names.
  [[nodiscard]] std::uint32_t IdOf(const Address& address, std::uint64_t now_ns) const;
  // Answers whose name or address was not kept, since start.
  [[nodiscard]] std::uint64_t observed_overflow_total() const { return observed_overflow_total_; }

  // The rule's name ("loopback") or the observed one; "unknown" for an id that neither has. Lives as long as the table.
  [[nodiscard]] std::string_view NameOf(std::uint32_t id) const;
  // Sorted, the longest prefix first.
  [[nodiscard]] const std::vector<PeerRule>& rules() const { return rules_; }

 private:
  struct Mask {
    std::uint64_t value[2];
    std::uint64_t mask[2];
  };

  struct Observed {
    std::uint32_t id = 0;
    std::uint64_t until_ns = 0;
  };

  void ForgetOld(std::uint64_t now_ns);

  std::vector<PeerRule> rules_;
  std::vector<Mask> masks_;                                            // of rules_, same order
  std::deque<std::string> observed_names_;                             // by id - kFirstObservedPeer
  absl::flat_hash_map<std::string_view, std::uint32_t> observed_ids_;  // views of observed_names_
  absl::flat_hash_map<Address, Observed> observed_;
  std::uint64_t observed_overflow_total_ = 0;
};

// "10.0.0.1" or "fe80::1" (RFC 5952); IPv4-mapped addresses as IPv4.
std::string AddressText(const Address& address);

// The reverse, for literals in rules and tests. False when the text is no address.
bool ParseAddress(std::string_view text, Address& address);

}  // namespace wiregauge::identity
