#include "daemon/http/server.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/http/exchange.h"
#include "daemon/http/lanes.h"
#include "daemon/http/status.h"
#include "daemon/http/tls_relay.h"

namespace wiregauge::http {
namespace {

// How often deadlines are looked at: a fraction of the shortest (kEvictionGrace in connections.cc).
constexpr std::chrono::milliseconds kWatchInterval{100};
// Connections that civetweb has accepted and no worker has taken yet.
constexpr const char* kQueueLength = "64";

Server* ServerOf(const mg_connection* connection) {
  return static_cast<Server*>(mg_get_user_data(mg_get_context(connection)));
}

// All of this process's listening descriptors bound to one of `ports` on 127.0.0.1, in the order of `ports`.
Result<std::vector<int>> FindListening(const std::vector<int>& ports) {
  std::vector<int> found(ports.size(), -1);
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return SystemError("open /proc/self/fd", errno);
  while (const dirent* entry = readdir(folder)) {
    const int fd = std::atoi(entry->d_name);
    int listening = 0;
    socklen_t size = sizeof(listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) continue;
    sockaddr_in address{};
    size = sizeof(address);
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sin_family != AF_INET) continue;
    if (address.sin_addr.s_addr != htonl(INADDR_LOOPBACK)) continue;
    const auto port = std::find(ports.begin(), ports.end(), ntohs(address.sin_port));
    if (port != ports.end()) found[static_cast<std::size_t>(port - ports.begin())] = fd;
  }
  closedir(folder);
  if (std::find(found.begin(), found.end(), -1) != found.end()) {
    return Error{Code::kInternal, "HTTP server: civetweb's listening socket is not to be found"};
  }
  return found;
}

}  // namespace

// civetweb's view of the server. Every function runs on civetweb's threads.
class Server::Callbacks {
 public:
  static int BeginRequest(mg_connection* connection) {
    ServerOf(connection)->Serve(connection);
    return 200;  // "handled"; the answer's own status is sent already
  }

  // What civetweb refuses before there is a request: malformed or oversized headers, unknown HTTP versions.
  static int HttpError(mg_connection* connection, int status, const char* message) {
    Observer& observer = ServerOf(connection)->observer_;
    observer.Began();
    Write(connection, PlainText(status, message == nullptr ? ReasonPhrase(status) : message), {}, false, true);
    observer.Answered(nullptr, status, 0);
    ServerOf(connection)->connections_.DiscardUnread(mg_get_request_info(connection)->remote_addr);
    return 0;
  }

  static int LogMessage(const mg_connection* /*connection*/, const char* message) {
    log::Debug("http", message);
    return 1;
  }

  static void ConnectionClose(const mg_connection* connection) {
    ServerOf(connection)->connections_.Remove(mg_get_request_info(connection)->remote_addr);
  }

  // The master's comes after its listening sockets are open and before it first polls them: the moment to swap them.
  static void* InitThread(const mg_context* civetweb, int thread_type) {
    constexpr int kMaster = 0;
    auto* const server = static_cast<Server*>(mg_get_user_data(civetweb));
    if (thread_type == kMaster) server->adopted_.set_value(server->Adopt(civetweb));
    return nullptr;
  }
};

struct Server::Outcome {
  Response response;
  Headers headers;
  const Route* route = nullptr;
  bool body_left = false;  // the client may still be sending it
};

Server::Server(std::vector<Listener> listeners, const RouteTable& routes, Gatekeeper& gatekeeper, Observer& observer,
               const ServerOptions& options)
    : listeners_(std::move(listeners)),
      routes_(routes),
      gatekeeper_(gatekeeper),
      observer_(observer),
      tls_(options.tls == nullptr ? nullptr : std::make_unique<TlsRelay>(options.tls)),
      connections_(options.connections_max, tls_.get()),
      lanes_(std::make_unique<Lanes>()) {}

Result<std::unique_ptr<Server>> Server::Start(std::vector<Listener> listeners, const RouteTable& routes,
                                              Gatekeeper& gatekeeper, Observer& observer,
                                              const ServerOptions& options) {
  std::unique_ptr<Server> server(new Server(std::move(listeners), routes, gatekeeper, observer, options));
  if (const Status started = server->StartCivetweb(options); !started) return started.error();
  Server* const self = server.get();
  server->watchdog_ = std::jthread([self](const std::stop_token& stop) { self->Watch(stop); });
  return server;
}

Status Server::StartCivetweb(const ServerOptions& options) {
  static const unsigned library = mg_init_library(MG_FEATURES_DEFAULT);
  (void)library;
  std::string ports;
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    ports += i == 0 ? "127.0.0.1:0" : ",127.0.0.1:0";
  }
  const std::string workers = std::to_string(options.connections_max);
  // Deadlines of whole phases are connections.cc's; request_timeout_ms bounds one read or write without progress.
  const char* const settings[] = {"listening_ports",
                                  ports.c_str(),
                                  "num_threads",
                                  workers.c_str(),
                                  "connection_queue",
                                  kQueueLength,
                                  "tcp_nodelay",
                                  "1",
                                  "enable_keep_alive",
                                  "yes",
                                  "decode_url",
                                  "no",
                                  "keep_alive_timeout_ms",
                                  "70000",
                                  "max_request_size",
                                  "16384",
                                  "request_timeout_ms",
                                  "5000",
                                  nullptr};
  mg_callbacks callbacks{};
  callbacks.begin_request = &Callbacks::BeginRequest;
  callbacks.http_error = &Callbacks::HttpError;
  callbacks.log_message = &Callbacks::LogMessage;
  callbacks.connection_close = &Callbacks::ConnectionClose;
  callbacks.init_thread = &Callbacks::InitThread;
  civetweb_ = mg_start(&callbacks, this, const_cast<const char**>(settings));
  if (civetweb_ == nullptr) {
    return Error{Code::kUnavailable, fmt::format("HTTP server: cannot start {} worker threads", workers)};
  }
  return adopted_.get_future().get();
}

