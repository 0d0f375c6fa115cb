#include "daemon/daemon.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/http/status.h"
#include "daemon/notify.h"
#include "daemon/pages.h"
#include "daemon/version.h"
#include "exporter/expose/expose.h"

namespace wiregauge::daemon {
namespace {

// What a stop waits for requests under way: a scrape's or a write's own deadline.
constexpr std::chrono::seconds kDrainDeadline{10};

sigset_t StopAndReloadSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

// The second SIGTERM or SIGINT: whoever sends it does not want to wait for the flush.
void ExitAtOnce(int signal) { _exit(128 + signal); }

void LetNextSignalEndTheProcess() {
  struct sigaction action {};
  action.sa_handler = ExitAtOnce;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

// Connections, BPF maps and part files together pass the usual soft limit of 1,024.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void LogReport(const Report& report) {
  for (const ReportRow& row : report) {
    if (row.ok) {
      log::Info("exporter", "attached", {{"probe", row.name}, {"detail", row.detail}});
    } else if (row.wanted) {
      log::Warn("exporter", "not attached", {{"probe", row.name}, {"reason", row.detail}});
    } else {
      log::Info("exporter", "not attached", {{"probe", row.name}, {"reason", row.detail}});
    }
  }
}

Status MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return Error{Code::kIo, "making " + path + ": " + error.message()};
  return {};
}

}  // namespace

Daemon::Daemon(config::CommandLine line, config::Settings settings)
    : line_(std::move(line)), settings_(std::move(settings)) {
  const char* const socket = std::getenv("NOTIFY_SOCKET");
  if (socket != nullptr) notify_socket_ = socket;
  unsetenv("NOTIFY_SOCKET");  // not for children
}

Daemon::~Daemon() { (void)Stop(); }

Status Daemon::Start() {
  const sigset_t signals = StopAndReloadSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();
  const std::string file = config::ConfigFile(line_, config::ProcessEnvironment());
  log::Info("daemon", "Starting wiregauge",
            {{"version", Version()}, {"branch", Branch()}, {"revision", Revision()}, {"pid", getpid()}});
  log::Info("daemon", "Build context", {{"compiler", Compiler()}, {"platform", Platform()}});
  log::Info("daemon", "Configuration loaded", {{"file", file.empty() ? "none" : file}});
  self_metrics_.Reloaded(true, UnixMilliseconds());
  if (const Status opened = OpenWebConfig(); !opened) return opened;
  if (const Status bound = BindListeners(); !bound) return bound;
  if (const Status started = StartPlanes(); !started) return started;
  if (const Status added = AddRoutes(); !added) return added;
  if (const Status served = StartServer(); !served) return served;
  NotifyState("READY=1\nSTATUS=serving");
  return {};
}

Status Daemon::OpenWebConfig() {
  if (settings_.web_config_file.empty()) return {};
  auto opened = security::WebConfig::Open(settings_.web_config_file);
  if (!opened) return opened.error().Within("--web.config.file");
  web_config_ = *std::move(opened);
  const auto state = web_config_->Current();
  if (!state || (*state)->tls == nullptr) return {};
  security::WebConfig* const web_config = web_config_.get();
  tls_ = std::make_unique<security::TlsContext>([web_config]() -> std::shared_ptr<const security::TlsMaterial> {
    const auto current = web_config->Current();
    return current ? (*current)->tls : nullptr;
  });
  return {};
}

Status Daemon::BindListeners() {
  for (const std::string& text : settings_.listen_addresses) {
    const auto address = http::ParseListenAddress(text);
    if (!address) return address.error();
    auto listener = http::Listener::Bind(*address);
    if (!listener) return listener.error();
    listeners_.push_back(*std::move(listener));
  }
  return {};
}

Status Daemon::StartPlanes() {
  planes_ = MakePlanes(settings_);
  // The exporter comes first: it gives up capabilities, and threads that begin later inherit what is left. The sink's
  // folder is made before that, while it may still be made inside another user's.
  if (planes_.sink != nullptr) {
    if (const Status made = MakeFolder(settings_.storage_path); !made) return made.error().Within("--storage.path");
  }
  if (planes_.exporter != nullptr) {
    const Result<Report> report = planes_.exporter->Start();
    if (report) {
      LogReport(*report);
    } else {
      // The sink is worth running without the exporter: interface.md.
      log::Error("exporter", "off", {{"reason", report.error().message}});
    }
  }
  if (planes_.sink != nullptr) {
    if (const Status started = planes_.sink->Start(); !started) return started.error().Within("sink");
  }
  return {};
}

Status Daemon::AddRoutes() {
  const auto metrics = [this](const http::Request& request) { return Metrics(request); };
  Status added = routes_.Add({.path = settings_.telemetry_path,
                              .methods = {"GET"},
                              .lane = http::Lane::kQuick,
                              .open = true,
                              .handler = metrics});
  if (!added) return added;
  added = routes_.Add({.path = "/", .methods = {"GET"}, .lane = http::Lane::kQuick, .handler = [this](const auto&) {
                         return Landing();
                       }});
  if (!added) return added;
  if (added = AddLifecycleRoutes(); !added) return added.error().Within("--web.telemetry-path");
  if (planes_.exporter != nullptr) added = planes_.exporter->RegisterRoutes(routes_);
  if (added && planes_.sink != nullptr) added = planes_.sink->RegisterRoutes(routes_);
  return added;
}

