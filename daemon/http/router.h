// The one route table: which handler answers which path and method, how large a body it takes, and who may reach it.
// The server (server.h) asks it before a body is read, so that what is refused costs nothing. Built at start by one
// thread, immutable and thread-safe once the server runs.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/http.h"
#include "base/result.h"

namespace wiregauge::http {

// Called with the whole request, on a thread with an ordinary stack; several at once. Must not throw: what escapes is
// logged and answered 500.
using Handler = std::function<Response(const Request&)>;

enum class Match {
  kExact,   // the path itself
  kPrefix,  // the path and everything below it; the longest prefix wins, an exact route wins over every prefix
};

// Which threads run the handler. Scrapes and health checks must answer while every writer waits for its disk.
enum class Lane { kQuick, kWork };

// What to do with a request without Content-Length and without chunked coding.
enum class BodyRule {
  kOptional,  // its body is empty (RFC 9112 section 6.3): queries, reload
  kRequired,  // 411: writes
};

struct Route {
  std::string path;  // starts with "/"; not decoded
  Match match = Match::kExact;
  std::vector<std::string> methods;  // upper case; GET serves HEAD too
  std::size_t body_bytes_max = 0;    // before decompression; more is 413, decided from Content-Length where given
  BodyRule body = BodyRule::kOptional;
  Lane lane = Lane::kWork;
  bool open = false;  // served beyond loopback even when no authentication is configured
  Handler handler;
};

class RouteTable {
 public:
  // kInvalidArgument when the path does not start with "/" or is taken.
  Status Add(Route route);

  // The route of a request, borrowed from the table, or the answer that refuses it: 404, or 405 with Allow.
  [[nodiscard]] std::variant<const Route*, Response> Resolve(std::string_view method, std::string_view path) const;

  // The route of a path whatever the method, or nullptr: for decisions that come before the method's.
  [[nodiscard]] const Route* Find(std::string_view path) const;

  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace wiregauge::http
