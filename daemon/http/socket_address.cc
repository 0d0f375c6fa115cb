#include "daemon/http/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

namespace wiregauge::http {
namespace {

template <typename T>
T As(const sockaddr_storage& storage) {
  T out;
  std::memcpy(&out, &storage, sizeof(out));
  return out;
}

}  // namespace

SocketAddress SocketAddress::Local(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return SocketAddress(storage);
}

std::string SocketAddress::Host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage_.ss_family == AF_INET) {
    const auto address = As<sockaddr_in>(storage_);
    return inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  }
  if (storage_.ss_family != AF_INET6) return {};
  const auto address = As<sockaddr_in6>(storage_);
  if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
    return inet_ntop(AF_INET, &address.sin6_addr.s6_addr[12], text.data(), text.size());
  }
  return inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
}

std::uint16_t SocketAddress::Port() const {
  // sin_port and sin6_port are at the same place.
  return storage_.ss_family == AF_UNSPEC ? std::uint16_t{0} : ntohs(As<sockaddr_in>(storage_).sin_port);
}

std::string SocketAddress::Authority() const {
  const std::string host = Host();
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, Port())
                                             : fmt::format("[{}]:{}", host, Port());
}

bool SocketAddress::IsLoopback() const {
  if (storage_.ss_family == AF_INET) {
    return (ntohl(As<sockaddr_in>(storage_).sin_addr.s_addr) >> 24U) == 127;
  }
  if (storage_.ss_family != AF_INET6) return false;
  const auto address = As<sockaddr_in6>(storage_);
  if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) return address.sin6_addr.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&address.sin6_addr);
}

}  // namespace wiregauge::http
