#include "daemon/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace wiregauge::daemon {

Status Notify(const std::string& socket_name, std::string_view message) {
  if (socket_name.empty()) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if ((socket_name[0] != '/' && socket_name[0] != '@') || socket_name.size() >= sizeof(address.sun_path)) {
    return Error{Code::kInvalidArgument, "NOTIFY_SOCKET=" + socket_name + ": not a path or @name of under 108 bytes"};
  }
  std::memcpy(address.sun_path, socket_name.data(), socket_name.size());
  if (socket_name[0] == '@') address.sun_path[0] = '\0';
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_name.size() + (socket_name[0] == '@' ? 0 : 1));
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return SystemError("NOTIFY_SOCKET: socket", errno);
  const auto sent =
      sendto(fd, message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  const int failure = errno;
  close(fd);
  if (sent != static_cast<ssize_t>(message.size())) return SystemError("NOTIFY_SOCKET: send", failure);
  return {};
}

}  // namespace wiregauge::daemon
