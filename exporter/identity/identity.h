// Who owns a socket: a process or cgroup goes in, a ServiceId comes out. Takes pids, start times, cgroup ids and names
// of processes from the probe, reads /proc and the cgroup mount; gives names to aggregate. Looking up is a hash lookup;
// files are read only for an owner that is new, or whose name may have changed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "exporter/identity/process.h"
#include "exporter/identity/service.h"
#include "exporter/probe/record.h"

namespace wiregauge::identity {

// A map that forgets what was not used for one to two periods, or earlier when it is full: two generations, the older
// dropped whole. Bounded by `entries_max`. One thread.
template <typename Key, typename Value>
class GenerationMap {
 public:
  GenerationMap(std::size_t entries_max, std::uint64_t period_ns) : half_(entries_max / 2), period_ns_(period_ns) {}

  // The value, kept for at least one more period; null when unknown. Valid until the next call.
  Value* Find(const Key& key, std::uint64_t now_ns) {
    RotateWhenDue(now_ns);
    if (const auto found = young_.find(key); found != young_.end()) return &found->second;
    auto node = old_.extract(key);
    if (node.empty()) return nullptr;
    if (young_.size() >= half_) Rotate(now_ns);
    return &young_.insert(std::move(node)).position->second;
  }

  Value& Insert(const Key& key, Value value, std::uint64_t now_ns) {
    RotateWhenDue(now_ns);
    if (young_.size() >= half_) Rotate(now_ns);
    return young_.insert_or_assign(key, std::move(value)).first->second;
  }

  // Calls `visit(value)` for every entry.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const auto& [key, value] : young_) visit(value);
    for (const auto& [key, value] : old_) visit(value);
  }

  [[nodiscard]] std::size_t size() const { return young_.size() + old_.size(); }
  [[nodiscard]] std::uint64_t forgotten_total() const { return forgotten_total_; }

 private:
  void RotateWhenDue(std::uint64_t now_ns) {
    if (now_ns >= rotated_ns_ + period_ns_) Rotate(now_ns);
  }
  void Rotate(std::uint64_t now_ns) {
    forgotten_total_ += old_.size();
    old_ = std::move(young_);
    young_ = {};
    rotated_ns_ = now_ns;
  }

  std::size_t half_;
  std::uint64_t period_ns_;
  std::uint64_t rotated_ns_ = 0;
  std::unordered_map<Key, Value> young_;
  std::unordered_map<Key, Value> old_;
  std::uint64_t forgotten_total_ = 0;
};

// What is known of a socket's owner; what is not known is zero or empty.
struct Owner {
  probe::OwnerId id = 0;
  std::uint64_t cgroup_id = 0;
  std::string_view comm;
};

// Where a name came from, the best last.
enum class NameSource : std::uint8_t { kUnknown, kComm, kNotedExecutable, kExecutable, kSystemdUnit, kContainer };

struct Named {
  Service service;
  NameSource source = NameSource::kUnknown;
};

// The naming rule, pure: container (first 12 digits of its id), systemd unit, base name of the executable, comm,
// "unknown".
Named NameService(std::string_view cgroup_path, std::string_view executable, std::string_view comm);

// One thread at a time: the pipeline holds a lock.
class Identity {
 public:
  // A process forgotten here is only read again; this is two hours of one new process every 100 ms, some 8 MB.
  static constexpr std::size_t kOwnersMax = 65'536;
  // Longer than aggregate keeps an idle series, so that a series never outlives its name.
  static constexpr std::uint64_t kOwnerIdleNs = 20ULL * 60 * 1'000'000'000;
  // exec() keeps pid and start time but changes the executable: names by executable are looked at again this often.
  static constexpr std::uint64_t kRecheckNs = 10ULL * 1'000'000'000;

  struct Roots {
    std::string proc = "/proc";
    std::string cgroup;  // mount point of cgroup v2; empty: ids of owners that are gone cannot be resolved
  };

  // What the kernel noted of an owner when it made its latest socket; asked for owners that are gone.
  using OwnerLookup = std::function<Result<probe::OwnerInfo>(probe::OwnerId)>;

  explicit Identity(Roots roots, OwnerLookup lookup = nullptr, std::size_t owners_max = kOwnersMax);

  // The service of an owner. Reads files when the owner is new (some 30 us), else none. `now_ns` is CLOCK_MONOTONIC.
  ServiceId ServiceOf(const Owner& owner, std::uint64_t now_ns);

  // Forgets services of which no process is remembered and that `in_use` (a label of a live series) does not want.
  void Expire(const std::function<bool(ServiceId)>& in_use);

  [[nodiscard]] const ServiceTable& services() const { return services_; }
  [[nodiscard]] ServiceTable& services() { return services_; }
  [[nodiscard]] std::size_t owners() const { return owners_.size() + cgroups_.size(); }
  [[nodiscard]] std::uint64_t owners_forgotten_total() const {
    return owners_.forgotten_total() + cgroups_.forgotten_total();
  }
  // Owners that got no name at all.
  [[nodiscard]] std::uint64_t unresolved_total() const { return unresolved_total_; }

 private:
  struct Entry {
    ServiceId service = kUnknownService;
    NameSource source = NameSource::kUnknown;
    std::uint64_t checked_ns = 0;
  };

  ServiceId ServiceOfCgroup(const Owner& owner, std::uint64_t now_ns);
  [[nodiscard]] static bool Settled(const Entry& entry, const Owner& owner, std::uint64_t now_ns);
  Named Resolve(const Owner& owner, std::uint64_t now_ns);
  Named ResolveEnded(const Owner& owner, std::uint64_t now_ns);
  Entry Intern(const Named& named, std::uint64_t now_ns);

  Roots roots_;
  OwnerLookup lookup_;
  CgroupTree cgroup_tree_;
  ServiceTable services_;
  GenerationMap<probe::OwnerId, Entry> owners_;
  GenerationMap<std::uint64_t, Entry> cgroups_;  // for sockets whose owner is unknown
  std::uint64_t unresolved_total_ = 0;
};

}  // namespace wiregauge::identity
