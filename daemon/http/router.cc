#include "daemon/http/router.h"

#include <algorithm>

#include "daemon/http/status.h"

namespace wiregauge::http {
namespace {

// "/api/v1/label/" covers what is below it; "/views" covers itself and "/views/…", not "/viewsonic".
bool Covers(const Route& route, std::string_view path) {
  if (route.match == Match::kExact) return path == route.path;
  if (!path.starts_with(route.path)) return false;
  return path.size() == route.path.size() || route.path.ends_with('/') || path[route.path.size()] == '/';
}

bool Takes(const Route& route, std::string_view method) {
  const auto has = [&](std::string_view name) {
    return std::find(route.methods.begin(), route.methods.end(), name) != route.methods.end();
  };
  return has(method) || (method == "HEAD" && has("GET"));
}

std::string AllowHeader(const Route& route) {
  std::string allow;
  for (const std::string& method : route.methods) {
    allow += allow.empty() ? "" : ", ";
    allow += method;
    if (method == "GET") allow += ", HEAD";
  }
  return allow;
}

}  // namespace

Status RouteTable::Add(Route route) {
  if (!route.path.starts_with('/')) {
    return Error{Code::kInvalidArgument, "route \"" + route.path + "\" does not start with \"/\""};
  }
  for (const Route& other : routes_) {
    if (other.path == route.path && other.match == route.match) {
      return Error{Code::kInvalidArgument, "path \"" + route.path + "\" is already taken"};
    }
  }
  routes_.push_back(std::move(route));
  return {};
}

const Route* RouteTable::Find(std::string_view path) const {
  const Route* best = nullptr;
  for (const Route& route : routes_) {
    if (!Covers(route, path)) continue;
    if (route.match == Match::kExact) return &route;
    if (best == nullptr || route.path.size() > best->path.size()) best = &route;
  }
  return best;
}

std::variant<const Route*, Response> RouteTable::Resolve(std::string_view method, std::string_view path) const {
  const Route* route = Find(path);
  if (route == nullptr) return PlainText(404, "nothing is served at this path");
  if (Takes(*route, method)) return route;
  const std::string allow = AllowHeader(*route);
  Response refusal = PlainText(405, "this path takes " + allow);
  refusal.headers.emplace_back("Allow", allow);
  return refusal;
}

}  // namespace wiregauge::http
