#include "exporter/explain.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>

#include "base/clock.h"
#include "exporter/identity/identity.h"
#include "exporter/probe/cgroup.h"
#include "exporter/probe/socket_owners.h"
#include "exporter/probe/tls_targets.h"

namespace wiregauge::exporter {
namespace {

struct Sockets {
  std::size_t tcp = 0;
  std::size_t other = 0;
};

// Sockets of the process that its network namespace lists as TCP, and the rest (AF_UNIX, UDP, netlink).
Sockets CountSockets(int pid) {
  std::vector<std::uint64_t> tcp_inodes;
  for (const char* table : {"tcp", "tcp6"}) {
    std::ifstream file(fmt::format("/proc/{}/net/{}", pid, table));
    std::string line;
    std::getline(file, line);  // the heading
    while (std::getline(file, line)) {
      std::istringstream fields(line);
      std::string skipped;
      for (int i = 0; i < 9; ++i) fields >> skipped;
      std::uint64_t inode = 0;
      if (fields >> inode && inode != 0) tcp_inodes.push_back(inode);
    }
  }
  std::sort(tcp_inodes.begin(), tcp_inodes.end());
  Sockets sockets;
  for (const std::uint64_t inode : probe::SocketInodes("/proc", pid)) {
    ++(std::binary_search(tcp_inodes.begin(), tcp_inodes.end(), inode) ? sockets.tcp : sockets.other);
  }
  return sockets;
}

std::string ScopeVerdict(int pid, const std::vector<probe::CgroupScope>& scopes) {
  for (const probe::CgroupScope& scope : scopes) {
    const std::vector<int> inside = probe::ProcessesBelow(scope.path);
    if (std::find(inside.begin(), inside.end(), pid) != inside.end()) {
      return fmt::format("observed: it is in {}, so sockets that it makes are measured", scope.path);
    }
  }
  return "not observed: it is in none of the cgroup folders above. Sockets keep the cgroup they were made in: one that "
         "it "
         "was given by a process inside is measured all the same";
}

std::string TlsVerdict(int pid, probe::TlsMode mode) {
  if (mode == probe::TlsMode::kOff) return "TLS          --exporter.tls=off: requests inside are not read\n";
  std::string out;
  for (const std::string& path : probe::TlsFilesOf("/proc", pid)) {
    out += fmt::format("TLS          {}: requests inside are read\n", path);
  }
  if (!out.empty()) return out;
  return "TLS          no library with symbols of OpenSSL's interface: requests inside are not read\n";
}

}  // namespace

Result<std::string> ExplainProcess(int pid, const std::vector<std::string>& cgroups, probe::TlsMode tls) {
  const probe::Process process = probe::ReadProcess("/proc", pid);
  if (process.pid == 0) return Error{Code::kNotFound, fmt::format("no process has pid {}", pid)};
  auto scopes = probe::ResolveScopes(cgroups);
  if (!scopes) return scopes.error();
  auto mount = probe::FindCgroupMount();
  identity::Identity identity({.proc = "/proc", .cgroup = mount ? *mount : ""});
  const auto service = identity.ServiceOf({process.owner, 0, process.comm}, MonotonicNanoseconds());
  const Sockets sockets = CountSockets(pid);

  std::string out = fmt::format("process      {} ({})\n", pid, process.comm);
  for (const probe::CgroupScope& scope : *scopes) out += fmt::format("scope        {}\n", scope.path);
  out += fmt::format("verdict      {}\n", ScopeVerdict(pid, *scopes));
  out += fmt::format("service_name {}\n", identity.services().Of(service).name);
  out += fmt::format("netns        {}\n", process.netns_inode);
  out += fmt::format("TCP sockets  {}: counted; requests in them are decoded in the protocols that are known\n",
                     sockets.tcp);
  out += TlsVerdict(pid, tls);
  out += fmt::format("others       {}: AF_UNIX, UDP and the like are not measured\n", sockets.other);
  return out;
}

}  // namespace wiregauge::exporter
