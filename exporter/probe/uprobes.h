// Attaching a BPF program to functions of a file, for one process or for all that map it. Two ways: a uprobe_multi link
// (since Linux 6.6; one descriptor for all functions, needs CAP_BPF and CAP_PERFMON), or perf events (any kernel; two
// descriptors a function, and CAP_SYS_ADMIN at each attach). libbpf knows the first since 1.3; Debian 12 has 1.1.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

struct bpf_link;
struct bpf_program;

namespace wiregauge::probe {

inline constexpr int kAllProcesses = -1;

enum class UprobeWay : std::uint8_t { kMulti, kPerfEvents };

struct UprobePlace {
  std::string path;
  std::vector<std::uint64_t> offsets;  // in the file
  bool at_return = false;
  int pid = kAllProcesses;
};

// What is attached; detaches at its end.
class Uprobe {
 public:
  static Result<Uprobe> Attach(const bpf_program* program, UprobeWay way, const UprobePlace& place);
  Uprobe(Uprobe&& other) noexcept;
  Uprobe& operator=(Uprobe&& other) noexcept;
  ~Uprobe();

 private:
  Uprobe() = default;

  int multi_fd_ = -1;
  std::vector<bpf_link*> links_;
};

// Before load: the program is to be attached by a uprobe_multi link, and by nothing else.
void PrepareForMulti(bpf_program* program);

// Whether a uprobe_multi link of a process sees all of its threads: between 6.6 and 6.10 it saw one (fixed by Linux
// commit 46ba0e49b642, and in 6.6.33). Tries it on this process: `program` is loaded, and each of its runs adds 1 to
// `*runs`.
bool MultiWorks(const bpf_program* program, const volatile unsigned long long* runs);

}  // namespace wiregauge::probe
