// An IPv4 or IPv6 socket address as a value. Immutable.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace wiregauge::http {

class SocketAddress {
 public:
  SocketAddress() = default;
  explicit SocketAddress(const sockaddr_storage& storage) : storage_(storage) {}
  // The address that a socket is bound to; empty when it has none.
  static SocketAddress Local(int fd);

  // "127.0.0.1" or "::1"; a v4-mapped IPv6 address as its IPv4 one. Empty for other families.
  [[nodiscard]] std::string Host() const;
  [[nodiscard]] std::uint16_t Port() const;
  // "127.0.0.1:80" or "[::1]:80".
  [[nodiscard]] std::string Authority() const;
  [[nodiscard]] bool IsLoopback() const;

 private:
  sockaddr_storage storage_{};
};

}  // namespace wiregauge::http
