#include "daemon/security/gatekeeper.h"

#include "daemon/http/status.h"

namespace wiregauge::security {
namespace {

constexpr std::string_view kBeyondLoopback =
    "not served beyond loopback without authentication: configure basic_auth_users in --web.config.file, or start with "
    "--web.allow-unauthenticated";

}  // namespace

http::Gatekeeper::Admission Gatekeeper::Admit(const http::Request& /*head*/, const http::Peer& peer,
                                              const http::Route* route) {
  Admission admission;
  const bool open = route != nullptr && route->open;
  if (!peer.loopback_listener && !open && !allow_unauthenticated_) {
    admission.refusal = http::PlainText(403, kBeyondLoopback);
  }
  return admission;
}

}  // namespace wiregauge::security
