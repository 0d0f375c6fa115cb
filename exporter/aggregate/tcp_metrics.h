// TCP counters from the kernel to the wiregauge_tcp_* families: labels service_name, service_namespace, peer, role.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_set>

#include "exporter/aggregate/series_table.h"
#include "exporter/aggregate/snapshot.h"
#include "exporter/identity/peer.h"
#include "exporter/identity/service.h"
#include "exporter/probe/tcp.h"

namespace wiregauge::aggregate {

// probe::TcpKey with its owners resolved. `peer_service` is kUnknownService when the other end is not on this host or
// has no name: then `peer` (identity's class of the address) names it.
struct TcpPair {
  identity::ServiceId service = identity::kUnknownService;
  identity::ServiceId peer_service = identity::kUnknownService;
  std::uint32_t peer = identity::kPeerUnknown;
  probe::Role role = probe::Role::kUnknown;
};

// One thread at a time. `services` and `peers` outlive it.
class TcpMetrics {
 public:
  TcpMetrics(const identity::ServiceTable& services, const identity::PeerTable& peers, SeriesLimits limits = {});

  // Call before the Adds of each drain: what the drain does not name has no open connection.
  void BeginDrain();
  // Adds one entry of a drain: deltas, and the connections open now. Several keys (the processes of one service) may
  // give the same pair.
  void Add(const TcpPair& pair, const probe::TcpCounters& delta, std::uint64_t now_ns);

  // Drops idle series and appends the families, and the services of their series.
  void Collect(Now now, Snapshot& snapshot, std::unordered_set<identity::ServiceId>& services_in_use);

  [[nodiscard]] std::size_t series() const { return series_.size(); }
  [[nodiscard]] std::uint64_t overflow_total() const { return series_.overflow_total(); }

 private:
  struct Key {
    identity::ServiceId service = 0;
    identity::ServiceId peer_service = 0;
    std::uint32_t peer = 0;
    std::uint32_t role = 0;

    bool operator==(const Key&) const = default;
    [[nodiscard]] std::size_t Hash() const { return HashWords(*this); }
    [[nodiscard]] Key Collapsed() const;
    [[nodiscard]] Key Total() const { return Collapsed(); }
  };

  [[nodiscard]] Labels LabelsOf(const Key& key) const;

  const identity::ServiceTable& services_;
  const identity::PeerTable& peers_;
  SeriesTable<Key, probe::TcpCounters> series_;
};

}  // namespace wiregauge::aggregate
