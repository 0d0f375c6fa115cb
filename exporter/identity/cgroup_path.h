// What a cgroup's path says about the processes in it: container, systemd unit, pod. Pure functions of text, for v1, v2
// and hybrid hosts. Rules after the runtimes' own naming (runc and crun cgroup drivers "cgroupfs" and "systemd", CRI-O,
// podman, kubelet) and systemd's CGROUP_DELEGATION and unit-name escaping.
#pragma once

#include <string>
#include <string_view>

namespace wiregauge::identity {

// Views borrow the path. Empty = the path does not say.
struct CgroupFacts {
  std::string_view container_id;  // 64 lower-case hex digits, of the innermost container
  std::string_view pod_uid;       // as written: the systemd driver writes "_" for "-"
  std::string_view
      systemd_unit;  // innermost service unit inside that container or, without one, of the host; as written

  bool operator==(const CgroupFacts&) const = default;
};

// `path` as in /proc/PID/cgroup after the second colon, or relative to a cgroup mount. Any bytes are allowed.
// Scopes, slices and user managers (user@UID.service) name no service; a monitor's cgroup (crio-conmon-,
// libpod-conmon-) is not the container.
CgroupFacts ParseCgroupPath(std::string_view path);

// The path that says most among the lines of /proc/PID/cgroup: one with a container, else one with a unit, else the v2
// line, else the first. Ties: v2 before v1's name=systemd before the other controllers. Borrows `text`; empty when no
// line has the form ID:CONTROLLERS:PATH.
std::string_view ChooseCgroupPath(std::string_view text);

// "nginx.service" -> "nginx", "foo\x2dbar@1.service" -> "foo-bar@1": the suffix goes, printable \xNN are decoded.
std::string UnitName(std::string_view unit);

}  // namespace wiregauge::identity
