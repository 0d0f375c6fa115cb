// HTTP requests and answers as plain data, so that rooms can be driven without a server. The server (daemon/http)
// fills and sends them; the routes in daemon/ connect them to the rooms.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wiregauge::http {

struct Request {
  std::string method;  // upper case
  std::string path;    // without the query, not decoded
  std::string query;   // after the "?", not decoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // as it came: still compressed
  std::string remote_address;

  // The first header of that name (any case), or nothing.
  [[nodiscard]] std::string_view Header(std::string_view name) const;
  // Decoded values of a parameter in the query and, for application/x-www-form-urlencoded bodies, the body; in order.
  [[nodiscard]] std::vector<std::string> Parameters(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> headers;  // beyond Content-Type and Content-Length
  std::string body;
};

}  // namespace wiregauge::http
