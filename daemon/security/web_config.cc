#include "daemon/security/web_config.h"

#include <sys/stat.h>

#include <thread>

#include "base/log.h"

namespace wiregauge::security {
namespace {

// Parsing YAML and PEM wants more stack than the threads have that ask; files change rarely.
Result<std::shared_ptr<const WebState>> LoadOnOwnStack(const std::string& path) {
  Result<std::shared_ptr<const WebState>> state(Error{});
  std::thread([&] { state = LoadWebState(path); }).join();
  return state;
}

}  // namespace

Result<std::shared_ptr<const WebState>> LoadWebState(const std::string& path) {
  Result<WebSettings> settings = ReadWebSettings(path);
  if (!settings) return settings.error();
  auto state = std::make_shared<WebState>();
  state->settings = *std::move(settings);
  if (!state->settings.users.empty()) state->passwords = std::make_unique<Passwords>(state->settings.users);
  const RateLimit& limit = state->settings.rate_limit;
  if (limit.interval_ms > 0) {
    state->rate_limiter = std::make_unique<RateLimiter>(limit.interval_ms * 1'000'000, limit.burst);
  }
  if (state->settings.tls) {
    auto tls = LoadTls(*state->settings.tls);
    if (!tls) return tls.error().Within(path);
    state->tls = *std::move(tls);
  }
  return std::shared_ptr<const WebState>(std::move(state));
}

Result<std::unique_ptr<WebConfig>> WebConfig::Open(const std::string& path) {
  auto state = LoadWebState(path);
  if (!state) return state.error();
  return std::unique_ptr<WebConfig>(new WebConfig(path, *std::move(state)));
}

WebConfig::WebConfig(std::string path, std::shared_ptr<const WebState> state)
    : path_(std::move(path)), tls_(state->tls != nullptr), state_(state) {
  Remember(*state);
}

WebConfig::Stamp WebConfig::StampOf(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return Stamp{.path = path};
  return Stamp{.path = path,
               .device = status.st_dev,
               .inode = status.st_ino,
               .size = status.st_size,
               .modified_ns = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec};
}

bool WebConfig::Changed() const {
  for (const Stamp& stamp : stamps_) {
    if (!(StampOf(stamp.path) == stamp)) return true;
  }
  return false;
}

void WebConfig::Remember(const WebState& state) {
  stamps_ = {StampOf(path_)};
  if (!state.settings.tls) return;
  const TlsSettings& tls = *state.settings.tls;
  for (const Pem* pem : {&tls.certificate, &tls.key, &tls.client_ca}) {
    if (!pem->file.empty()) stamps_.push_back(StampOf(pem->file));
  }
}

void WebConfig::Reread() {
  // Stamped before it is read: a change in between is seen next time.
  for (Stamp& stamp : stamps_) stamp = StampOf(stamp.path);
  auto state = LoadOnOwnStack(path_);
  if (state && ((*state)->tls != nullptr) != tls_) {
    state = Error{Code::kInvalidArgument, path_ + ": switching TLS on or off needs a restart"};
  }
  if (state) {
    Remember(**state);
    log::Info("security", "web config re-read", {{"file", path_}});
  } else {
    log::Error("security", "web config is broken, requests are refused", {{"error", state.error().message}});
  }
  state_ = std::move(state);
}

Result<std::shared_ptr<const WebState>> WebConfig::Current() {
  const std::lock_guard lock(mutex_);
  if (Changed()) Reread();
  return state_;
}

}  // namespace wiregauge::security
