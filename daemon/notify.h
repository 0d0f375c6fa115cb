// Telling systemd, or whoever set NOTIFY_SOCKET, how far the daemon is: sd_notify(3)'s datagrams, hand-written to keep
// libsystemd out of a privileged process.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace wiregauge::daemon {

// Sends one datagram, such as "READY=1", to the socket: a path, or "@name" for an abstract one. Without a socket name
// nothing happens.
Status Notify(const std::string& socket_name, std::string_view message);

}  // namespace wiregauge::daemon
