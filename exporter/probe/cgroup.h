// cgroup v2 folders: finding the mount, ids, and the processes inside. Reads the file system; no state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace wiregauge::probe {

// Where cgroup v2 is mounted, from the text of /proc/self/mountinfo: /sys/fs/cgroup on unified hosts,
// /sys/fs/cgroup/unified on hybrid ones. kNotFound when there is none.
Result<std::string> FindCgroupMount(std::string_view mountinfo);
Result<std::string> FindCgroupMount();

struct CgroupScope {
  std::string path;
  std::uint64_t id = 0;  // the folder's inode number, which is the kernel's cgroup id
};

// The folders to attach to: each must be a cgroup v2 folder (kInvalidArgument with the path otherwise); a folder inside
// another one of the list is left out, or its packets would be counted twice. None given: the root of the mount.
Result<std::vector<CgroupScope>> ResolveScopes(const std::vector<std::string>& paths);

// Process ids in the folder and all folders below, unsorted. Processes and folders may vanish meanwhile: those are left
// out without an error.
std::vector<int> ProcessesBelow(const std::string& cgroup_path);

}  // namespace wiregauge::probe
