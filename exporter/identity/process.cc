#include "exporter/identity/process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "base/file.h"
#include "exporter/identity/cgroup_path.h"

namespace wiregauge::identity {
namespace {

std::string ReadExecutable(const std::string& path) {
  std::array<char, 4096> target;
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size <= 0) return {};
  std::string_view text(target.data(), static_cast<std::size_t>(size));
  constexpr std::string_view kDeleted = " (deleted)";
  if (text.ends_with(kDeleted)) text.remove_suffix(kDeleted.size());
  return std::string(text);
}

// The file name that a link leads to; empty when it is none.
std::string TargetName(const std::string& link) {
  std::array<char, 4096> target;
  const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  if (size <= 0) return {};
  const std::string_view text(target.data(), static_cast<std::size_t>(size));
  const std::size_t last = text.rfind('/');
  return std::string(text.substr(last == std::string_view::npos ? 0 : last + 1));
}

// False when it is nothing but the beginning of the executable's own name.
bool MayBeALink(std::string_view name, std::string_view comm) {
  return !comm.empty() && comm.find('/') == std::string_view::npos && !name.starts_with(comm);
}

// The name it was started by, when that is a link beside the executable: Debian's redis-server is a link to
// redis-check-rdb, and busybox is many programs. `root` is the process's own root folder.
std::string StartedAs(const std::string& root, const std::string& executable, const std::string& comm) {
  const std::size_t slash = executable.rfind('/');
  if (slash == std::string::npos) return executable;
  const std::string_view name = std::string_view(executable).substr(slash + 1);
  if (!MayBeALink(name, comm)) return executable;
  const std::string link = executable.substr(0, slash + 1) + comm;
  return TargetName(root + link) == name ? link : executable;
}

// "PID (comm) S ppid …": comm may hold spaces and parentheses, so it ends at the last ")". False: not of that form.
bool ParseStat(std::string_view text, ProcessFacts& facts) {
  constexpr int kFieldsBeforeStart = 19;  // state is field 3, starttime field 22
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return false;
  facts.comm = text.substr(open + 1, close - open - 1);
  std::size_t at = close + 1;
  for (int field = 0; field < kFieldsBeforeStart; ++field) {
    at = text.find(' ', at + 1);
    if (at == std::string_view::npos) return false;
  }
  const char* begin = text.data() + at + 1;
  return std::from_chars(begin, text.data() + text.size(), facts.start_ticks).ec == std::errc{};
}

}  // namespace

std::optional<ProcessFacts> ReadProcess(const std::string& proc_root, std::uint32_t pid) {
  const std::string folder = proc_root + "/" + std::to_string(pid);
  ProcessFacts facts;
  facts.executable = ReadExecutable(folder + "/exe");
  if (const auto cgroup = ReadSmallFile(folder + "/cgroup")) facts.cgroup_path = ChooseCgroupPath(*cgroup);
  const auto stat = ReadSmallFile(folder + "/stat");
  if (!stat || !ParseStat(*stat, facts)) return std::nullopt;
  facts.executable = StartedAs(folder + "/root", facts.executable, facts.comm);
  return facts;
}

std::string EndedExecutable(const std::string& proc_root, const std::string& name, const std::string& comm) {
  if (name.empty() || !MayBeALink(name, comm)) return name;
  // A process in a container is named by it, so the root is the host's.
  for (const char* folder : {"/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/bin/", "/sbin/"}) {
    if (TargetName((proc_root + "/1/root").append(folder).append(comm)) == name) return comm;
  }
  return name;
}

std::string CgroupTree::PathOf(std::uint64_t cgroup_id, std::uint64_t now_ns) {
  if (root_.empty()) return {};
  auto found = paths_.find(cgroup_id);
  if (found == paths_.end() && (!scanned_ns_ || now_ns - *scanned_ns_ >= kRescanNs)) {
    Scan();
    scanned_ns_ = now_ns;
    found = paths_.find(cgroup_id);
  }
  return found == paths_.end() ? std::string() : found->second;
}

void CgroupTree::Scan() {
  namespace fs = std::filesystem;
  paths_.clear();
  std::error_code error;
  struct stat info {};
  if (::stat(root_.c_str(), &info) == 0) paths_.emplace(info.st_ino, "/");
  fs::recursive_directory_iterator at(root_, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code entry_error;
    if (at->is_symlink(entry_error) || !at->is_directory(entry_error)) continue;
    if (at.depth() >= kDepthMax) at.disable_recursion_pending();
    if (paths_.size() >= kCgroupsMax) return;
    if (::lstat(at->path().c_str(), &info) == 0) {
      paths_.emplace(info.st_ino, at->path().native().substr(root_.size()));
    }
  }
}

}  // namespace wiregauge::identity
