// HTTP requests to http_server_request_duration_seconds and http_client_request_duration_seconds, with the names of
// OpenTelemetry's HTTP semantic conventions (1.44) as Prometheus renders them and the labels of README.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "exporter/aggregate/histogram.h"
#include "exporter/aggregate/route.h"
#include "exporter/aggregate/route_table.h"
#include "exporter/aggregate/series_table.h"
#include "exporter/aggregate/snapshot.h"
#include "exporter/identity/peer.h"
#include "exporter/identity/service.h"
#include "exporter/match/request.h"

namespace wiregauge::aggregate {

// Methods as small integers; 0 is "_OTHER". The match room names only registered methods, so this never fills in
// practice; it is bounded all the same. One thread at a time.
class MethodTable {
 public:
  static constexpr std::size_t kMethodsMax = 64;  // IANA's registry has 40

  MethodTable();
  std::uint8_t IdOf(std::string_view method);
  [[nodiscard]] std::string_view TextOf(std::uint8_t id) const { return texts_[id]; }

 private:
  std::vector<std::string> texts_;
};

// One thread at a time. `services` and `peers` outlive it.
class RequestMetrics {
 public:
  // Services with routes of their own, in each family; the others have "_OTHER". With RouteTable's budget, 8 MB.
  static constexpr std::size_t kRoutedServicesMax = 1'000;

  RequestMetrics(const identity::ServiceTable& services, const identity::PeerTable& peers, SeriesLimits limits = {},
                 std::size_t routes_max = RouteTable::kRoutesMax);

  // Counts one request of `service`. `server` is the remote end for a client; for a server it is not used. The series'
  // clock is the request's end_ns. Does not allocate when the series is there. A request without role is only counted
  // in roleless_total().
  void Add(const match::HttpRequest& request, identity::ServiceId service, const probe::Endpoint& server);

  // Drops idle series and appends the families that have any, and the services of their series.
  void Collect(Now now, Snapshot& snapshot, std::unordered_set<identity::ServiceId>& services_in_use);

  [[nodiscard]] std::size_t series(probe::Role role) const;
  [[nodiscard]] std::uint64_t overflow_total(probe::Role role) const;
  [[nodiscard]] std::uint64_t roleless_total() const { return roleless_total_; }

 private:
  // Why a request counts as an error.
  enum class Failure : std::uint8_t { kNone, kStatus, kTimeout, kReset, kConnectionClosed, kOther };
  static constexpr std::uint8_t kNoVersion = 0xff;
  static constexpr std::uint32_t kOtherPeer = 0xffffffff;

  struct Key {
    identity::ServiceId service = 0;
    std::uint32_t peer = 0;       // clients: identity's class of the server's address
    identity::Address address{};  // clients: zero unless it may be a label
    std::uint16_t port = 0;
    RouteId route = kNoRoute;
    std::uint16_t status = 0;
    std::uint8_t method = 0;
    std::uint8_t version = 0;  // minor
    Failure failure = Failure::kNone;
    std::uint8_t is_client = 0;
    std::array<std::uint16_t, 3> unused{};

    bool operator==(const Key&) const = default;
    [[nodiscard]] std::size_t Hash() const;
    [[nodiscard]] Key Collapsed() const;
    [[nodiscard]] Key Total() const;
  };
  static_assert(std::has_unique_object_representations_v<Key>, "Hash reads its bytes");

  struct Side {
    Side(SeriesLimits limits) : series(limits) {}
    SeriesTable<Key, DurationHistogram> series;
    absl::flat_hash_map<identity::ServiceId, RouteTable> routes;
  };

  RouteId RouteOf(const match::HttpRequest& request, identity::ServiceId service, Side& side);
  [[nodiscard]] static Failure FailureOf(const match::HttpRequest& request);
  void SetServer(const probe::Endpoint& server, Key& key) const;
  [[nodiscard]] Labels LabelsOf(const Key& key, const Side& side) const;
  [[nodiscard]] std::string ServerAddress(const Key& key) const;
  static void ForgetRoutes(Side& side);
  void CollectSide(Now now, Side& side, Family family, Snapshot& snapshot,
                   std::unordered_set<identity::ServiceId>& services_in_use);

  const identity::ServiceTable& services_;
  const identity::PeerTable& peers_;
  std::size_t routes_max_;
  MethodTable methods_;
  Side server_;
  Side client_;
  RouteBuffer route_buffer_;
  std::uint64_t roleless_total_ = 0;
};

}  // namespace wiregauge::aggregate
