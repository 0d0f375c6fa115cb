// The HTTP server: civetweb behind our own accept (connections.h), our own handler threads (lanes.h) and one order of
// decisions for every request:
//
//   header -> gatekeeper (rate limit, headers, authentication, 403 rule) -> route (404, 405) -> body rules (411, 413)
//   -> body -> handler -> answer
//
// Nothing of a body is read before everything that can refuse the request has agreed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/http.h"
#include "base/result.h"
#include "daemon/http/connections.h"
#include "daemon/http/listener.h"
#include "daemon/http/router.h"

struct mg_context;
struct mg_connection;
struct ssl_ctx_st;

namespace wiregauge::http {

class Lanes;

// Decides who may ask what. Thread-safe; called on threads with small stacks: no recursion, no large buffers.
class Gatekeeper {
 public:
  struct Admission {
    std::vector<std::pair<std::string, std::string>> headers;  // for every answer, refusals included
    std::optional<Response> refusal;
  };
  virtual ~Gatekeeper() = default;
  // `head` has no body yet; `route` is the path's, or nullptr where nothing is served.
  virtual Admission Admit(const Request& head, const Peer& peer, const Route* route) = 0;
};

// Told of every answered request. Thread-safe.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void Began() = 0;
  // `route` is nullptr for refused paths; for the others its path is a label of bounded cardinality.
  virtual void Answered(const Route* route, int status, double seconds) = 0;
};

struct ServerOptions {
  std::size_t connections_max = 512;  // open at once; each costs about 12 KiB while it waits
  ssl_ctx_st* tls = nullptr;          // borrowed; null: plain HTTP
};

class Server {
 public:
  // Serves until Stop. All references outlive the server. kIo or kUnsupported when it cannot start.
  static Result<std::unique_ptr<Server>> Start(std::vector<Listener> listeners, const RouteTable& routes,
                                               Gatekeeper& gatekeeper, Observer& observer,
                                               const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // From now on every new request is answered 503; returns when those under way are answered or the deadline passed
  // (false). Idempotent.
  bool Drain(std::chrono::milliseconds deadline);
  // Closes everything. Idempotent.
  void Stop();

  [[nodiscard]] const Connections& connections() const { return connections_; }

 private:
  class Callbacks;

  Server(std::vector<Listener> listeners, const RouteTable& routes, Gatekeeper& gatekeeper, Observer& observer,
         const ServerOptions& options);
  Status StartCivetweb(const ServerOptions& options);
  Status Adopt(const mg_context* civetweb);
  void Serve(mg_connection* connection);
  // What a request gets, and what must be known to send it.
  struct Outcome;
  Outcome Decide(mg_connection* connection, Request& request);
  Response Handle(const Route& route, const Request& request);
  void Watch(const std::stop_token& stop);

  std::vector<Listener> listeners_;
  const RouteTable& routes_;
  Gatekeeper& gatekeeper_;
  Observer& observer_;
  std::unique_ptr<TlsRelay> tls_;  // null: plain HTTP
  Connections connections_;
  std::unique_ptr<Lanes> lanes_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> under_way_{0};
  std::atomic<std::size_t> body_bytes_{0};  // of all requests under way
  std::promise<Status> adopted_;
  mg_context* civetweb_ = nullptr;
  std::jthread watchdog_;
};

}  // namespace wiregauge::http
