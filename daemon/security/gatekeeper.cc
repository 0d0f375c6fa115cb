#include "daemon/security/gatekeeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/http/status.h"
#include "daemon/security/web_config.h"

namespace wiregauge::security {
namespace {

constexpr std::string_view kBeyondLoopback =
    "not served beyond loopback without authentication: configure basic_auth_users in --web.config.file, or start with "
    "--web.allow-unauthenticated";

bool Authenticated(const http::Request& head, const WebState& state) {
  if (state.passwords == nullptr) return true;
  const auto credentials = ParseBasic(head.Header("Authorization"));
  return credentials && state.passwords->Check(credentials->first, credentials->second);
}

http::Response Unauthorized() {
  http::Response response = http::PlainText(401, "Unauthorized");
  response.headers.emplace_back("WWW-Authenticate", "Basic");
  return response;
}

}  // namespace

http::Gatekeeper::Admission Gatekeeper::Admit(const http::Request& head, const http::Peer& peer,
                                              const http::Route* route) {
  Admission admission;
  bool authenticates = false;
  if (web_config_ != nullptr) {
    const auto state = web_config_->Current();
    if (!state) {  // why is in the log: strangers need not know
      admission.refusal = http::PlainText(500, "the web configuration is broken");
      return admission;
    }
    if (auto& limiter = (*state)->rate_limiter;
        limiter != nullptr && !limiter->Take(static_cast<std::int64_t>(MonotonicNanoseconds()))) {
      admission.refusal = http::ErrorResponse({Code::kResourceExhausted, "too many requests"});
      return admission;
    }
    admission.headers = (*state)->settings.headers;
    if (!Authenticated(head, **state)) {
      admission.refusal = Unauthorized();
      return admission;
    }
    authenticates = (*state)->settings.authenticates();
  }
  const bool open = route != nullptr && route->open;
  if (!peer.loopback_listener && !authenticates && !open && !allow_unauthenticated_) {
    admission.refusal = http::PlainText(403, kBeyondLoopback);
  }
  return admission;
}

}  // namespace wiregauge::security
