// drop_nth: attaches drop_nth.bpf.c to the ingress of an interface of this network namespace, prints "attached", and
// at the end of its stdin detaches it and prints what it counted as one JSON object. Exit 1 when it cannot attach, or
// when packets of several segments came by, so that what was dropped is not what was asked.
#include <net/if.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "base/result.h"
#include "drop_nth.skel.h"
#include "tests/tools/bpf/drop_nth.h"

namespace {

using wiregauge::Code;
using wiregauge::Error;
using wiregauge::Result;
using wiregauge::Status;
using wiregauge::SystemError;

struct Settings {
  std::string interface;
  std::uint32_t every = 20;
  std::uint16_t port = 0;
};

// The kernel's layout of the map's value: the lock is 4 bytes, the counters begin at the next multiple of 8.
struct LockedCounts {
  std::uint32_t lock;
  std::uint32_t padding;
  drop_counts counts;
};

using Skeleton = std::unique_ptr<drop_nth, decltype(&drop_nth__destroy)>;

Result<drop_counts> ReadCounts(const drop_nth& skeleton) {
  const std::uint32_t zero = 0;
  LockedCounts value{};
  if (bpf_map_lookup_elem_flags(bpf_map__fd(skeleton.maps.counts), &zero, &value, BPF_F_LOCK) != 0) {
    return SystemError("read the counts", errno);
  }
  return value.counts;
}

Status Run(const Settings& settings) {
  const unsigned index = if_nametoindex(settings.interface.c_str());
  if (index == 0) return SystemError("interface " + settings.interface, errno);
  const Skeleton skeleton(drop_nth__open(), &drop_nth__destroy);
  if (!skeleton) return SystemError("open the program", errno);
  skeleton->rodata->every = settings.every;
  skeleton->rodata->port = settings.port;
  if (const int error = drop_nth__load(skeleton.get()); error != 0) return SystemError("load the program", -error);

  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(index);
  hook.attach_point = BPF_TC_INGRESS;
  if (const int error = bpf_tc_hook_create(&hook); error != 0) return SystemError("clsact qdisc", -error);
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.prog_fd = bpf_program__fd(skeleton->progs.drop_nth);
  const int attached = bpf_tc_attach(&hook, &options);
  if (attached == 0) {
    std::cout << "attached" << std::endl;
    for (std::string line; std::getline(std::cin, line);) continue;
  }
  // Both directions: the qdisc was ours, and goes with its filters.
  hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  bpf_tc_hook_destroy(&hook);
  if (attached != 0) return SystemError("attach to " + settings.interface, -attached);

  const Result<drop_counts> counts = ReadCounts(*skeleton);
  if (!counts) return counts.error();
  std::cout << "{\"segments\":" << counts->segments << ",\"dropped\":" << counts->dropped
            << ",\"joined\":" << counts->joined << "}" << std::endl;
  if (counts->joined == 0) return {};
  return Error{Code::kInvalidArgument, "packets of several segments: turn the sender's tso, gso and gro off"};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Drops every Nth TCP segment with payload that enters an interface.", "drop_nth");
  Settings settings;
  app.add_option("--interface", settings.interface)->required();
  app.add_option("--every", settings.every, "0 = drop nothing, only count")->capture_default_str();
  app.add_option("--port", settings.port, "only segments from or to this port");
  CLI11_PARSE(app, argc, argv);
  if (const Status done = Run(settings); !done) {
    std::fprintf(stderr, "drop_nth: %s\n", done.error().message.c_str());
    return 1;
  }
  return 0;
}
