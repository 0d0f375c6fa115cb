#include "exporter/match/dns/lookups.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "exporter/decode/dns/parse.h"
#include "exporter/match/dns/sockets.h"

namespace wiregauge::match::dns {
namespace {

using namespace std::string_literals;

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint8_t kServfail = 2;
constexpr std::uint8_t kNxdomain = 3;

std::string Wire(const std::string& name) {
  std::string wire;
  for (std::size_t from = 0; from < name.size();) {
    const std::size_t dot = std::min(name.find('.', from), name.size());
    wire += static_cast<char>(dot - from) + name.substr(from, dot - from);
    from = dot + 1;
  }
  return wire + '\0';
}

std::string Query(std::uint8_t id, const std::string& name, std::uint8_t type = 1) {
  return "\x00"s + static_cast<char>(id) + "\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"s + Wire(name) + '\0' +
         static_cast<char>(type) + "\x00\x01"s;
}

std::string Answer(std::uint8_t id, const std::string& name, std::uint8_t code, bool with_address = false) {
  std::string answer = "\x00"s + static_cast<char>(id) + "\x81"s + static_cast<char>(0x80 | code) + "\x00\x01\x00"s +
                       static_cast<char>(with_address ? 1 : 0) + "\x00\x00\x00\x00"s + Wire(name) + "\x00\x01\x00\x01"s;
  if (with_address) answer += "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x07"s;
  return answer;
}

class Told final : public Listener {
 public:
  void OnLookup(const Call& call, const Party& party) override {
    std::string text(call.destination);
    if (!call.code.empty()) text += " " + std::string(call.code);
    if (!call.error.empty()) text += " error";
    if (call.no_answer == NoAnswer::kTimeout) text += " timeout";
    lookups.push_back(text);
    last = call;
    last_role = party.role;
  }
  void OnAddresses(std::string_view name, std::span<const decode::dns::Address> found, std::uint32_t ttl_s,
                   std::uint64_t /*time_ns*/) override {
    addresses[std::string(name)] = {found.size(), ttl_s};
  }

  std::vector<std::string> lookups;
  std::map<std::string, std::pair<std::size_t, std::uint32_t>> addresses;
  Call last;
  probe::Role last_role = probe::Role::kUnknown;
};

// A process (owner 5) that asks 10.0.0.53.
class DnsLookups : public testing::Test {
 protected:
  void Ask(std::uint8_t id, const std::string& name, std::uint64_t socket = 1, std::uint64_t owner = 5) {
    Pass(Query(id, name), true, socket, owner);
  }
  void Reply(std::uint8_t id, const std::string& name, std::uint8_t code, bool with_address = false,
             std::uint64_t socket = 1, std::uint64_t owner = 5) {
    Pass(Answer(id, name, code, with_address), false, socket, owner);
  }
  void Pass(const std::string& message, bool sent, std::uint64_t socket = 1, std::uint64_t owner = 5) {
    probe::DatagramRecord record;
    record.socket = socket;
    record.owner = owner;
    record.direction = sent ? probe::Direction::kSent : probe::Direction::kReceived;
    record.remote.address[15] = 53;
    record.remote.port = 53;
    record.time_ns = now_ns_;
    record.captured = AsBytes(message);
    record.length = static_cast<std::uint32_t>(message.size());
    now_ns_ += kMs;
    sockets_.OnDatagram(record, told_);
  }
  void Wait(std::uint64_t ns) {
    now_ns_ += ns;
    sockets_.OnTick(now_ns_, told_);
  }

