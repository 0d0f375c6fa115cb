#include "exporter/identity/identity.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "exporter/identity/cgroup_path.h"

namespace wiregauge::identity {
namespace {

constexpr std::size_t kShortIdDigits = 12;  // what `docker ps` and `crictl ps` show

std::string_view BaseName(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string PodUidText(std::string_view uid) {
  std::string text(uid);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

}  // namespace

Named NameService(std::string_view cgroup_path, std::string_view executable, std::string_view comm) {
  const CgroupFacts facts = ParseCgroupPath(cgroup_path);
  Named named;
  named.service.container_id = facts.container_id;
  named.service.pod_uid = PodUidText(facts.pod_uid);
  named.service.systemd_unit = facts.systemd_unit;
  named.service.executable = executable;
  if (!facts.container_id.empty()) {
    named.service.name = facts.container_id.substr(0, kShortIdDigits);
    named.source = NameSource::kContainer;
  } else if (!facts.systemd_unit.empty()) {
    named.service.name = UnitName(facts.systemd_unit);
    named.source = NameSource::kSystemdUnit;
  } else if (!BaseName(executable).empty()) {
    named.service.name = BaseName(executable);
    named.source = NameSource::kExecutable;
  } else if (!comm.empty()) {
    named.service.name = comm;
    named.source = NameSource::kComm;
  }
  return named;
}

Identity::Identity(Roots roots, OwnerLookup lookup, std::size_t owners_max)
    : roots_(std::move(roots)),
      lookup_(std::move(lookup)),
      cgroup_tree_(roots_.cgroup),
      owners_(owners_max, kOwnerIdleNs),
      cgroups_(owners_max, kOwnerIdleNs) {}

ServiceId Identity::ServiceOf(const Owner& owner, std::uint64_t now_ns) {
  if (owner.id == 0) return ServiceOfCgroup(owner, now_ns);
  Entry* known = owners_.Find(owner.id, now_ns);
  if (known != nullptr && Settled(*known, owner, now_ns)) return known->service;
  const Named named = Resolve(owner, now_ns);
  if (known != nullptr && named.source < known->source) {  // the process is gone by now: keep what it was
    known->checked_ns = now_ns;
    return known->service;
  }
  return owners_.Insert(owner.id, Intern(named, now_ns), now_ns).service;
}

// A socket older than the tap may have no known owner; its cgroup may still name the service. The comm is not part of
// the cache key, so a cgroup that names nothing is not cached under one.
ServiceId Identity::ServiceOfCgroup(const Owner& owner, std::uint64_t now_ns) {
  if (owner.cgroup_id == 0 && owner.comm.empty()) return kUnknownService;  // nothing was asked
  Entry* known = cgroups_.Find(owner.cgroup_id, now_ns);
  if (known == nullptr || now_ns - known->checked_ns >= kRecheckNs) {
    const std::string path = owner.cgroup_id == 0 ? std::string() : cgroup_tree_.PathOf(owner.cgroup_id, now_ns);
    Entry fresh;
    fresh.checked_ns = now_ns;
    const Named named = NameService(path, {}, {});
    if (named.source != NameSource::kUnknown) fresh = Intern(named, now_ns);
    known = &cgroups_.Insert(owner.cgroup_id, fresh, now_ns);
  }
  if (known->service != kUnknownService) return known->service;
  return Intern(NameService({}, {}, owner.comm), now_ns).service;
}

bool Identity::Settled(const Entry& entry, const Owner& owner, std::uint64_t now_ns) {
  if (entry.source == NameSource::kUnknown && !owner.comm.empty()) return false;
  return entry.source >= NameSource::kSystemdUnit || now_ns - entry.checked_ns < kRecheckNs;
}

Named Identity::Resolve(const Owner& owner, std::uint64_t now_ns) {
  const auto pid = static_cast<std::uint32_t>(owner.id >> 32);
  const auto start_ticks = static_cast<std::uint32_t>(owner.id);
  const auto process = ReadProcess(roots_.proc, pid);
  const bool same = process && (start_ticks == 0 || static_cast<std::uint32_t>(process->start_ticks) == start_ticks);
  if (same) return NameService(process->cgroup_path, process->executable, process->comm);
  return ResolveEnded(owner, now_ns);
}

Named Identity::ResolveEnded(const Owner& owner, std::uint64_t now_ns) {
  probe::OwnerInfo noted;
  if (lookup_) {
    if (auto found = lookup_(owner.id)) noted = *std::move(found);
  }
  if (owner.cgroup_id != 0) noted.cgroup_id = owner.cgroup_id;
  if (!owner.comm.empty()) noted.comm = owner.comm;
  const std::string path = noted.cgroup_id == 0 ? std::string() : cgroup_tree_.PathOf(noted.cgroup_id, now_ns);
  Named named = NameService(path, EndedExecutable(roots_.proc, noted.executable, noted.comm), noted.comm);
  named.service.executable.clear();  // an attribute is a path, and the folder is not known
  if (named.source == NameSource::kExecutable) named.source = NameSource::kNotedExecutable;
  return named;
}

Identity::Entry Identity::Intern(const Named& named, std::uint64_t now_ns) {
  Entry entry;
  entry.source = named.source;
  entry.checked_ns = now_ns;
  if (named.source == NameSource::kUnknown) {
    ++unresolved_total_;
  } else {
    entry.service = services_.Intern(named.service);
  }
  return entry;
}

void Identity::Expire(const std::function<bool(ServiceId)>& in_use) {
  std::unordered_set<ServiceId> remembered;
  const auto remember = [&](const Entry& entry) { remembered.insert(entry.service); };
  owners_.ForEach(remember);
  cgroups_.ForEach(remember);
  for (const ServiceId id : services_.Ids()) {
    if (!remembered.contains(id) && !in_use(id)) services_.Remove(id);
  }
}

}  // namespace wiregauge::identity
