#include "exporter/identity/service.h"

namespace wiregauge::identity {
namespace {

std::string KeyOf(const Service& service) {
  std::string key = service.service_namespace;
  key.push_back('\0');
  return key += service.name;
}

void Merge(std::string& known, const std::string& seen) {
  if (known != seen) known.clear();
}

}  // namespace

ServiceTable::ServiceTable(std::size_t services_max) : services_max_(services_max) {
  Service fixed;
  fixed.name = "unknown";
  Add(fixed);
  fixed.name = "_OTHER";
  Add(fixed);
}

ServiceId ServiceTable::Add(const Service& service) {
  const ServiceId id = next_++;
  services_.emplace(id, service);
  ids_.emplace(KeyOf(service), id);
  return id;
}

ServiceId ServiceTable::Intern(const Service& seen) {
  const auto found = ids_.find(KeyOf(seen));
  if (found == ids_.end()) {
    if (services_.size() < services_max_) return Add(seen);
    ++overflow_total_;
    return kOtherService;
  }
  Service& known = services_.find(found->second)->second;
  Merge(known.container_id, seen.container_id);
  Merge(known.pod_uid, seen.pod_uid);
  Merge(known.systemd_unit, seen.systemd_unit);
  if (!seen.executable.empty()) Merge(known.executable, seen.executable);  // empty: not known, the process is gone
  return found->second;
}

const Service& ServiceTable::Of(ServiceId id) const {
  const auto found = services_.find(id);
  return found != services_.end() ? found->second : services_.find(kUnknownService)->second;
}

std::vector<ServiceId> ServiceTable::Ids() const {
  std::vector<ServiceId> ids;
  ids.reserve(services_.size());
  for (const auto& [id, service] : services_) ids.push_back(id);
  return ids;
}

void ServiceTable::Remove(ServiceId id) {
  if (id <= kOtherService) return;
  const auto found = services_.find(id);
  if (found == services_.end()) return;
  ids_.erase(KeyOf(found->second));
  services_.erase(found);
}

}  // namespace wiregauge::identity
