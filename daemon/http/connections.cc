#include "daemon/http/connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/http/socket_address.h"
#include "daemon/http/tls_relay.h"

namespace wiregauge::http {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
// A request header is one packet of an honest client; five seconds is three lost SYNs.
constexpr std::uint64_t kHeaderDeadline = 5 * kSecond;
// Between requests: longer than the longest usual scrape interval, one minute, so that its connection is kept.
constexpr std::uint64_t kIdleDeadline = 65 * kSecond;
// The largest body (32 MiB) at 4.5 Mbit/s.
constexpr std::uint64_t kBodyDeadline = 60 * kSecond;
// A page of 100,000 series (20 MB) at 3 Mbit/s.
constexpr std::uint64_t kWriteDeadline = 60 * kSecond;
// What a client that got a refusal may still send before its socket is closed under it.
constexpr std::uint64_t kDrainDeadline = 2 * kSecond;
// A connection that waits less than this is on its way to send its request: not evicted.
constexpr std::uint64_t kEvictionGrace = kSecond / 4;

std::uint64_t Deadline(Phase phase, bool served) {
  switch (phase) {
    case Phase::kWaiting: return served ? kIdleDeadline : kHeaderDeadline;
    case Phase::kReading: return kBodyDeadline;
    case Phase::kHandling: return ~std::uint64_t{0};
    case Phase::kWriting: return kWriteDeadline;
    case Phase::kDraining: return kDrainDeadline;
  }
  return kHeaderDeadline;
}

std::uint32_t IdOf(const char* made_up_address) {
  in_addr address{};
  return inet_pton(AF_INET, made_up_address, &address) == 1 ? ntohl(address.s_addr) : 0;
}

// The accept() below runs on civetweb's thread without an argument of ours.
std::atomic<Connections*> serving{nullptr};

}  // namespace

Connections::Connections(std::size_t connections_max, TlsRelay* tls) : connections_max_(connections_max), tls_(tls) {
  Connections* none = nullptr;
  if (!serving.compare_exchange_strong(none, this)) Bug("two HTTP servers in one process");
}

Connections::~Connections() { serving = nullptr; }

void Connections::AddListener(int listening_fd, bool loopback) {
  const std::lock_guard lock(mutex_);
  listeners_[listening_fd] = loopback;
}

std::uint32_t Connections::NextId() {
  do {
    ++last_id_;
  } while (last_id_ == 0 || connections_.contains(last_id_));
  return last_id_;
}

int Connections::Accept(int listening_fd, void* address, unsigned* address_size) {
  bool loopback = false;
  {
    const std::lock_guard lock(mutex_);
    const auto listener = listeners_.find(listening_fd);
    if (listener == listeners_.end()) return -2;
    loopback = listener->second;
  }
  sockaddr_storage peer{};
  socklen_t peer_size = sizeof(peer);
  int fd = accept4(listening_fd, reinterpret_cast<sockaddr*>(&peer), &peer_size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return -1;
  if (tls_ != nullptr) {
    const Result<int> plain = tls_->Adopt(fd);
    if (!plain) {
      log::Warn("http", "connection refused", {{"error", plain.error().message}});
      errno = ECONNABORTED;
      return -1;
    }
    fd = *plain;
  }
  const std::lock_guard lock(mutex_);
  const std::uint32_t id = NextId();
  connections_[id] = Connection{.fd = fd,
                                .peer = {.address = SocketAddress(peer).Host(), .loopback_listener = loopback},
                                .since_ns = MonotonicNanoseconds()};
  ++accepted_total_;
  const sockaddr_in made_up{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(id)}, .sin_zero = {}};
  std::memcpy(address, &made_up, std::min<std::size_t>(*address_size, sizeof(made_up)));
  *address_size = sizeof(made_up);  // civetweb asks getsockname for as many bytes as this says
  return fd;
}

Peer Connections::Find(const char* made_up_address) const {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(IdOf(made_up_address));
  return found == connections_.end() ? Peer{} : found->second.peer;
}

void Connections::Enter(const char* made_up_address, Phase phase, std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(IdOf(made_up_address));
  if (found == connections_.end()) return;
  found->second.phase = phase;
  found->second.since_ns = now_ns;
  if (phase == Phase::kWaiting) found->second.served = true;
}

