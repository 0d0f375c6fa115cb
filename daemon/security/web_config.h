// The web config file while the daemon runs: looked at before every request and every handshake, re-read when it or a
// file that it names has changed. Looking is one stat() a file.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/security/passwords.h"
#include "daemon/security/rate_limiter.h"
#include "daemon/security/tls.h"
#include "daemon/security/web_settings.h"

namespace wiregauge::security {

// One state of the file with what was made from it. Immutable but for the caches inside.
struct WebState {
  WebSettings settings;
  std::unique_ptr<Passwords> passwords;       // null: no users
  std::unique_ptr<RateLimiter> rate_limiter;  // null: no limit
  std::shared_ptr<const TlsMaterial> tls;     // null: plain HTTP
};

// Reads the file and everything it names.
Result<std::shared_ptr<const WebState>> LoadWebState(const std::string& path);

class WebConfig {
 public:
  // As LoadWebState; later failures are answers of Current().
  static Result<std::unique_ptr<WebConfig>> Open(const std::string& path);

  // The state of the file as it is now; an error when it is broken now. TLS cannot be switched on or off while
  // listening: a file that wants to is broken.
  Result<std::shared_ptr<const WebState>> Current();

 private:
  // What tells one version of a file from another.
  struct Stamp {
    std::string path;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = -1;  // -1: not there
    std::int64_t modified_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };

  WebConfig(std::string path, std::shared_ptr<const WebState> state);
  static Stamp StampOf(const std::string& path);
  [[nodiscard]] bool Changed() const;
  void Reread();
  void Remember(const WebState& state);

  const std::string path_;
  const bool tls_;
  std::mutex mutex_;
  Result<std::shared_ptr<const WebState>> state_;
  std::vector<Stamp> stamps_;  // of the file and the files that its last good state names
};

}  // namespace wiregauge::security
