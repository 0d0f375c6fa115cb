#include "exporter/probe/rings.h"

#include <bpf/bpf.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "bpf/wire.h"

namespace wiregauge::probe {
namespace {

// A record's own header in the ring: its length with two flags, and a page offset that is the kernel's.
constexpr std::size_t kHeaderBytes = 8;
constexpr std::uint32_t kBusy = 1U << 31;
constexpr std::uint32_t kDiscarded = 1U << 30;

std::uint64_t RoundUp8(std::uint64_t bytes) { return (bytes + 7) & ~std::uint64_t{7}; }

}  // namespace

Ring::Ring(std::uint64_t* consumer_position, const std::uint64_t* producer_position, const std::uint8_t* data,
           std::size_t size)
    : consumer_position_(consumer_position),
      producer_position_(producer_position),
      data_(data),
      mask_(size - 1),
      position_(*consumer_position) {}

Ring::State Ring::Look() {
  if (ready_) return State::kReady;
  while (position_ < __atomic_load_n(producer_position_, __ATOMIC_ACQUIRE)) {
    const std::uint8_t* header = data_ + (position_ & mask_);
    const auto length = __atomic_load_n(reinterpret_cast<const std::uint32_t*>(header), __ATOMIC_ACQUIRE);
    if ((length & kBusy) != 0) return State::kBusy;
    const std::uint32_t size = length & ~(kBusy | kDiscarded);
    next_ = position_ + RoundUp8(kHeaderBytes + size);
    if ((length & kDiscarded) == 0) {
      record_ = Bytes(header + kHeaderBytes, size);
      time_ns_ = 0;
      if (size >= sizeof(wg_header))
        std::memcpy(&time_ns_, record_.data() + offsetof(wg_header, time_ns), sizeof(time_ns_));
      __builtin_prefetch(data_ + (next_ & mask_));
      __builtin_prefetch(data_ + (next_ & mask_) + 64);
      ready_ = true;
      return State::kReady;
    }
    Pass();
  }
  return State::kEmpty;
}

void Ring::Pass() {
  position_ = next_;
  ready_ = false;
  __atomic_store_n(consumer_position_, position_, __ATOMIC_RELEASE);
}

Ring* RingMerge::Next() {
  // Twice: a ring that was empty when it was looked at, before another's record was seen, may hold that record's cause.
  for (int pass = 0; pass < 2; ++pass) {
    Ring* first = nullptr;
    bool any_empty = false;
    for (Ring& ring : rings_) {
      const Ring::State state = ring.Look();
      if (state == Ring::State::kBusy) return nullptr;
      if (state == Ring::State::kEmpty) {
        any_empty = true;
      } else if (first == nullptr || ring.time_ns() < first->time_ns()) {
        first = &ring;
      }
    }
    if (first == nullptr || !any_empty || pass == 1) return first;
  }
  return nullptr;
}

Result<std::unique_ptr<RingMaps>> RingMaps::Make(int outer_fd, unsigned cpus, std::uint32_t bytes) {
  std::unique_ptr<RingMaps> maps(new RingMaps);
  maps->wishes_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (maps->wishes_fd_ < 0) return SystemError("making an epoll set", errno);
  const auto online = static_cast<unsigned>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
  for (unsigned i = 0; i < std::min(online, cpus); ++i) {
    if (const Status added = maps->AddRing(bytes); !added) return added.error();
  }
  for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
    const int fd = maps->fds_[cpu % maps->fds_.size()];
    if (bpf_map_update_elem(outer_fd, &cpu, &fd, BPF_ANY) != 0) return SystemError("placing a ring buffer", errno);
  }
  return maps;
}

Status RingMaps::AddRing(std::uint32_t bytes) {
  const int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, bytes, nullptr);
  if (fd < 0) return SystemError("making a ring buffer", errno);
  fds_.push_back(fd);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* consumer = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (consumer == MAP_FAILED) return SystemError("mapping a ring buffer's position", errno);
  mappings_.push_back({consumer, page});
  const std::size_t size = page + 2 * static_cast<std::size_t>(bytes);
  void* rest = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(page));
  if (rest == MAP_FAILED) return SystemError("mapping a ring buffer", errno);
  mappings_.push_back({rest, size});
  merge_.Add(Ring(static_cast<std::uint64_t*>(consumer), static_cast<const std::uint64_t*>(rest),
                  static_cast<const std::uint8_t*>(rest) + page, bytes));
  // Edge-triggered: a ring with records is readable, but only one that was woken wants to be read before its time.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  if (epoll_ctl(wishes_fd_, EPOLL_CTL_ADD, fd, &event) != 0) return SystemError("watching a ring buffer", errno);
  return {};
}

bool RingMaps::Wait(int timeout_ms) const {
  epoll_event events[64];
  return epoll_wait(wishes_fd_, events, std::size(events), timeout_ms) > 0;
}

RingMaps::~RingMaps() {
  for (const Mapping& mapping : mappings_) munmap(mapping.address, mapping.size);
  for (const int fd : fds_) close(fd);
  if (wishes_fd_ >= 0) close(wishes_fd_);
}

}  // namespace wiregauge::probe
