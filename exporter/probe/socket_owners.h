// Which process holds which socket, from /proc: for sockets that are older than the program. Reads only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "exporter/probe/record.h"

namespace wiregauge::probe {

struct Process {
  int pid = 0;
  OwnerId owner = 0;
  std::string comm;               // at most 15 bytes
  std::string executable;         // file name; empty when it may not be read
  std::uint64_t netns_inode = 0;  // 0 when it may not be read
};

// What /proc says of a process; pid 0 in the result when it is gone. `proc` is the mount, "/proc".
Process ReadProcess(const std::string& proc, int pid);

// Inode numbers of the sockets among its open files.
std::vector<std::uint64_t> SocketInodes(const std::string& proc, int pid);

// The owner id of a process that started `start_ticks` (USER_HZ, field 22 of /proc/PID/stat) after boot: what the
// kernel side computes from its own clock.
OwnerId MakeOwnerId(int pid, std::uint64_t start_ticks);

}  // namespace wiregauge::probe