void Connections::Finish(const char* made_up_address) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(IdOf(made_up_address));
  if (found == connections_.end()) return;
  Shut(found->second);
}

void Connections::DiscardUnread(const char* made_up_address) {
  constexpr std::size_t kMost = 256 * 1024;  // more than one socket buffer of a client that has not seen our answer
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(IdOf(made_up_address));
  if (found == connections_.end()) return;
  std::array<char, 8192> buffer;
  std::size_t total = 0;
  ssize_t count = 0;
  while (total < kMost && (count = recv(found->second.fd, buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0) {
    total += static_cast<std::size_t>(count);
  }
}

void Connections::Remove(const char* made_up_address) {
  const std::lock_guard lock(mutex_);
  connections_.erase(IdOf(made_up_address));
}

void Connections::Shut(Connection& connection) {
  connection.shut = true;
  shutdown(connection.fd, SHUT_RDWR);
}

std::size_t Connections::Expire(std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  return ExpireLate(now_ns) + EvictWaiting(now_ns);
}

std::size_t Connections::ExpireLate(std::uint64_t now_ns) {
  std::size_t count = 0;
  for (auto& [id, connection] : connections_) {
    if (connection.shut || now_ns < connection.since_ns) continue;
    if (now_ns - connection.since_ns <= Deadline(connection.phase, connection.served)) continue;
    Shut(connection);
    ++count;
  }
  expired_total_ += count;
  return count;
}

std::size_t Connections::EvictWaiting(std::uint64_t now_ns) {
  if (connections_.size() < connections_max_) return 0;
  std::vector<Connection*> idle;
  std::size_t count = 0;
  for (auto& [id, connection] : connections_) {
    if (connection.shut || connection.phase != Phase::kWaiting) continue;
    if (connection.since_ns + kEvictionGrace >= now_ns) continue;
    if (connection.served) {
      idle.push_back(&connection);
    } else {  // connected and then sent no request: that is what an attack looks like
      Shut(connection);
      ++count;
    }
  }
  // Of the honest ones that are between two requests only an eighth, and only when nothing else helped.
  const std::size_t idle_count = count > 0 ? 0 : std::min(idle.size(), connections_max_ / 8 + 1);
  std::partial_sort(idle.begin(), idle.begin() + static_cast<std::ptrdiff_t>(idle_count), idle.end(),
                    [](const Connection* a, const Connection* b) { return a->since_ns < b->since_ns; });
  for (std::size_t i = 0; i < idle_count; ++i) Shut(*idle[i]);
  evicted_total_ += count + idle_count;
  return count + idle_count;
}

void Connections::ShutDownWaiting() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, connection] : connections_) {
    if (connection.phase == Phase::kWaiting) shutdown(connection.fd, SHUT_RDWR);
  }
}

void Connections::ShutDownAll() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, connection] : connections_) shutdown(connection.fd, SHUT_RDWR);
}

std::size_t Connections::size() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

std::uint64_t Connections::accepted_total() const {
  const std::lock_guard lock(mutex_);
  return accepted_total_;
}

std::uint64_t Connections::expired_total() const {
  const std::lock_guard lock(mutex_);
  return expired_total_;
}

std::uint64_t Connections::evicted_total() const {
  const std::lock_guard lock(mutex_);
  return evicted_total_;
}

namespace {

int AcceptFor(int listening_fd, sockaddr* address, socklen_t* address_size) {
  Connections* const connections = serving;
  if (connections != nullptr && address != nullptr && address_size != nullptr) {
    const int accepted = connections->Accept(listening_fd, address, address_size);
    if (accepted != -2) return accepted;
  }
  return accept4(listening_fd, address, address_size, 0);
}

}  // namespace
}  // namespace wiregauge::http

// libcivetweb.so calls this instead of libc's: see connections.h.
extern "C" __attribute__((visibility("default"))) int accept(int listening_fd, sockaddr* address,
                                                             socklen_t* address_size) {
  return wiregauge::http::AcceptFor(listening_fd, address, address_size);
}
