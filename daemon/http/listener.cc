#include "daemon/http/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <memory>

#include <fmt/format.h>

#include "daemon/http/socket_address.h"

namespace wiregauge::http {
namespace {

// Connections that the kernel completes while every worker is busy; above it clients retry their SYN.
constexpr int kBacklog = 1024;

Error Malformed(std::string_view text, std::string_view reason) {
  return Error{Code::kInvalidArgument, fmt::format("listen address \"{}\": {}", text, reason)};
}

// Sets what every listener has, binds, listens. The reason as errno when it fails.
int Prepare(int fd, const sockaddr* address, socklen_t size) {
  const int on = 1;
  const int off = 0;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) return errno;
  if (address->sa_family == AF_INET6) {
    // "[::]:80" and ":80" take IPv4 too, as every Go program does.
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0) return errno;
  }
  if (bind(fd, address, size) != 0) return errno;
  if (listen(fd, kBacklog) != 0) return errno;
  return 0;
}

Result<int> BindOne(const addrinfo& candidate) {
  const int fd = socket(candidate.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return SystemError("socket", errno);
  const int failure = Prepare(fd, candidate.ai_addr, candidate.ai_addrlen);
  if (failure != 0) {
    close(fd);
    return SystemError("bind", failure);
  }
  return fd;
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<AddressList> Resolve(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string host = address.host.empty() ? "::" : address.host;
  const int failure = getaddrinfo(host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failure != 0) return Error{Code::kIo, fmt::format("resolve {}: {}", host, gai_strerror(failure))};
  return AddressList(found, &freeaddrinfo);
}

}  // namespace

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Malformed(text, "no port; want HOST:PORT");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return Malformed(text, "an IPv6 host wants brackets, as in [::1]:10420");
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return Malformed(text, "only an IPv6 host stands in brackets");
  } else if (host.find(':') != std::string_view::npos) {
    return Malformed(text, "an IPv6 host wants brackets, as in [::1]:10420");
  }
  ListenAddress address{.host = std::string(host)};
  const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || failure != std::errc{} || end != port.data() + port.size()) {
    return Malformed(text, "the port is not a number from 0 to 65535");
  }
  return address;
}

Result<Listener> Listener::Bind(const ListenAddress& address) {
  const std::string shown = fmt::format(
      "{}:{}", address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]", address.port);
  const auto candidates = Resolve(address);
  if (!candidates) return candidates.error().Within("listen on " + shown);
  Result<int> fd = BindOne(**candidates);
  if (!fd && address.host.empty()) {  // a kernel without IPv6
    const auto fallback = Resolve({.host = "0.0.0.0", .port = address.port});
    if (fallback) fd = BindOne(**fallback);
  }
  if (!fd) return fd.error().Within("listen on " + shown);
  const SocketAddress bound = SocketAddress::Local(*fd);
  return Listener(*fd, bound.Authority(), bound.IsLoopback());
}

Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), address_(std::move(other.address_)), loopback_(other.loopback_) {}

Listener& Listener::operator=(Listener&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(address_, other.address_);
  std::swap(loopback_, other.loopback_);
  return *this;
}

Listener::~Listener() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace wiregauge::http