// Puts our listeners in the place of civetweb's: same descriptors, other sockets.
Status Server::Adopt(const mg_context* civetweb) {
  std::vector<mg_server_port> placeholders(listeners_.size());
  const int count = mg_get_server_ports(civetweb, static_cast<int>(placeholders.size()), placeholders.data());
  if (count != static_cast<int>(listeners_.size())) {
    return Error{Code::kIo, fmt::format("HTTP server: {} of {} placeholder sockets", count, listeners_.size())};
  }
  std::vector<int> ports;
  for (const mg_server_port& placeholder : placeholders) ports.push_back(placeholder.port);
  const auto descriptors = FindListening(ports);
  if (!descriptors) return descriptors.error();
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const int fd = (*descriptors)[i];
    connections_.AddListener(fd, listeners_[i].loopback());
    if (dup3(listeners_[i].fd(), fd, O_CLOEXEC) < 0) return SystemError("HTTP server: dup3", errno);
  }
  return {};
}

Server::~Server() { Stop(); }

void Server::Watch(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  while (!never.wait_for(lock, stop, kWatchInterval, [&] { return stop.stop_requested(); })) {
    connections_.Expire(MonotonicNanoseconds());
  }
}

void Server::Serve(mg_connection* connection) {
  ++under_way_;
  observer_.Began();
  const std::uint64_t began = MonotonicNanoseconds();
  const mg_request_info* info = mg_get_request_info(connection);
  connections_.Enter(info->remote_addr, Phase::kReading, began);
  Request request;
  bool wants_close = true;
  Outcome outcome;
  if (Result<Request> head = ReadHead(connection)) {
    request = *std::move(head);
    wants_close = WantsClose(request, info->http_version);
    outcome = Decide(connection, request);
  } else {
    outcome.response = ErrorResponse(head.error());
    outcome.body_left = true;
  }
  body_bytes_ -= request.body.size();
  const bool finish = outcome.body_left || stopping_;
  connections_.Enter(info->remote_addr, Phase::kWriting, MonotonicNanoseconds());
  Write(connection, outcome.response, outcome.headers, request.method == "HEAD", finish || wants_close);
  const std::uint64_t ended = MonotonicNanoseconds();
  observer_.Answered(outcome.route, outcome.response.status, static_cast<double>(ended - began) / 1e9);
  --under_way_;
  if (finish) {
    connections_.Enter(info->remote_addr, Phase::kDraining, ended);
    if (outcome.body_left) DiscardBody(connection);
    connections_.Finish(info->remote_addr);
  } else {
    connections_.Enter(info->remote_addr, Phase::kWaiting, ended);
  }
}

Server::Outcome Server::Decide(mg_connection* connection, Request& request) {
  Outcome outcome;
  const BodyLength length = DeclaredLength(request);
  outcome.body_left = length.chunked || length.bytes > 0;
  const auto refuse = [&](Response response) {
    outcome.response = std::move(response);
    return std::move(outcome);
  };
  if (stopping_) return refuse(ErrorResponse({Code::kUnavailable, "stopping"}));
  const Peer peer = connections_.Find(mg_get_request_info(connection)->remote_addr);
  request.remote_address = peer.address;
  const Route* const found = routes_.Find(request.path);
  Gatekeeper::Admission admission = gatekeeper_.Admit(request, peer, found);
  outcome.headers = std::move(admission.headers);
  if (admission.refusal) return refuse(*std::move(admission.refusal));
  auto resolved = routes_.Resolve(request.method, request.path);
  if (auto* refusal = std::get_if<Response>(&resolved)) return refuse(std::move(*refusal));
  outcome.route = std::get<const Route*>(resolved);
  const Route& route = *outcome.route;
  if (route.body == BodyRule::kRequired && !length.declared) {
    return refuse(PlainText(411, "this path wants a body: send Content-Length or chunked coding"));
  }
  if (const Status fits = CheckLength(route, length); !fits) return refuse(ErrorResponse(fits.error()));
  if (outcome.body_left) {
    if (const Status read = ReadBody(connection, route, length, body_bytes_, request); !read) {
      return refuse(ErrorResponse(read.error()));
    }
    outcome.body_left = false;
  }
  connections_.Enter(mg_get_request_info(connection)->remote_addr, Phase::kHandling, MonotonicNanoseconds());
  outcome.response = Handle(route, request);
  return outcome;
}

Response Server::Handle(const Route& route, const Request& request) {
  Response response;
  lanes_->Run(route.lane, [&] {
    try {
      response = route.handler(request);
    } catch (const std::exception& failure) {
      log::Error("http", "a handler threw", {{"path", route.path}, {"error", failure.what()}});
      response = ErrorResponse({Code::kInternal, "internal error"});
    }
  });
  return response;
}

bool Server::Drain(std::chrono::milliseconds deadline) {
  stopping_ = true;
  connections_.ShutDownWaiting();
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (under_way_ > 0) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void Server::Stop() {
  if (civetweb_ == nullptr) return;
  stopping_ = true;
  watchdog_ = {};
  // civetweb's threads look at their stop flag only every two seconds unless their sockets wake them.
  for (const Listener& listener : listeners_) shutdown(listener.fd(), SHUT_RDWR);
  connections_.ShutDownAll();
  mg_stop(civetweb_);
  civetweb_ = nullptr;
  if (tls_ != nullptr) tls_->Stop();
}

}  // namespace wiregauge::http
