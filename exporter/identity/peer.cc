#include "exporter/identity/peer.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace wiregauge::identity {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool IsMapped(const Address& address) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
}

struct Line {
  const char* address;
  unsigned prefix_len;  // in bits of the family as written
  PeerClass id;
};

constexpr Line kLines[] = {
    {"::", 0, kPeerInternet},
    {"0.0.0.0", 8, kPeerLoopback},  // "this host": the kernel connects such addresses to the loopback
    {"127.0.0.0", 8, kPeerLoopback},
    {"::", 128, kPeerLoopback},
    {"::1", 128, kPeerLoopback},
    {"10.0.0.0", 8, kPeerPrivate},
    {"172.16.0.0", 12, kPeerPrivate},
    {"192.168.0.0", 16, kPeerPrivate},
    {"100.64.0.0", 10, kPeerPrivate},  // shared address space; overlay networks and cloud pods live here
    {"192.0.0.0", 24, kPeerPrivate},   // protocol assignments
    {"192.0.2.0", 24, kPeerPrivate},   // documentation, and the two below
    {"198.51.100.0", 24, kPeerPrivate},
    {"203.0.113.0", 24, kPeerPrivate},
    {"198.18.0.0", 15, kPeerPrivate},  // benchmarks
    {"240.0.0.0", 4, kPeerPrivate},    // reserved, in use inside some clouds
    {"fc00::", 7, kPeerPrivate},       // unique local
    {"2001:db8::", 32, kPeerPrivate},  // documentation
    {"169.254.0.0", 16, kPeerLinkLocal},
    {"fe80::", 10, kPeerLinkLocal},
    {"224.0.0.0", 4, kPeerMulticast},
    {"255.255.255.255", 32, kPeerMulticast},
    {"ff00::", 8, kPeerMulticast},
};

std::string_view ClassName(PeerClass id) {
  switch (id) {
    case kPeerUnknown: break;
    case kPeerLoopback: return "loopback";
    case kPeerPrivate: return "private";
    case kPeerLinkLocal: return "link_local";
    case kPeerMulticast: return "multicast";
    case kPeerInternet: return "internet";
  }
  return "unknown";
}

void Load(const Address& address, std::uint64_t (&words)[2]) { std::memcpy(words, address.data(), address.size()); }

}  // namespace

std::vector<PeerRule> BuiltInPeerRules() {
  std::vector<PeerRule> rules;
  for (const Line& line : kLines) {
    PeerRule rule;
    if (!ParseAddress(line.address, rule.address)) Bug(std::string("peer rule: ") + line.address);
    const unsigned mapped_bits = IsMapped(rule.address) ? 96 : 0;
    rule.prefix_len = static_cast<std::uint8_t>(line.prefix_len + mapped_bits);
    rule.id = line.id;
    rule.name = ClassName(line.id);
    rules.push_back(std::move(rule));
  }
  return rules;
}

PeerTable::PeerTable(std::vector<PeerRule> rules) : rules_(std::move(rules)) {
  std::stable_sort(rules_.begin(), rules_.end(),
                   [](const PeerRule& a, const PeerRule& b) { return a.prefix_len > b.prefix_len; });
  for (const PeerRule& rule : rules_) {
    Address bits{};
    for (unsigned i = 0; i < rule.prefix_len; ++i)
      bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | 0x80U >> i % 8);
    Mask mask;
    Load(rule.address, mask.value);
    Load(bits, mask.mask);
    masks_.push_back(mask);
  }
}

std::uint32_t PeerTable::ClassOf(const Address& address) const {
  std::uint64_t words[2];
  Load(address, words);
  for (std::size_t i = 0; i < masks_.size(); ++i) {
    const Mask& m = masks_[i];
    const std::uint64_t difference = ((words[0] ^ m.value[0]) & m.mask[0]) | ((words[1] ^ m.value[1]) & m.mask[1]);
    if (difference == 0) return rules_[i].id;
  }
  return kPeerUnknown;
}

void PeerTable::Observe(std::string_view name, const Address& address, std::uint32_t ttl_s, std::uint64_t now_ns) {
  constexpr std::uint64_t kNanoseconds = 1'000'000'000;
  auto known = observed_ids_.find(name);
  if (known == observed_ids_.end()) {
    if (observed_names_.size() >= kObservedNamesMax) {
      ++observed_overflow_total_;
      return;
    }
    const auto id = kFirstObservedPeer + static_cast<std::uint32_t>(observed_names_.size());
    known = observed_ids_.emplace(observed_names_.emplace_back(name), id).first;
  }
  if (observed_.size() >= kObservedAddressesMax && !observed_.contains(address)) {
    ForgetOld(now_ns);
    if (observed_.size() >= kObservedAddressesMax) {
      ++observed_overflow_total_;
      return;
    }
  }
  observed_[address] = {known->second, now_ns + ttl_s * kNanoseconds + kObservedSlackNs};
}

void PeerTable::ForgetOld(std::uint64_t now_ns) {
  absl::erase_if(observed_, [now_ns](const auto& entry) { return entry.second.until_ns <= now_ns; });
}

std::uint32_t PeerTable::IdOf(const Address& address, std::uint64_t now_ns) const {
  const std::uint32_t id = ClassOf(address);
  if (observed_.empty() || id == kPeerLoopback || id >= kFirstNamedPeer) return id;  // an operator's rule comes first
  const auto found = observed_.find(address);
  return found == observed_.end() || found->second.until_ns <= now_ns ? id : found->second.id;
}

std::string_view PeerTable::NameOf(std::uint32_t id) const {
  if (id >= kFirstObservedPeer && id - kFirstObservedPeer < observed_names_.size()) {
    return observed_names_[id - kFirstObservedPeer];
  }
  for (const PeerRule& rule : rules_) {
    if (rule.id == id) return rule.name;
  }
  return "unknown";
}

std::string AddressText(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (IsMapped(address)) {
    ::inet_ntop(AF_INET, address.data() + kMappedPrefix.size(), text, sizeof(text));
  } else {
    ::inet_ntop(AF_INET6, address.data(), text, sizeof(text));
  }
  return text;
}

bool ParseAddress(std::string_view text, Address& address) {
  const std::string copy(text);
  Address parsed{};
  if (::inet_pton(AF_INET6, copy.c_str(), parsed.data()) == 1) {
    address = parsed;
    return true;
  }
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), parsed.begin());
  if (::inet_pton(AF_INET, copy.c_str(), parsed.data() + kMappedPrefix.size()) != 1) return false;
  address = parsed;
  return true;
}

}  // namespace wiregauge::identity