  decode::MemoryBudget budget_;
  Sockets sockets_{budget_};
  Told told_;
  std::uint64_t now_ns_ = kMs;
};

TEST_F(DnsLookups, AnAnswerEndsALookup) {
  Ask(1, "db.example.com");
  Reply(1, "db.example.com", 0, true);
  EXPECT_EQ(told_.lookups, std::vector<std::string>{"db.example.com NOERROR"});
  EXPECT_EQ(told_.last.end_ns - told_.last.start_ns, kMs);
  EXPECT_EQ(told_.last.operation, "A");
  EXPECT_EQ(told_.last_role, probe::Role::kClient);
  EXPECT_EQ(told_.addresses["db.example.com"], std::pair(std::size_t{1}, 60u));
}

TEST_F(DnsLookups, EachCopyOfAQuestionMayHaveAnAnswer) {
  for (int copy = 0; copy < 3; ++copy) Ask(1, "db.example.com");
  for (int copy = 0; copy < 3; ++copy) Reply(1, "db.example.com", 0);
  EXPECT_EQ(told_.lookups, std::vector<std::string>{"db.example.com NOERROR"});
  EXPECT_EQ(sockets_.counts().unmatched_answers, 0u);
  Reply(1, "db.example.com", 0);
  EXPECT_EQ(sockets_.counts().unmatched_answers, 1u);
}

TEST_F(DnsLookups, DiscoveryOnTheLinkIsNoLookup) {
  const std::string query = Query(0, "printer.local");
  for (const std::uint16_t port : {std::uint16_t{5353}, std::uint16_t{5355}, std::uint16_t{53}}) {
    probe::DatagramRecord record;
    record.direction = probe::Direction::kSent;
    record.remote.port = port;
    if (port == 53) record.remote.address = {0xff, 0x02};
    record.captured = AsBytes(query);
    sockets_.OnDatagram(record, told_);
  }
  Wait(20'000 * kMs);
  EXPECT_TRUE(told_.lookups.empty());
}

TEST_F(DnsLookups, WhoReceivesTheQuestionIsTheServer) {
  Pass(Query(1, "a.b"), false);
  Pass(Answer(1, "a.b", 0), true);
  EXPECT_EQ(told_.last_role, probe::Role::kServer);
}

TEST_F(DnsLookups, AnErrorIsItsCode) {
  Ask(1, "a.b");
  Reply(1, "a.b", kServfail);
  EXPECT_EQ(told_.lookups, std::vector<std::string>{"a.b SERVFAIL error"});
}

TEST_F(DnsLookups, AQuestionThatIsSentAgainIsOneLookup) {
  Ask(1, "a.b");
  Ask(1, "a.b");
  Reply(1, "a.b", 0);
  EXPECT_EQ(told_.lookups, std::vector<std::string>{"a.b NOERROR"});
  EXPECT_EQ(told_.last.end_ns - told_.last.start_ns, 2 * kMs);
}

TEST_F(DnsLookups, AnswersPairByIdAndQuestion) {
  Ask(1, "a.b");
  Ask(2, "c.d");
  Reply(2, "c.d", 0);
  Reply(1, "c.d", 0);  // the right id for the wrong name: somebody guesses
  Reply(1, "a.b", 0);
  EXPECT_EQ(told_.lookups, (std::vector<std::string>{"c.d NOERROR", "a.b NOERROR"}));
  EXPECT_EQ(sockets_.counts().unmatched_answers, 1u);
}

TEST_F(DnsLookups, NoAnswerIsATimeout) {
  Ask(1, "a.b");
  Wait(Lookups::kTimeoutNs - 2 * kMs);
  EXPECT_TRUE(told_.lookups.empty());
  Wait(2 * kMs);
  EXPECT_EQ(told_.lookups, std::vector<std::string>{"a.b timeout"});
  Reply(1, "a.b", 0);
  EXPECT_EQ(sockets_.counts().unmatched_answers, 1u);
}

TEST_F(DnsLookups, NxdomainIsAnErrorWhenNothingFollows) {
  Ask(1, "no.such.name");
  Reply(1, "no.such.name", kNxdomain);
  EXPECT_TRUE(told_.lookups.empty());
  Wait(Lookups::kSearchNs);
  EXPECT_EQ(told_.lookups, std::vector<std::string>{"no.such.name NXDOMAIN error"});
  EXPECT_EQ(told_.last.end_ns - told_.last.start_ns, kMs);
}

TEST_F(DnsLookups, StepsOfASearchAreNoErrors) {
  Ask(1, "example.com.shop.svc.local", 1);
  Reply(1, "example.com.shop.svc.local", kNxdomain, false, 1);
  Ask(2, "example.com.svc.local", 2);  // another socket of the same process
  Reply(2, "example.com.svc.local", kNxdomain, false, 2);
  Ask(3, "example.com", 3);
  Reply(3, "example.com", 0, true, 3);
  Wait(Lookups::kSearchNs);
  EXPECT_EQ(told_.lookups, (std::vector<std::string>{"example.com.shop.svc.local NXDOMAIN",
                                                     "example.com.svc.local NXDOMAIN", "example.com NOERROR"}));
}

TEST_F(DnsLookups, ASearchThatFailsIsOneError) {
  Ask(1, "nothere.svc.local");
  Reply(1, "nothere.svc.local", kNxdomain);
  Ask(2, "nothere");
  Reply(2, "nothere", kNxdomain);
  Wait(Lookups::kSearchNs);
  EXPECT_EQ(told_.lookups, (std::vector<std::string>{"nothere.svc.local NXDOMAIN", "nothere NXDOMAIN error"}));
}

TEST_F(DnsLookups, AnotherProcessDoesNotGoOnWithASearch) {
  Ask(1, "example.com.svc.local", 1, 5);
  Reply(1, "example.com.svc.local", kNxdomain, false, 1, 5);
  Ask(2, "example.com", 2, 6);
  Wait(Lookups::kSearchNs);
  EXPECT_EQ(told_.lookups, std::vector<std::string>{"example.com.svc.local NXDOMAIN error"});
}

TEST_F(DnsLookups, MissesThatWaitAreBounded) {
  for (std::size_t i = 0; i <= Lookups::kMissesMax; ++i) {
    const std::string name = "n" + std::to_string(i) + ".example";
    Ask(1, name);
    Reply(1, name, kNxdomain);
    EXPECT_EQ(told_.lookups.size(), i < Lookups::kMissesMax ? 0u : 1u);
  }
}

TEST_F(DnsLookups, AskersWithMissesAreBounded) {
  for (std::uint64_t owner = 1; owner <= Lookups::kAskersMax + 1; ++owner) {
    Ask(1, "gone.example", 1, owner);
    Reply(1, "gone.example", kNxdomain, false, 1, owner);
    EXPECT_EQ(told_.lookups.size(), owner <= Lookups::kAskersMax ? 0u : 1u);
    now_ns_ -= kMs;
  }
}

TEST_F(DnsLookups, WhatIsNoDnsIsCounted) {
  Pass("not a message at all", true);
  EXPECT_EQ(sockets_.malformed(), 1u);
}

}  // namespace
}  // namespace wiregauge::match::dns
