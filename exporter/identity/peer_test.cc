#include "exporter/identity/peer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace wiregauge::identity {
namespace {

Address Parse(std::string_view text) {
  Address address{};
  EXPECT_TRUE(ParseAddress(text, address)) << text;
  return address;
}

TEST(PeerTable, EveryAddressHasAClass) {
  const PeerTable table;
  const std::pair<const char*, const char*> cases[] = {
      {"127.0.0.1", "loopback"},
      {"127.255.255.255", "loopback"},
      {"128.0.0.0", "internet"},
      {"0.0.0.0", "loopback"},
      {"::", "loopback"},
      {"::1", "loopback"},
      {"::2", "internet"},
      {"10.0.0.0", "private"},
      {"10.255.255.255", "private"},
      {"11.0.0.0", "internet"},
      {"9.255.255.255", "internet"},
      {"172.15.255.255", "internet"},
      {"172.16.0.0", "private"},
      {"172.31.255.255", "private"},
      {"172.32.0.0", "internet"},
      {"192.168.0.1", "private"},
      {"192.169.0.0", "internet"},
      {"100.63.255.255", "internet"},
      {"100.64.0.0", "private"},
      {"100.127.255.255", "private"},
      {"100.128.0.0", "internet"},
      {"169.254.169.254", "link_local"},
      {"169.253.0.0", "internet"},
      {"fe80::1", "link_local"},
      {"febf::1", "link_local"},
      {"fec0::1", "internet"},
      {"fc00::1", "private"},
      {"fdff::1", "private"},
      {"fe00::1", "internet"},
      {"224.0.0.1", "multicast"},
      {"239.255.255.255", "multicast"},
      {"240.0.0.1", "private"},
      {"255.255.255.255", "multicast"},
      {"ff02::1", "multicast"},
      {"8.8.8.8", "internet"},
      {"2001:4860:4860::8888", "internet"},
      {"2001:db8::1", "private"},
      {"203.0.113.9", "private"},
      {"::ffff:10.1.2.3", "private"},
      {"64:ff9b::1.2.3.4", "internet"},
  };
  for (const auto& [address, want] : cases) EXPECT_EQ(table.NameOf(table.ClassOf(Parse(address))), want) << address;
}

TEST(PeerTable, TheLongestPrefixWinsInAnyOrder) {
  std::vector<PeerRule> rules = BuiltInPeerRules();
  rules.insert(rules.begin(), {Parse("10.1.0.0"), 112, kFirstNamedPeer, "office"});
  rules.push_back({Parse("10.1.2.3"), 128, kFirstNamedPeer + 1, "printer"});
  const PeerTable table(rules);
  EXPECT_EQ(table.NameOf(table.ClassOf(Parse("10.1.2.3"))), "printer");
  EXPECT_EQ(table.NameOf(table.ClassOf(Parse("10.1.2.4"))), "office");
  EXPECT_EQ(table.NameOf(table.ClassOf(Parse("10.2.2.4"))), "private");
}

TEST(PeerTable, WithoutRulesNothingIsKnown) {
  const PeerTable table(std::vector<PeerRule>{});
  EXPECT_EQ(table.ClassOf(Parse("10.1.2.3")), kPeerUnknown);
  EXPECT_EQ(table.NameOf(kPeerUnknown), "unknown");
}

TEST(BuiltInPeerRules, HaveNoBitsBeyondTheirPrefix) {
  // The kernel's longest-prefix map would take them, and two spellings of one rule would be two entries.
  for (const PeerRule& rule : BuiltInPeerRules()) {
    for (unsigned bit = rule.prefix_len; bit < 128; ++bit) {
      EXPECT_EQ(rule.address[bit / 8] >> (7 - bit % 8) & 1, 0) << AddressText(rule.address) << " bit " << bit;
    }
  }
}

TEST(AddressText, IsWhatPeopleWrite) {
  for (const char* text : {"10.0.0.1", "::1", "fe80::1", "2001:db8::a:1"}) EXPECT_EQ(AddressText(Parse(text)), text);
  EXPECT_EQ(AddressText(Parse("::ffff:10.0.0.1")), "10.0.0.1");
  Address address{};
  EXPECT_FALSE(ParseAddress("10.0.0", address));
  EXPECT_FALSE(ParseAddress("", address));
}

TEST(PeerTable, AnObservedNameGoesBeforeTheClassUntilItIsOld) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  PeerTable table;
  Address address;
  ASSERT_TRUE(ParseAddress("93.184.216.34", address));
  EXPECT_EQ(table.IdOf(address, 0), kPeerInternet);
  table.Observe("www.example.com", address, 60, kSecond);
  EXPECT_EQ(table.NameOf(table.IdOf(address, 2 * kSecond)), "www.example.com");
  table.Observe("cdn.example.net", address, 60, 2 * kSecond);
  EXPECT_EQ(table.NameOf(table.IdOf(address, 3 * kSecond)), "cdn.example.net");
  EXPECT_EQ(table.IdOf(address, 62 * kSecond + PeerTable::kObservedSlackNs), kPeerInternet);
}

TEST(PeerTable, LoopbackAndRulesOfOperatorsKeepTheirNames) {
  std::vector<PeerRule> rules = BuiltInPeerRules();
  PeerRule own{.prefix_len = 112, .id = kFirstNamedPeer, .name = "warehouse"};
  ASSERT_TRUE(ParseAddress("10.1.0.0", own.address));
  rules.push_back(own);
  PeerTable table(rules);
  for (const char* text : {"127.0.0.1", "10.1.2.3"}) {
    Address address;
    ASSERT_TRUE(ParseAddress(text, address));
    const std::uint32_t before = table.IdOf(address, 0);
    table.Observe("a.example", address, 60, 0);
    EXPECT_EQ(table.IdOf(address, 1), before) << text;
  }
}

TEST(PeerTable, ObservedNamesAndAddressesAreBounded) {
  PeerTable table;
  Address address{};
  address[0] = 0x20;
  for (std::size_t i = 0; i < PeerTable::kObservedNamesMax + 1; ++i) {
    table.Observe("n" + std::to_string(i), address, 0, 0);
  }
  EXPECT_EQ(table.observed_overflow_total(), 1u);
  for (std::size_t i = 0; i < PeerTable::kObservedAddressesMax; ++i) {
    address[14] = static_cast<std::uint8_t>(i >> 8);
    address[15] = static_cast<std::uint8_t>(i);
    address[13] = 1;
    table.Observe("n1", address, 0, 0);
  }
  EXPECT_EQ(table.observed_overflow_total(), 2u);
  address[13] = 2;
  table.Observe("n1", address, 0, PeerTable::kObservedSlackNs);  // all the others are old by now
  EXPECT_EQ(table.observed_overflow_total(), 2u);
}

}  // namespace
}  // namespace wiregauge::identity
