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
#include "exporter/aggregate/options.h"
#include "exporter/aggregate/route.h"
#include "exporter/aggregate/route_memo.h"
#include "exporter/aggregate/series_table.h"
#include "exporter/aggregate/server_label.h"
#include "exporter/aggregate/snapshot.h"
#include "exporter/aggregate/text_table.h"
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
  // A service of normal size has 10 to 60 routes; more are rather unfolded data.
  static constexpr std::size_t kRoutesMax = 100;
  // One in so many of them may be a route that was seen with nothing but 404: scanners cannot take all.
  static constexpr std::size_t kNotFoundPart = 4;
  // Services with routes of their own, in each family; the others have "_OTHER". With kRoutesMax, 8 MB.
  static constexpr std::size_t kRoutedServicesMax = 1'000;
  static constexpr std::size_t kErrorsMax = 64;  // HTTP/2 has 14, HTTP/3 17

  RequestMetrics(const identity::ServiceTable& services, const identity::PeerTable& peers, const Options& options = {},
                 std::size_t routes_max = kRoutesMax);

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
  enum class Failure : std::uint8_t { kNone, kStatus, kTimeout, kReset, kConnectionClosed, kProtocol, kOther };
  static constexpr std::uint8_t kNoVersion = 0;

  struct Key {
    ServerLabel server;  // clients
    identity::ServiceId service = 0;
    TextId route = kNoId;
    std::uint16_t status = 0;
    std::uint8_t method = 0;
    std::uint8_t version = kNoVersion;  // 10, 11, 20
    Failure failure = Failure::kNone;
    std::uint8_t is_client = 0;
    TextId error = kNoId;  // Failure::kProtocol: which
    std::uint16_t unused = 0;

    bool operator==(const Key&) const = default;
    [[nodiscard]] std::size_t Hash() const { return HashWords(*this); }
    [[nodiscard]] Key Collapsed() const;
    [[nodiscard]] Key Total() const;
  };

  // The routes of one service in one family.
  struct Routes {
    std::vector<std::string_view> templates;  // of rules_
    TextTable table;
  };

  struct Side {
    Side(SeriesLimits limits) : series(limits) {}
    SeriesTable<Key, DurationHistogram> series;
    absl::flat_hash_map<identity::ServiceId, Routes> routes;
    RouteMemo memo;  // of routes that are not kOtherId
  };

  TextId RouteOf(const match::HttpRequest& request, identity::ServiceId service, Side& side);
  TextId FindRoute(const match::HttpRequest& request, identity::ServiceId service, Side& side);
  [[nodiscard]] static Failure FailureOf(const match::HttpRequest& request);
  [[nodiscard]] Labels LabelsOf(const Key& key, const Side& side) const;
  [[nodiscard]] static std::string_view VersionText(std::uint8_t version);
  [[nodiscard]] std::string_view ErrorTypeOf(const Key& key, std::string_view status) const;
  static void ForgetRoutes(Side& side);
  void CollectSide(Now now, Side& side, Family family, Snapshot& snapshot,
                   std::unordered_set<identity::ServiceId>& services_in_use);

  const identity::ServiceTable& services_;
  const identity::PeerTable& peers_;
  std::size_t routes_max_;
  RouteRules rules_;
  DurationBounds bounds_;
  MethodTable methods_;
  TextTable errors_{kErrorsMax, kErrorsMax};
  Side server_;
  Side client_;
  RouteBuffer route_buffer_;
  std::uint64_t roleless_total_ = 0;
};

}  // namespace wiregauge::aggregate
