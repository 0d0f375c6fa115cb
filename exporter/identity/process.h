// The I/O end of identity: what /proc and the cgroup mount say of a process now. Roots are arguments, so that tests run
// on fixture trees and a container can be given the host's /proc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace wiregauge::identity {

struct ProcessFacts {
  std::uint64_t start_ticks = 0;  // since boot, in USER_HZ (10 ms) units: field 22 of /proc/PID/stat
  std::string comm;
  // Target of /proc/PID/exe without " (deleted)", or the link to it beside it that the process was started by; empty
  // when it may not be read.
  std::string executable;
  std::string cgroup_path;  // ChooseCgroupPath of /proc/PID/cgroup
};

// Nothing when the process is gone. `start_ticks` is read last, so that a caller who knows it also knows that the rest
// belongs to the same process.
std::optional<ProcessFacts> ReadProcess(const std::string& proc_root, std::uint32_t pid);

// The name of the executable of a process that is gone, of which only the file name was noted: as ReadProcess has it,
// the link that it was started by goes before, when it lies in one of the usual folders of the host.
std::string EndedExecutable(const std::string& proc_root, const std::string& name, const std::string& comm);

// cgroup ids (inode numbers of the cgroup v2 tree) to paths, for owners that exited before anybody asked. One thread.
class CgroupTree {
 public:
  static constexpr std::size_t kCgroupsMax = 16'384;  // directories a walk looks at: some 4 MB, 50 ms
  static constexpr int kDepthMax = 32;
  static constexpr std::uint64_t kRescanNs = 1'000'000'000;  // a walk a second at most, however many ids are unknown

  // `root` is the mount point of cgroup v2; empty: every lookup fails.
  explicit CgroupTree(std::string root) : root_(std::move(root)) {}

  // The path below the root, with a leading slash; empty when unknown. An id that a walk saw keeps its path even after
  // the directory is gone, until the next walk.
  std::string PathOf(std::uint64_t cgroup_id, std::uint64_t now_ns);

 private:
  void Scan();

  std::string root_;
  std::unordered_map<std::uint64_t, std::string> paths_;
  std::optional<std::uint64_t> scanned_ns_;
};

}  // namespace wiregauge::identity