Status Daemon::AddLifecycleRoutes() {
  Status added = routes_.Add(
      {.path = "/-/healthy", .methods = {"GET"}, .lane = http::Lane::kQuick, .open = true, .handler = [](const auto&) {
         return http::PlainText(200, "wiregauge is healthy");
       }});
  if (!added) return added;
  added = routes_.Add({.path = "/-/ready",
                       .methods = {"GET"},
                       .lane = http::Lane::kQuick,
                       .open = true,
                       .handler = [this](const auto&) { return Ready(); }});
  if (!added) return added;
  return routes_.Add({.path = "/-/reload",
                      .methods = {"POST", "PUT"},
                      .body_bytes_max = 0,
                      .lane = http::Lane::kQuick,
                      .handler = [this](const auto&) {
                        {
                          const std::lock_guard lock(reload_mutex_);
                          if (!settings_.enable_lifecycle) {
                            return http::PlainText(403, "reloading wants --web.enable-lifecycle");
                          }
                        }
                        const Status reloaded = Reload();
                        return reloaded ? http::PlainText(200, "reloaded") : http::ErrorResponse(reloaded.error());
                      }});
}

Status Daemon::StartServer() {
  gatekeeper_ = std::make_unique<security::Gatekeeper>(web_config_.get(), settings_.allow_unauthenticated);
  std::vector<std::string> addresses;
  for (const http::Listener& listener : listeners_) addresses.push_back(listener.address());
  auto server = http::Server::Start(
      std::move(listeners_), routes_, *gatekeeper_, self_metrics_,
      {.connections_max = settings_.connections_max, .tls = tls_ == nullptr ? nullptr : tls_->get()});
  if (!server) return server.error();
  server_ = *std::move(server);
  serving_ = server_.get();
  for (const std::string& address : addresses) {
    log::Info("daemon", "Listening on", {{"address", address}});
    log::Info("daemon", tls_ == nullptr ? "TLS is disabled." : "TLS is enabled.", {{"address", address}});
  }
  return {};
}

http::Response Daemon::Metrics(const http::Request& request) {
  aggregate::Snapshot snapshot;
  const http::Server* const server = serving_;
  self_metrics_.Collect(snapshot, server == nullptr ? nullptr : &server->connections());
  if (planes_.exporter != nullptr) planes_.exporter->Collect(snapshot);
  if (planes_.sink != nullptr) planes_.sink->Collect(snapshot);
  expose::Exposition page = expose::Render(snapshot, request.Header("Accept"), request.Header("Accept-Encoding"));
  http::Response response{.content_type = std::move(page.content_type), .body = std::move(page.body)};
  response.headers.emplace_back("Vary", "Accept, Accept-Encoding");
  if (!page.content_encoding.empty()) response.headers.emplace_back("Content-Encoding", page.content_encoding);
  return response;
}

http::Response Daemon::Ready() {
  if (planes_.exporter != nullptr && !planes_.exporter->ready()) {
    return http::ErrorResponse({Code::kUnavailable, "not ready: the probes are being attached"});
  }
  if (planes_.sink != nullptr && !planes_.sink->ready()) {
    return http::ErrorResponse({Code::kUnavailable, "not ready: " + planes_.sink->not_ready_reason()});
  }
  return http::PlainText(200, "wiregauge is ready");
}

http::Response Daemon::Landing() const {
  return LandingPage(Version(), {{settings_.telemetry_path, "Metrics", "what Prometheus scrapes"},
                                 {"/-/healthy", "Health", "200 while the process runs"},
                                 {"/-/ready", "Readiness", "200 once everything is attached and replayed"}});
}

void Daemon::NotifyState(std::string_view message) const {
  if (const Status sent = Notify(notify_socket_, message); !sent) {
    log::Warn("daemon", "cannot notify the service manager", {{"error", sent.error().message}});
  }
}

Status Daemon::Reload() {
  const std::lock_guard lock(reload_mutex_);
  NotifyState(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", MonotonicNanoseconds() / 1000));
  const auto settings = config::Resolve(line_, config::ProcessEnvironment());
  self_metrics_.Reloaded(settings.has_value(), UnixMilliseconds());
  NotifyState("READY=1");
  if (!settings) {
    log::Error("daemon", "reload failed, the old configuration stays", {{"error", settings.error().message}});
    return settings.error();
  }
  for (const std::string& flag : config::NeedRestart(settings_, *settings)) {
    log::Warn("daemon", "this change needs a restart", {{"option", flag}});
  }
  settings_ = config::Reloaded(settings_, *settings);
  log::Configure(settings_.log_level, settings_.log_format);
  gatekeeper_->AllowUnauthenticated(settings_.allow_unauthenticated);
  log::Info("daemon", "Configuration reloaded");
  return {};
}

void Daemon::WaitForSignals() {
  const sigset_t signals = StopAndReloadSignals();
  while (true) {
    const int signal = sigwaitinfo(&signals, nullptr);
    if (signal == SIGHUP) {
      (void)Reload();  // logged and counted there
    } else if (signal > 0) {
      log::Info("daemon", "Stopping", {{"signal", strsignal(signal)}});
      LetNextSignalEndTheProcess();
      return;
    }
  }
}

Status Daemon::Stop() {
  if (server_ == nullptr) return {};
  NotifyState("STOPPING=1");
  if (!server_->Drain(kDrainDeadline)) log::Warn("daemon", "requests were still under way after 10 s");
  serving_ = nullptr;
  server_->Stop();
  server_ = nullptr;
  if (planes_.exporter != nullptr) planes_.exporter->Stop();
  Status stopped;
  if (planes_.sink != nullptr) stopped = planes_.sink->Stop();
  planes_ = {};
  if (stopped) log::Info("daemon", "Stopped");
  return stopped;
}

}  // namespace wiregauge::daemon
