// The running program: planes, HTTP server, signals, reload. Built in order, ended in reverse.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/config/config.h"
#include "daemon/http/listener.h"
#include "daemon/http/router.h"
#include "daemon/http/server.h"
#include "daemon/planes.h"
#include "daemon/security/gatekeeper.h"
#include "daemon/security/tls.h"
#include "daemon/security/web_config.h"
#include "daemon/self_metrics.h"

namespace wiregauge::daemon {

class Daemon {
 public:
  Daemon(config::CommandLine line, config::Settings settings);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Binds, starts the planes, serves. The signals of WaitForSignals are blocked from here on.
  Status Start();
  // Returns at SIGTERM or SIGINT; reloads at SIGHUP. A second SIGTERM or SIGINT ends the process at once.
  void WaitForSignals();
  // Answers what is under way, then stops the server and the planes.
  Status Stop();

 private:
  Status OpenWebConfig();
  Status BindListeners();
  Status StartPlanes();
  Status AddRoutes();
  Status AddLifecycleRoutes();
  Status StartServer();
  // Thread-safe: from SIGHUP and from /-/reload.
  Status Reload();
  http::Response Metrics(const http::Request& request);
  http::Response Ready();
  http::Response Landing() const;
  void NotifyState(std::string_view message) const;

  const config::CommandLine line_;
  std::string notify_socket_;
  std::mutex reload_mutex_;
  config::Settings settings_;  // guarded by reload_mutex_ once started
  SelfMetrics self_metrics_;
  std::unique_ptr<security::WebConfig> web_config_;  // null: no file
  std::unique_ptr<security::TlsContext> tls_;        // null: plain HTTP
  std::vector<http::Listener> listeners_;
  Planes planes_;
  http::RouteTable routes_;
  std::unique_ptr<security::Gatekeeper> gatekeeper_;
  std::unique_ptr<http::Server> server_;
  std::atomic<const http::Server*> serving_{nullptr};  // for handlers, which may run before Start returns
};

}  // namespace wiregauge::daemon
