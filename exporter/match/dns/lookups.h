// Pairs DNS questions with their answers, of any number of sockets: by socket, remote end, id and question. A question
// that is sent again is the same lookup, timed from its first sending. Pure; one thread.
//
// NXDOMAIN is an error of its own, but not each: a resolver that goes through its search list asks for names that need
// not exist. An NXDOMAIN waits up to kSearchNs; when the same asker then asks for what IsSearchStep says, it was such a
// step and is told with its code and without an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "exporter/decode/dns/types.h"
#include "exporter/match/pairs_by_id.h"
#include "exporter/match/sink.h"
#include "exporter/probe/record.h"

namespace wiregauge::match::dns {

// Whose lookup it is.
struct Party {
  probe::ConnectionId socket = 0;
  probe::Role role = probe::Role::kUnknown;
  probe::Endpoint remote;
  probe::OwnerId owner = 0;
  std::uint64_t cgroup_id = 0;
  std::array<char, 16> comm{};
};

class Listener {
 public:
  // Views are valid during the call.
  virtual void OnLookup(const Call& call, const Party& party) = 0;
  // The name has these addresses, says an answer, for so long.
  virtual void OnAddresses(std::string_view name, std::span<const decode::dns::Address> addresses, std::uint32_t ttl_s,
                           std::uint64_t time_ns) = 0;

 protected:
  ~Listener() = default;
};

class Lookups {
 public:
  // Stub resolvers wait 5 s for an answer and then ask again or elsewhere; recursive ones answer SERVFAIL before 10 s.
  static constexpr std::uint64_t kTimeoutNs = 10'000'000'000;
  // The next step of a search comes as soon as the answer to the one before is read.
  static constexpr std::uint64_t kSearchNs = 500'000'000;
  // NXDOMAINs of one asker that wait; the oldest is told when there are more. A search list has at most 6 names
  // (resolv.conf before glibc 2.26), asked for A and AAAA. Each question looks at all of them.
  static constexpr std::size_t kMissesMax = 12;
  // Askers that have such; of more, NXDOMAIN is told at once.
  static constexpr std::size_t kAskersMax = 1'024;

  // Questions that were sent again and are answered: each copy may have an answer of its own.
  static constexpr std::size_t kAnsweredMax = 256;

  explicit Lookups(decode::MemoryBudget& budget) : waiting_(budget) {}

  // A message of `party`'s socket: `sent` by it or received.
  void OnMessage(const decode::dns::Message& message, bool sent, Party party, std::uint64_t time_ns,
                 Listener& listener);
  void OnTick(std::uint64_t now_ns, Listener& listener);
  [[nodiscard]] std::optional<std::uint64_t> NextDeadline() const;
  // The sockets are closed: everything that waits is told.
  void Close(NoAnswer why, std::uint64_t time_ns, Listener& listener);

  ConnectionCounts& counts() { return counts_; }

 private:
  using Key = std::tuple<probe::ConnectionId, std::array<std::uint8_t, 16>, std::uint16_t, std::uint16_t>;

  struct Question {
    std::string name;
    std::uint16_t type = 0;
    std::uint32_t copies = 1;  // sent so often
    Party party;
  };
  using Pairs = PairsById<Key, Question>;

  struct Miss {
    Question question;
    std::uint64_t start_ns = 0;
    std::uint64_t end_ns = 0;
  };

  void OnQuestion(const decode::dns::Message& message, const Key& key, const Party& party, std::uint64_t time_ns,
                  Listener& listener);
  void OnAnswer(const decode::dns::Message& message, const Key& key, std::uint64_t time_ns, Listener& listener);
  void TellSearchSteps(std::string_view name, std::uint16_t type, const Party& party, Listener& listener);
  void KeepMiss(Miss miss, Listener& listener);
  static void TellMiss(const Miss& miss, bool search_step, Listener& listener);
  static void Tell(const Question& question, std::string_view code, std::string_view error, NoAnswer no_answer,
                   std::uint64_t start_ns, std::uint64_t end_ns, Listener& listener);

  // Answers that are to come to copies of a question that is answered.
  struct Answered {
    Key key;
    std::uint32_t copies = 0;
    std::uint64_t time_ns = 0;
  };

  // An answer to such a copy.
  bool IsSecondAnswer(const Key& key);

  std::vector<Answered> answered_;                                // in the order of their answers
  mutable Pairs waiting_;                                         // finding its oldest forgets what is answered
  absl::flat_hash_map<std::uint64_t, std::vector<Miss>> misses_;  // asker -> misses, oldest first, never none
  ConnectionCounts counts_;
};

}  // namespace wiregauge::match::dns
