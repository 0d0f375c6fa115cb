// Listening sockets: parsed, bound and listening before anything else of the daemon starts, so that "address already in
// use" is the first thing a user hears and port 0 has its number before the log line. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wiregauge::http {

// "HOST:PORT". An empty host is every address of the machine, IPv6 included; IPv6 hosts stand in brackets.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;  // 0: chosen by the kernel
};

Result<ListenAddress> ParseListenAddress(std::string_view text);

// Owns one listening, non-blocking, close-on-exec socket.
class Listener {
 public:
  // kIo with the address and the system's reason when it cannot be bound.
  static Result<Listener> Bind(const ListenAddress& address);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  [[nodiscard]] int fd() const { return fd_; }
  // As a URL's authority: "127.0.0.1:10420", "[::1]:10420".
  [[nodiscard]] const std::string& address() const { return address_; }
  // Bound to 127.0.0.0/8 or ::1: nobody outside this network namespace can reach it.
  [[nodiscard]] bool loopback() const { return loopback_; }

 private:
  Listener(int fd, std::string address, bool loopback) : fd_(fd), address_(std::move(address)), loopback_(loopback) {}

  int fd_ = -1;
  std::string address_;
  bool loopback_ = false;
};

}  // namespace wiregauge::http
