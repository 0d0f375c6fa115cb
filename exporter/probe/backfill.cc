#include "exporter/probe/backfill.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>

#include <fmt/format.h>

#include "base/log.h"
#include "bpf/wire.h"
#include "exporter/probe/socket_owners.h"

namespace wiregauge::probe {
namespace {

constexpr const char* kProc = "/proc";

Status RunAll(const std::vector<bpf_link*>& iterators) {
  for (bpf_link* iterator : iterators) {
    if (const Status run = RunIterator(iterator); !run) return run;
  }
  return {};
}

// Runs the iterators inside the network namespace of a process, on a thread of its own: setns moves a thread for good.
Status RunInNamespaceOf(int pid, const std::vector<bpf_link*>& iterators) {
  const std::string path = fmt::format("{}/{}/ns/net", kProc, pid);
  const int ns = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (ns < 0) return SystemError("opening " + path, errno);
  Status outcome;
  std::thread visitor([&] {
    if (setns(ns, CLONE_NEWNET) != 0) {
      outcome = SystemError("entering " + path, errno);
    } else {
      outcome = RunAll(iterators);
    }
  });
  visitor.join();
  close(ns);
  return outcome;
}

void AddSocket(int sockets_fd, std::uint64_t inode, const Process& process) {
  wg_socket_owner value{};
  value.owner = process.owner;
  std::memcpy(value.comm, process.comm.data(), std::min(process.comm.size(), sizeof(value.comm) - 1));
  // When the map is full the socket stays without an owner; its bytes are counted all the same.
  bpf_map_update_elem(sockets_fd, &inode, &value, BPF_NOEXIST);
}

// What the kernel side notes of an owner that makes a socket, unless it has.
void AddOwner(int owners_fd, const Process& process) {
  wg_owner value{};
  std::memcpy(value.comm, process.comm.data(), std::min(process.comm.size(), sizeof(value.comm) - 1));
  std::memcpy(value.executable, process.executable.data(),
              std::min(process.executable.size(), sizeof(value.executable) - 1));
  bpf_map_update_elem(owners_fd, &process.owner, &value, BPF_NOEXIST);
}

void Empty(int sockets_fd) {
  for (std::uint64_t inode = 0; bpf_map_get_next_key(sockets_fd, nullptr, &inode) == 0;) {
    if (bpf_map_delete_elem(sockets_fd, &inode) != 0) return;
  }
}

}  // namespace

Status RunIterator(bpf_link* iterator) {
  const int fd = bpf_iter_create(bpf_link__fd(iterator));
  if (fd < 0) return SystemError("creating an iterator", errno);
  char nothing[256];
  ssize_t size = 0;
  do {
    size = read(fd, nothing, sizeof(nothing));
  } while (size > 0 || (size < 0 && (errno == EINTR || errno == EAGAIN)));
  const int error = errno;
  close(fd);
  if (size < 0) return SystemError("running an iterator", error);
  return {};
}

BackfillReport Backfill(const std::vector<CgroupScope>& scopes, const std::vector<bpf_link*>& iterators,
                        const BackfillMaps& maps) {
  BackfillReport report;
  std::map<std::uint64_t, int> namespace_to_pid;
  for (const CgroupScope& scope : scopes) {
    for (const int pid : ProcessesBelow(scope.path)) {
      const Process process = ReadProcess(kProc, pid);
      if (process.pid == 0) continue;
      if (process.netns_inode != 0) namespace_to_pid.emplace(process.netns_inode, pid);
      const std::vector<std::uint64_t> sockets = SocketInodes(kProc, pid);
      for (const std::uint64_t inode : sockets) AddSocket(maps.sockets_fd, inode, process);
      if (!sockets.empty()) AddOwner(maps.owners_fd, process);
      report.sockets_with_owner += sockets.size();
    }
  }
  for (const auto& [inode, pid] : namespace_to_pid) {
    const Status visited = RunInNamespaceOf(pid, iterators);
    if (visited) {
      ++report.namespaces;
    } else {
      ++report.namespaces_failed;
      log::Warn("probe", "Older sockets of a network namespace stay unobserved until they send",
                {{"netns", inode}, {"err", visited.error().message}});
    }
  }
  Empty(maps.sockets_fd);
  return report;
}

}  // namespace wiregauge::probe
