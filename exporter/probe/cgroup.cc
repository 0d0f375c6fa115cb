#include "exporter/probe/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "base/file.h"
#include "bpf/wire.h"

namespace wiregauge::probe {
namespace {

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string Unescape(std::string_view field) {
  std::string out;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size()) {
      out.push_back(static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(field[i]);
    }
  }
  return out;
}

Result<CgroupScope> ResolveScope(const std::string& path) {
  std::error_code error;
  const std::string canonical = std::filesystem::canonical(path, error).string();
  if (error) return Error{Code::kInvalidArgument, fmt::format("cgroup folder {}: {}", path, error.message())};
  struct statfs mount {};
  struct stat folder {};
  if (statfs(canonical.c_str(), &mount) != 0 || stat(canonical.c_str(), &folder) != 0) {
    return SystemError("cgroup folder " + canonical, errno);
  }
  if (mount.f_type != CGROUP2_SUPER_MAGIC || !S_ISDIR(folder.st_mode)) {
    return Error{Code::kInvalidArgument, fmt::format("cgroup folder {}: not a folder of a cgroup v2 mount", path)};
  }
  return CgroupScope{canonical, folder.st_ino};
}

bool IsInside(const std::string& path, const std::string& folder) {
  return path.size() > folder.size() && path.compare(0, folder.size(), folder) == 0 &&
         (folder.back() == '/' || path[folder.size()] == '/');
}

}  // namespace

Result<std::string> FindCgroupMount(std::string_view mountinfo) {
  std::istringstream lines{std::string(mountinfo)};
  std::string line;
  while (std::getline(lines, line)) {
    const std::size_t separator = line.find(" - ");
    if (separator == std::string::npos || line.compare(separator + 3, 8, "cgroup2 ") != 0) continue;
    std::istringstream fields(line);
    std::string id, parent, device, root, mount_point;
    fields >> id >> parent >> device >> root >> mount_point;
    if (!mount_point.empty()) return Unescape(mount_point);
  }
  return Error{Code::kNotFound,
               "no cgroup v2 mount in /proc/self/mountinfo: mount one with "
               "`mount -t cgroup2 none /sys/fs/cgroup/unified`"};
}

Result<std::string> FindCgroupMount() {
  const auto mounts = ReadSmallFile("/proc/self/mountinfo");
  return mounts ? FindCgroupMount(*mounts) : Result<std::string>(mounts.error());
}

Result<std::vector<CgroupScope>> ResolveScopes(const std::vector<std::string>& paths) {
  std::vector<std::string> wanted = paths;
  if (wanted.empty()) {
    auto root = FindCgroupMount();
    if (!root) return root.error();
    wanted.push_back(*root);
  }
  std::vector<CgroupScope> scopes;
  for (const std::string& path : wanted) {
    auto scope = ResolveScope(path);
    if (!scope) return scope.error();
    scopes.push_back(*std::move(scope));
  }
  std::sort(scopes.begin(), scopes.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  std::vector<CgroupScope> outermost;
  for (const CgroupScope& scope : scopes) {
    const bool covered = std::any_of(outermost.begin(), outermost.end(), [&](const CgroupScope& other) {
      return other.path == scope.path || IsInside(scope.path, other.path);
    });
    if (!covered) outermost.push_back(scope);
  }
  if (outermost.size() > WG_SCOPES) {
    return Error{Code::kInvalidArgument, fmt::format("{} cgroup folders, max {}", outermost.size(), WG_SCOPES)};
  }
  return outermost;
}

std::vector<int> ProcessesBelow(const std::string& cgroup_path) {
  namespace fs = std::filesystem;
  std::vector<int> pids;
  const auto read = [&pids](const fs::path& folder) {
    std::ifstream file(folder / "cgroup.procs");
    for (int pid = 0; file >> pid;) pids.push_back(pid);
  };
  read(cgroup_path);
  std::error_code error;
  fs::recursive_directory_iterator entries(cgroup_path, fs::directory_options::skip_permission_denied, error);
  while (!error && entries != fs::recursive_directory_iterator()) {
    std::error_code gone;
    if (entries->is_directory(gone) && !gone) read(entries->path());
    entries.increment(error);
  }
  return pids;
}

}  // namespace wiregauge::probe
