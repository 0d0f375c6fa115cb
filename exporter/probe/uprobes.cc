#include "exporter/probe/uprobes.h"

#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "exporter/probe/tls_targets.h"

namespace wiregauge::probe {
namespace {

// From include/uapi/linux/bpf.h of Linux 6.6, which build machines need not have.
constexpr auto kTraceUprobeMulti = static_cast<bpf_attach_type>(48);
constexpr std::uint32_t kMultiReturn = 1;
struct LinkCreateUprobeMulti {
  std::uint32_t prog_fd;
  std::uint32_t target_fd;
  std::uint32_t attach_type;
  std::uint32_t flags;
  std::uint64_t path;
  std::uint64_t offsets;
  std::uint64_t ref_ctr_offsets;
  std::uint64_t cookies;
  std::uint32_t cnt;
  std::uint32_t multi_flags;
  std::uint32_t pid;
  std::uint32_t padding;
};

int AttachMulti(const bpf_program* program, const UprobePlace& place) {
  LinkCreateUprobeMulti create{};
  create.prog_fd = static_cast<std::uint32_t>(bpf_program__fd(program));
  create.attach_type = kTraceUprobeMulti;
  create.path = reinterpret_cast<std::uint64_t>(place.path.c_str());
  create.offsets = reinterpret_cast<std::uint64_t>(place.offsets.data());
  create.cnt = static_cast<std::uint32_t>(place.offsets.size());
  create.multi_flags = place.at_return ? kMultiReturn : 0;
  create.pid = place.pid == kAllProcesses ? 0 : static_cast<std::uint32_t>(place.pid);
  return static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &create, sizeof(create)));
}

// Somewhere to attach to. Its address is taken, so that it is a function of its own.
[[gnu::noinline]] void Target() { asm volatile(""); }
void (*volatile target)() = &Target;

}  // namespace

Result<Uprobe> Uprobe::Attach(const bpf_program* program, UprobeWay way, const UprobePlace& place) {
  Uprobe attached;
  if (way == UprobeWay::kMulti) {
    attached.multi_fd_ = AttachMulti(program, place);
    if (attached.multi_fd_ < 0) return SystemError("attaching to " + place.path, errno);
    return attached;
  }
  for (const std::uint64_t offset : place.offsets) {
    bpf_uprobe_opts how{};
    how.sz = sizeof(how);
    how.retprobe = place.at_return;
    bpf_link* link = bpf_program__attach_uprobe_opts(program, place.pid, place.path.c_str(), offset, &how);
    if (link == nullptr) return SystemError("attaching to " + place.path, errno);
    attached.links_.push_back(link);
  }
  return attached;
}

Uprobe::Uprobe(Uprobe&& other) noexcept
    : multi_fd_(std::exchange(other.multi_fd_, -1)), links_(std::exchange(other.links_, {})) {}

Uprobe& Uprobe::operator=(Uprobe&& other) noexcept {
  std::swap(multi_fd_, other.multi_fd_);
  std::swap(links_, other.links_);
  return *this;
}

Uprobe::~Uprobe() {
  if (multi_fd_ >= 0) close(multi_fd_);
  for (bpf_link* link : links_) bpf_link__destroy(link);
}

void PrepareForMulti(bpf_program* program) { bpf_program__set_expected_attach_type(program, kTraceUprobeMulti); }

bool MultiWorks(const bpf_program* program, const volatile unsigned long long* runs) {
  const auto address = reinterpret_cast<std::uint64_t>(target);
  for (const MappedFile& file : MappedFilesOf("/proc", getpid())) {
    if (address < file.start || address >= file.end) continue;
    UprobePlace place{.path = "/proc/self/exe", .offsets = {address - file.start + file.offset}, .pid = getpid()};
    const auto attached = Uprobe::Attach(program, UprobeWay::kMulti, place);
    if (!attached) return false;
    const unsigned long long before = *runs;
    std::thread([] { target(); }).join();
    return *runs == before + 1;
  }
  return false;
}

}  // namespace wiregauge::probe
