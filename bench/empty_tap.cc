// empty_tap CGROUP [--stats]: attaches programs that do nothing to the tap's packet hooks, prints "attached", and at
// the end of its stdin prints what they cost as one JSON object: run time as the kernel counts it (with --stats).
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "base/result.h"
#include "empty.skel.h"

namespace {

using wiregauge::Status;
using wiregauge::SystemError;

using Skeleton = std::unique_ptr<empty, decltype(&empty__destroy)>;

bpf_prog_info InfoOf(const bpf_program* program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size);
  return info;
}

Status Run(const char* cgroup, bool statistics) {
  const Skeleton skeleton(empty__open_and_load(), &empty__destroy);
  if (!skeleton) return SystemError("load the programs", errno);
  const int folder = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return SystemError(cgroup, errno);
  const int stats = statistics ? bpf_enable_stats(BPF_STATS_RUN_TIME) : -1;
  bpf_link* const ingress = bpf_program__attach_cgroup(skeleton->progs.empty_ingress, folder);
  bpf_link* const egress = bpf_program__attach_cgroup(skeleton->progs.empty_egress, folder);
  if (ingress == nullptr || egress == nullptr) return SystemError("attach", errno);
  std::cout << "attached" << std::endl;
  for (std::string line; std::getline(std::cin, line);) continue;
  const bpf_prog_info in = InfoOf(skeleton->progs.empty_ingress);
  const bpf_prog_info out = InfoOf(skeleton->progs.empty_egress);
  std::printf("{\"ingress_ns\":%llu,\"ingress_runs\":%llu,\"egress_ns\":%llu,\"egress_runs\":%llu}\n", in.run_time_ns,
              in.run_cnt, out.run_time_ns, out.run_cnt);
  bpf_link__destroy(ingress);
  bpf_link__destroy(egress);
  close(folder);
  if (stats >= 0) close(stats);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: empty_tap CGROUP [--stats]\n", stderr);
    return 1;
  }
  const bool statistics = argc > 2 && std::string(argv[2]) == "--stats";
  if (const Status done = Run(argv[1], statistics); !done) {
    std::fprintf(stderr, "empty_tap: %s\n", done.error().message.c_str());
    return 1;
  }
  return 0;
}
