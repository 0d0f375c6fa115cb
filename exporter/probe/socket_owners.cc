#include "exporter/probe/socket_owners.h"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "base/file.h"

namespace wiregauge::probe {
namespace {

// "12 (a name) with) brackets) S 1 …": the name ends at the last bracket; field 22 is the start time.
std::uint64_t StartTicks(std::string_view stat) {
  constexpr int kStartTimeField = 22;
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return 0;
  std::string_view rest = stat.substr(name_end + 1);
  for (int field = 3; field <= kStartTimeField; ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (field == kStartTimeField) break;
    rest.remove_prefix(std::min(rest.find(' '), rest.size()));
  }
  std::uint64_t ticks = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), ticks);
  return ticks;
}

// The name of the file that the link leads to, which may be deleted by now.
std::string ExecutableName(const std::string& link) {
  constexpr std::string_view kDeleted = " (deleted)";
  std::error_code error;
  std::string name = std::filesystem::read_symlink(link, error).filename().native();
  if (name.ends_with(kDeleted)) name.resize(name.size() - kDeleted.size());
  return name;
}

std::string ReadFile(const std::string& path) {
  auto text = ReadSmallFile(path);
  return text ? *std::move(text) : std::string();
}

}  // namespace

OwnerId MakeOwnerId(int pid, std::uint64_t start_ticks) {
  // USER_HZ is 100 on every architecture Linux runs on: a tick is 10 ms, as bpf/tap.bpf.c counts.
  return static_cast<OwnerId>(pid) << 32 | static_cast<std::uint32_t>(start_ticks);
}

Process ReadProcess(const std::string& proc, int pid) {
  const std::string folder = fmt::format("{}/{}", proc, pid);
  const std::string stat_line = ReadFile(folder + "/stat");
  if (stat_line.empty()) return {};
  Process process{.pid = pid, .owner = MakeOwnerId(pid, StartTicks(stat_line)), .comm = ReadFile(folder + "/comm")};
  if (!process.comm.empty() && process.comm.back() == '\n') process.comm.pop_back();
  process.executable = ExecutableName(folder + "/exe");
  struct stat ns {};
  if (stat((folder + "/ns/net").c_str(), &ns) == 0) process.netns_inode = ns.st_ino;
  return process;
}

std::vector<std::uint64_t> SocketInodes(const std::string& proc, int pid) {
  constexpr std::string_view kPrefix = "socket:[";
  std::vector<std::uint64_t> inodes;
  std::error_code error;
  for (std::filesystem::directory_iterator fd(fmt::format("{}/{}/fd", proc, pid), error), end; !error && fd != end;
       fd.increment(error)) {
    char target[64];
    const ssize_t size = readlink(fd->path().c_str(), target, sizeof(target));
    const std::string_view link(target, size > 0 ? static_cast<std::size_t>(size) : 0);
    if (link.substr(0, kPrefix.size()) != kPrefix) continue;
    std::uint64_t inode = 0;
    std::from_chars(link.data() + kPrefix.size(), link.data() + link.size(), inode);
    if (inode != 0) inodes.push_back(inode);
  }
  return inodes;
}

}  // namespace wiregauge::probe
