// tap_bench [--pairs N] [--slots N] [--request BYTES] [--answer BYTES]: what the tap costs a round trip, on a machine
// that is not quiet. One thread talks over loopback connections of four kinds in turns: not observed, with empty
// programs on the same hooks, captured, and counted only. Slots are short and alternate, and the lower quartile of each
// kind is told: what else runs makes some slots longer, but not all. No scheduling is in it: an answer is written by
// the thread that wrote the request. Prints one JSON object.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/clock.h"
#include "base/result.h"
#include "empty.skel.h"
#include "exporter/pipeline.h"
#include "exporter/probe/cgroup.h"
#include "exporter/probe/probe.h"

namespace {

using namespace wiregauge;  // NOLINT: a program of one file

[[noreturn]] void Die(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

class Cgroup {
 public:
  explicit Cgroup(const char* name)
      : path_(fmt::format("{}/wg-bench-{}-{}", *probe::FindCgroupMount(), getpid(), name)) {
    if (mkdir(path_.c_str(), 0755) != 0) Die(path_);
  }
  ~Cgroup() {
    std::ofstream(*probe::FindCgroupMount() + "/cgroup.procs") << getpid() << std::flush;
    rmdir(path_.c_str());
  }
  void Join() const { std::ofstream(path_ + "/cgroup.procs") << getpid() << std::flush; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Pair {
  int client = -1;
  int server = -1;
};

Pair Connect() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 4) != 0) Die("listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  Pair pair{socket(AF_INET, SOCK_STREAM, 0), -1};
  if (connect(pair.client, reinterpret_cast<sockaddr*>(&address), size) != 0) Die("connect");
  pair.server = accept(listener, nullptr, nullptr);
  close(listener);
  const int on = 1;
  for (const int fd : {pair.client, pair.server}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return pair;
}

void Pass(int from, int to, const std::string& text) {
  static char buffer[1 << 16];
  if (write(from, text.data(), text.size()) != static_cast<ssize_t>(text.size())) Die("write");
  for (std::size_t left = text.size(); left > 0;) {
    const ssize_t got = read(to, buffer, std::min(left, sizeof(buffer)));
    if (got <= 0) Die("read");
    left -= static_cast<std::size_t>(got);
  }
}

struct Kind {
  const char* name;
  std::vector<Pair> pairs;
  std::vector<double> slots_ns;  // a round trip
};

// HTTP of about the size that is asked for.
std::string Padded(std::string head, std::size_t bytes) {
  head += "X-Padding: ";
  if (head.size() + 4 < bytes) head.append(bytes - head.size() - 4, 'x');
  return head + "\r\n\r\n";
}

double LowerQuartile(std::vector<double> values) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 4);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app;
  std::size_t pairs = 32;
  std::size_t slots = 1500;
  std::size_t request_bytes = 60;
  std::size_t answer_bytes = 170;
  std::uint32_t ring_bytes = 4U << 20;
  app.add_option("--pairs", pairs);
  app.add_option("--slots", slots);
  app.add_option("--request", request_bytes);
  app.add_option("--answer", answer_bytes);
  app.add_option("--ring", ring_bytes);
  CLI11_PARSE(app, argc, argv);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(0, &cpus);
  sched_setaffinity(0, sizeof(cpus), &cpus);

  const Cgroup alone("alone");
  const Cgroup empty_group("empty");
  const Cgroup tapped("tapped");
  const std::unique_ptr<empty, decltype(&empty__destroy)> skeleton(empty__open_and_load(), &empty__destroy);
  const int folder = open(empty_group.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bpf_link* const ingress = bpf_program__attach_cgroup(skeleton->progs.empty_ingress, folder);
  bpf_link* const egress = bpf_program__attach_cgroup(skeleton->progs.empty_egress, folder);
  auto attached = probe::Probe::Attach({.cgroups = {tapped.path()}, .ring_bytes = ring_bytes});
  if (!attached) Die(attached.error().message);
  probe::Probe& tap = **attached;
  exporter::Pipeline pipeline(match::ProtocolOptions{}, {}, {.proc = "/proc", .cgroup = *probe::FindCgroupMount()},
                              [&](probe::OwnerId owner) { return tap.Owner(owner); });

  Kind kinds[] = {{"alone", {}, {}}, {"empty", {}, {}}, {"captured", {}, {}}, {"unread", {}, {}}};
  const Cgroup* groups[] = {&alone, &empty_group, &tapped, &tapped};
  const std::string request = Padded("GET /items/1042 HTTP/1.1\r\nHost: bench\r\n", request_bytes);
  const std::string answer = Padded("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", answer_bytes);
  const auto exchange = [&](const Pair& pair) {
    Pass(pair.client, pair.server, request);
    Pass(pair.server, pair.client, answer);
  };
  for (std::size_t kind = 0; kind < std::size(kinds); ++kind) {
    groups[kind]->Join();
    for (std::size_t i = 0; i < pairs; ++i) {
      kinds[kind].pairs.push_back(Connect());
      exchange(kinds[kind].pairs.back());
    }
    tap.Consume(1'000'000, [&](const probe::Record& record) {
      pipeline.OnRecord(record);
      const auto* open = std::get_if<probe::OpenRecord>(&record);
      if (open != nullptr && kind == 3) tap.SetCapture(open->connection, {.capture = false});
    });
  }
  for (int i = 0; i < 64; ++i) {  // until every verdict is taken
    for (const Pair& pair : kinds[3].pairs) exchange(pair);
    tap.Consume(1'000'000, [&](const probe::Record& record) { pipeline.OnRecord(record); });
  }

  std::vector<double> consume_ns;   // a round trip, of its records: read and decoded
  std::vector<double> pipeline_ns;  // the same, and their requests told and counted
  for (std::size_t slot = 0; slot < slots; ++slot) {
    for (Kind& kind : kinds) {
      std::uint64_t begin = MonotonicNanoseconds();
      for (const Pair& pair : kind.pairs) exchange(pair);
      kind.slots_ns.push_back(static_cast<double>(MonotonicNanoseconds() - begin) / static_cast<double>(pairs));
      begin = MonotonicNanoseconds();
      const bool count = slot >= slots / 4;  // a record left out would be a gap to those after it
      const std::size_t records = tap.Consume(1'000'000, [&](const probe::Record& record) {
        if (count) pipeline.OnRecord(record);
      });
      const auto took = static_cast<double>(MonotonicNanoseconds() - begin) / static_cast<double>(pairs);
      if (records > 0) (count ? pipeline_ns : consume_ns).push_back(took);
    }
  }
  const double floor = LowerQuartile(kinds[0].slots_ns);
  std::cout << fmt::format("{{\"request_bytes\":{},\"answer_bytes\":{},\"alone_ns\":{:.0f}", request.size(),
                           answer.size(), floor);
  for (const Kind& kind : kinds) {
    if (&kind == &kinds[0]) continue;
    const double mine = LowerQuartile(kind.slots_ns);
    std::cout << fmt::format(",\"{0}_ns_more\":{1:.0f},\"{0}_ns_a_packet\":{2:.1f}", kind.name, mine - floor,
                             (mine - floor) / 4);
  }
  std::cout << fmt::format(",\"consume_ns\":{:.0f},\"pipeline_ns\":{:.0f}}}\n", LowerQuartile(consume_ns),
                           LowerQuartile(pipeline_ns));
  bpf_link__destroy(ingress);
  bpf_link__destroy(egress);
  close(folder);
  return 0;
}
