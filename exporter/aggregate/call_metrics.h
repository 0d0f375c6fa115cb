// Calls of every protocol but HTTP to the duration families of OpenTelemetry's semantic conventions (1.44) as
// Prometheus renders them: rpc, db, messaging, dns, each at the client and at the server. Labels: README.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "exporter/aggregate/histogram.h"
#include "exporter/aggregate/options.h"
#include "exporter/aggregate/series_table.h"
#include "exporter/aggregate/server_label.h"
#include "exporter/aggregate/snapshot.h"
#include "exporter/aggregate/text_table.h"
#include "exporter/identity/peer.h"
#include "exporter/identity/service.h"
#include "exporter/match/request.h"

namespace wiregauge::aggregate {

// The conventions that a System belongs to, in the order of kCallFamilies.
enum class CallKind : std::uint8_t { kRpc, kDb, kMessaging, kDns };
inline constexpr std::size_t kCallKinds = 4;

// One thread at a time. `services` and `peers` outlive it.
class CallMetrics {
 public:
  // Texts of one service in one family. A gRPC service has some 10 methods, Kafka some 70 APIs, redis 240 commands of
  // which a program uses 20; more tables or topics than the second are rather data in a name.
  static constexpr std::size_t kOperationsMax = 256;
  static constexpr std::size_t kDestinationsMax = 100;
  static constexpr std::size_t kCodesMax = 64;  // codes and error types together
  // One in so many of the operations and destinations may be one that was only ever answered with an error.
  static constexpr std::size_t kDoubtfulPart = 4;
  // Services with texts of their own, in each family; the others have "_OTHER".
  static constexpr std::size_t kNamedServicesMax = 1'000;

  CallMetrics(const identity::ServiceTable& services, const identity::PeerTable& peers, const Options& options = {});

  // Counts one call of `service`. `server` is the remote end for a client; for a server it is not used. The series'
  // clock is the call's end_ns. Does not allocate when the series is there. A call without role is only counted in
  // roleless_total().
  void Add(const match::Call& call, identity::ServiceId service, const probe::Endpoint& server);

  // Drops idle series and appends the families that have any, and the services of their series.
  void Collect(Now now, Snapshot& snapshot, std::unordered_set<identity::ServiceId>& services_in_use);

  // Calls visit(family name, series, overflow total) for each family, also for those without series.
  template <typename Visit>
  void ForEachFamily(Visit visit) const {
    for (const Side& side : sides_) visit(NameOf(side), side.series.size(), side.series.overflow_total());
  }
  [[nodiscard]] std::uint64_t roleless_total() const { return roleless_total_; }

 private:
  struct Key {
    ServerLabel server;  // clients, but for DNS: a resolver's address says nothing of the lookup
    identity::ServiceId service = 0;
    TextId operation = kNoId;
    TextId destination = kNoId;
    TextId code = kNoId;
    TextId error = kNoId;
    match::System system = match::System::kGrpc;
    match::NoAnswer no_answer = match::NoAnswer::kNone;
    std::uint8_t is_client = 0;
    std::uint8_t unused = 0;

    bool operator==(const Key&) const = default;
    [[nodiscard]] std::size_t Hash() const { return HashWords(*this); }
    [[nodiscard]] Key Collapsed() const;
    [[nodiscard]] Key Total() const;
  };

  // The texts of one service in one family.
  struct Texts {
    TextTable operations{kOperationsMax, kOperationsMax / kDoubtfulPart};
    TextTable destinations{kDestinationsMax, kDestinationsMax / kDoubtfulPart};
    TextTable codes{kCodesMax, kCodesMax};
  };

  // One family: a kind at one end.
  struct Side {
    Side(CallKind side_kind, bool client, SeriesLimits limits) : kind(side_kind), is_client(client), series(limits) {}
    CallKind kind;
    bool is_client;
    SeriesTable<Key, DurationHistogram> series;
    absl::flat_hash_map<identity::ServiceId, Texts> texts;
  };

  static std::string_view NameOf(const Side& side);
  Side& SideOf(CallKind kind, probe::Role role);
  void SetTexts(const match::Call& call, Side& side, Key& key);
  [[nodiscard]] Labels LabelsOf(const Key& key, const Side& side) const;
  static void ForgetTexts(Side& side);
  void CollectSide(Now now, Side& side, Snapshot& snapshot, std::unordered_set<identity::ServiceId>& services_in_use);

  const identity::ServiceTable& services_;
  const identity::PeerTable& peers_;
  bool dns_question_name_;
  std::array<DurationBounds, kCallKinds> bounds_;  // by CallKind
  std::vector<Side> sides_;                        // by CallKind, the server's before the client's
  std::uint64_t roleless_total_ = 0;
};

}  // namespace wiregauge::aggregate
