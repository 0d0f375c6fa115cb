#include "exporter/aggregate/request_metrics.h"

#include <utility>

#include "exporter/aggregate/points.h"

namespace wiregauge::aggregate {
namespace {

constexpr std::string_view kServerName = "http_server_request_duration_seconds";
constexpr std::string_view kClientName = "http_client_request_duration_seconds";

}  // namespace

MethodTable::MethodTable()
    : texts_{std::string(kOtherText), "GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"} {}

std::uint8_t MethodTable::IdOf(std::string_view method) {
  for (std::size_t id = 1; id < texts_.size(); ++id) {
    if (texts_[id] == method) return static_cast<std::uint8_t>(id);
  }
  if (method.empty() || method == kOtherText || texts_.size() >= kMethodsMax) return 0;
  texts_.emplace_back(method);
  return static_cast<std::uint8_t>(texts_.size() - 1);
}

RequestMetrics::Key RequestMetrics::Key::Collapsed() const {
  Key key = *this;
  if (key.route != kNoId) key.route = kOtherId;
  if (key.is_client != 0) key.server = ServerLabel::Other();
  return key;
}

RequestMetrics::Key RequestMetrics::Key::Total() const {
  Key key;
  key.service = service;
  key.is_client = is_client;
  if (is_client != 0) key.server = ServerLabel::Other();
  key.route = kOtherId;
  key.failure = failure == Failure::kNone ? Failure::kNone : Failure::kOther;
  return key;
}

RequestMetrics::RequestMetrics(const identity::ServiceTable& services, const identity::PeerTable& peers,
                               const Options& options, std::size_t routes_max)
    : services_(services),
      peers_(peers),
      routes_max_(routes_max),
      rules_(options.routes),
      bounds_(kRequestBoundsNs, options.slow.http()),
      server_(options.limits),
      client_(options.limits) {}

RequestMetrics::Failure RequestMetrics::FailureOf(const match::HttpRequest& request) {
  if (!request.error.empty()) return Failure::kProtocol;
  switch (request.no_answer) {
    case match::NoAnswer::kNone: break;
    case match::NoAnswer::kTimeout: return Failure::kTimeout;
    case match::NoAnswer::kReset: return Failure::kReset;
    case match::NoAnswer::kConnectionClosed: return Failure::kConnectionClosed;
  }
  const int failing = request.role == probe::Role::kClient ? 400 : 500;
  return request.status >= failing ? Failure::kStatus : Failure::kNone;
}

TextId RequestMetrics::RouteOf(const match::HttpRequest& request, identity::ServiceId service, Side& side) {
  if (request.path.empty()) return kNoId;
  if (request.path_cut) return FindRoute(request, service, side);
  TextId route = side.memo.Find(service, request.path);
  if (route != kNoId) return route;
  route = FindRoute(request, service, side);
  // What was only seen with 404 stays doubtful until FindRoute sees it otherwise.
  if (route != kOtherId && request.status != 404) side.memo.Keep(service, request.path, route);
  return route;
}

TextId RequestMetrics::FindRoute(const match::HttpRequest& request, identity::ServiceId service, Side& side) {
  auto routes = side.routes.find(service);
  if (routes == side.routes.end()) {
    if (side.routes.size() >= kRoutedServicesMax) return kOtherId;
    Routes added = {rules_.Of(services_.Of(service).name), TextTable(routes_max_, routes_max_ / kNotFoundPart)};
    routes = side.routes.emplace(service, std::move(added)).first;
  }
  Routes& known = routes->second;
  if (!known.templates.empty()) {
    const std::string_view route = RouteRules::Match(known.templates, request.path, request.path_cut);
    if (!route.empty()) return known.table.IdOf(route, false);
  }
  return known.table.IdOf(FoldRoute(request.path, request.path_cut, route_buffer_), request.status == 404);
}

void RequestMetrics::Add(const match::HttpRequest& request, identity::ServiceId service,
                         const probe::Endpoint& server) {
  if (request.role == probe::Role::kUnknown) {
    ++roleless_total_;
    return;
  }
  const bool is_client = request.role == probe::Role::kClient;
  Side& side = is_client ? client_ : server_;
  Key key;
  key.service = service;
  key.is_client = is_client ? 1 : 0;
  if (is_client) key.server = ServerLabel::Of(server, peers_, request.end_ns);
  key.route = RouteOf(request, service, side);
  key.method = methods_.IdOf(request.method);
  key.version = static_cast<std::uint8_t>(request.major_version * 10 + request.minor_version);
  key.status = request.status;
  key.failure = FailureOf(request);
  key.error = errors_.IdOf(request.error, false);
  const std::uint64_t duration_ns = request.end_ns > request.start_ns ? request.end_ns - request.start_ns : 0;
  side.series.At(key, request.end_ns, key.route == kOtherId)
      .Observe(bounds_, duration_ns, request.trace, request.end_ns);
}

std::string_view RequestMetrics::ErrorTypeOf(const Key& key, std::string_view status) const {
  switch (key.failure) {
    case Failure::kNone: break;
    case Failure::kStatus: return status;
    case Failure::kTimeout: return "timeout";
    case Failure::kReset: return "reset";
    case Failure::kConnectionClosed: return "connection_closed";
    case Failure::kProtocol: return errors_.TextOf(key.error);
    case Failure::kOther: return kOtherText;
  }
  return {};
}

std::string_view RequestMetrics::VersionText(std::uint8_t version) {
  switch (version) {
    case kNoVersion: return {};
    case 10: return "1.0";
    case 20: return "2";
    default: return "1.1";
  }
}

Labels RequestMetrics::LabelsOf(const Key& key, const Side& side) const {
  const std::string status = key.status == 0 ? std::string() : std::to_string(key.status);
  const auto routes = side.routes.find(key.service);  // none for the totals of "_OTHER"
  const std::string_view route = routes != side.routes.end() ? routes->second.table.TextOf(key.route)
                                 : key.route == kOtherId     ? kOtherText
                                                             : std::string_view();
  const identity::Service& service = services_.Of(key.service);
  Labels labels;
  labels.reserve(9);
  AddLabel("error_type", ErrorTypeOf(key, status), labels);
  AddLabel("http_request_method", methods_.TextOf(key.method), labels);
  AddLabel("http_response_status_code", status, labels);
  AddLabel("http_route", route, labels);
  AddLabel("network_protocol_version", VersionText(key.version), labels);
  if (key.is_client != 0) key.server.AddTo(labels, peers_);
  AddLabel("service_name", service.name, labels);
  AddLabel("service_namespace", service.service_namespace, labels);
  return labels;
}

void RequestMetrics::ForgetRoutes(Side& side) {
  side.memo.Clear();
  std::unordered_map<identity::ServiceId, std::vector<bool>> used;
  side.series.ForEach([&](const Key& key, const DurationHistogram&) {
    std::vector<bool>& marks = used[key.service];
    if (marks.size() <= key.route) marks.resize(key.route + 1U);
    marks[key.route] = true;
  });
  for (auto at = side.routes.begin(); at != side.routes.end();) {
    const auto current = at++;
    const auto marks = used.find(current->first);
    if (marks == used.end()) {
      side.routes.erase(current);
    } else {
      current->second.table.Keep(marks->second);
    }
  }
}

void RequestMetrics::CollectSide(Now now, Side& side, Family family, Snapshot& snapshot,
                                 std::unordered_set<identity::ServiceId>& services_in_use) {
  if (side.series.Expire(now.monotonic_ns)) ForgetRoutes(side);
  if (side.series.size() == 0) return;
  family.points.reserve(side.series.size());
  side.series.Collect(now, [&](const Key& key, auto& series) {
    Point point;
    point.labels = LabelsOf(key, side);
    FillDurations(bounds_, series.value, now, point);
    point.created_s = static_cast<double>(series.created_unix_ms) / 1e3;
    family.points.push_back(std::move(point));
    services_in_use.insert(key.service);
  });
  SortAndMerge(family);
  snapshot.push_back(std::move(family));
}

void RequestMetrics::Collect(Now now, Snapshot& snapshot, std::unordered_set<identity::ServiceId>& services_in_use) {
  CollectSide(now, server_,
              MakeFamily(kServerName, "seconds", FamilyType::kHistogram,
                         "Time from the first byte of an HTTP request to the last byte of its answer, at the server."),
              snapshot, services_in_use);
  CollectSide(now, client_,
              MakeFamily(kClientName, "seconds", FamilyType::kHistogram,
                         "Time from the first byte of an HTTP request to the last byte of its answer, at the client."),
              snapshot, services_in_use);
}

std::size_t RequestMetrics::series(probe::Role role) const {
  return (role == probe::Role::kClient ? client_ : server_).series.size();
}

std::uint64_t RequestMetrics::overflow_total(probe::Role role) const {
  return (role == probe::Role::kClient ? client_ : server_).series.overflow_total();
}

}  // namespace wiregauge::aggregate
