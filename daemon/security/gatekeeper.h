// Who may ask what, in the order of the exporter-toolkit: rate limit, headers, authentication; then our own rule that
// beyond loopback, without authentication, only open routes are served.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <memory>

#include "daemon/http/server.h"

namespace wiregauge::security {

class WebConfig;

class Gatekeeper final : public http::Gatekeeper {
 public:
  // `web_config` may be null: no authentication. `allow_unauthenticated` lifts the loopback rule.
  Gatekeeper(WebConfig* web_config, bool allow_unauthenticated)
      : web_config_(web_config), allow_unauthenticated_(allow_unauthenticated) {}

  void AllowUnauthenticated(bool allow) { allow_unauthenticated_ = allow; }
  Admission Admit(const http::Request& head, const http::Peer& peer, const http::Route* route) override;

 private:
  WebConfig* const web_config_;
  std::atomic<bool> allow_unauthenticated_;
};

}  // namespace wiregauge::security
