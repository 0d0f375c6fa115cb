// Services: what series are labelled with. Everything after this header passes a ServiceId, an integer; the strings are
// here once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace wiregauge::identity {

// Never reused while the program runs, so that a holder of an old id reads "unknown" and never another service's name.
using ServiceId = std::uint32_t;
inline constexpr ServiceId kUnknownService = 0;  // nothing is known of the owner; named "unknown"
inline constexpr ServiceId kOtherService = 1;    // beyond a budget; named "_OTHER"

// A service is its name in its namespace. The attributes are those that all of its processes seen so far share; one on
// which they differ stays empty, so that target_info is one series a service and does not flap.
struct Service {
  std::string name;
  std::string service_namespace;
  std::string container_id;  // 64 hex digits
  std::string pod_uid;       // with "-"
  std::string systemd_unit;  // "nginx.service"
  std::string executable;    // path as /proc/PID/exe says

  bool operator==(const Service&) const = default;
};

// Names to ids and back. One thread at a time.
class ServiceTable {
 public:
  // Bounds memory to some 4 MB; a host with more distinct services than this at one time is not one host.
  static constexpr std::size_t kServicesMax = 10'000;

  explicit ServiceTable(std::size_t services_max = kServicesMax);

  // The id of (name, namespace); attributes are merged as Service says. kOtherService, counted, when the table is full.
  ServiceId Intern(const Service& seen);
  // The service, or "unknown" for an id that was removed or never given. Valid until the next Intern or Remove.
  [[nodiscard]] const Service& Of(ServiceId id) const;
  // Forgets a service; its name gets a new id when it comes back. The two fixed ones stay.
  void Remove(ServiceId id);
  // The ids of all services, the fixed ones included, in no order.
  [[nodiscard]] std::vector<ServiceId> Ids() const;

  [[nodiscard]] std::size_t size() const { return services_.size(); }             // the two fixed ones included
  [[nodiscard]] std::uint64_t overflow_total() const { return overflow_total_; }  // Interns that got kOtherService

 private:
  ServiceId Add(const Service& service);

  std::size_t services_max_;
  ServiceId next_ = 0;
  std::unordered_map<ServiceId, Service> services_;
  std::unordered_map<std::string, ServiceId> ids_;  // namespace, NUL, name -> id
  std::uint64_t overflow_total_ = 0;
};

}  // namespace wiregauge::identity
