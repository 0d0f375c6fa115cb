#include "exporter/aggregate/call_metrics.h"

#include <algorithm>
#include <utility>

#include "exporter/aggregate/points.h"

namespace wiregauge::aggregate {
namespace {

using match::System;

struct SystemNames {
  CallKind kind;
  std::string_view name;  // the value of rpc_system_name, db_system_name, messaging_system
};

// By match::System.
constexpr std::array<SystemNames, 8> kSystems = {{
    {CallKind::kRpc, "grpc"},
    {CallKind::kDb, "redis"},
    {CallKind::kDb, "memcached"},
    {CallKind::kDb, "mysql"},
    {CallKind::kDb, "postgresql"},
    {CallKind::kMessaging, "kafka"},
    {CallKind::kMessaging, "mqtt"},
    {CallKind::kDns, "dns"},
}};

const SystemNames& NamesOf(System system) { return kSystems[static_cast<std::size_t>(system)]; }

// A family's names; an empty label name means that the family has no such label.
struct CallFamily {
  std::string_view server_name;
  std::string_view client_name;
  std::string_view server_help;
  std::string_view client_help;
  std::string_view system_label;
  std::string_view operation_label;
  std::string_view destination_label;
  std::string_view code_label;
};

// By CallKind.
constexpr std::array<CallFamily, kCallKinds> kCallFamilies = {{
    {"rpc_server_call_duration_seconds", "rpc_client_call_duration_seconds",
     "Time from the first byte of a remote procedure call to the end of its answer, at the server.",
     "Time from the first byte of a remote procedure call to the end of its answer, at the client.", "rpc_system_name",
     "rpc_method", "", "rpc_response_status_code"},
    {"db_server_operation_duration_seconds", "db_client_operation_duration_seconds",
     "Time from the first byte of a database command to the end of its answer, at the server.",
     "Time from the first byte of a database command to the end of its answer, at the client.", "db_system_name",
     "db_operation_name", "db_collection_name", "db_response_status_code"},
    {"messaging_server_operation_duration_seconds", "messaging_client_operation_duration_seconds",
     "Time from the first byte of a request to a message broker to the end of its answer, at the broker.",
     "Time from the first byte of a request to a message broker to the end of its answer, at its client.",
     "messaging_system", "messaging_operation_name", "messaging_destination_name", ""},
    {"dns_server_lookup_duration_seconds", "dns_lookup_duration_seconds",
     "Time from a DNS question to its answer, at the name server.",
     "Time from a DNS question to its answer, at the service that asked.", "", "", "dns_question_name",
     "dns_response_code"},
}};

const CallFamily& FamilyOf(CallKind kind) { return kCallFamilies[static_cast<std::size_t>(kind)]; }

std::string_view NoAnswerText(match::NoAnswer no_answer) {
  switch (no_answer) {
    case match::NoAnswer::kNone: break;
    case match::NoAnswer::kTimeout: return "timeout";
    case match::NoAnswer::kReset: return "reset";
    case match::NoAnswer::kConnectionClosed: return "connection_closed";
  }
  return {};
}

void AddNamed(std::string_view name, std::string_view value, Labels& labels) {
  if (!name.empty()) AddLabel(name, value, labels);
}

void Mark(TextId id, std::vector<bool>& marks) {
  if (marks.size() <= id) marks.resize(id + 1U);
  marks[id] = true;
}

}  // namespace

CallMetrics::Key CallMetrics::Key::Collapsed() const {
  Key key = *this;
  if (key.destination != kNoId) key.destination = kOtherId;
  if (key.server != ServerLabel()) key.server = ServerLabel::Other();
  return key;
}

// The system stays: the threshold of a slow call is a system's.
CallMetrics::Key CallMetrics::Key::Total() const {
  Key key;
  key.service = service;
  key.system = system;
  key.is_client = is_client;
  key.operation = kOtherId;
  key.error = error == kNoId && no_answer == match::NoAnswer::kNone ? kNoId : kOtherId;
  return key;
}

CallMetrics::CallMetrics(const identity::ServiceTable& services, const identity::PeerTable& peers,
                         const Options& options)
    : services_(services),
      peers_(peers),
      dns_question_name_(options.dns_question_name),
      bounds_{DurationBounds(kRequestBoundsNs, options.slow.Of(System::kGrpc, System::kGrpc)),
              DurationBounds(kQuickBoundsNs, options.slow.Of(System::kRedis, System::kPostgresql)),
              DurationBounds(kQuickBoundsNs, options.slow.Of(System::kKafka, System::kMqtt)),
              DurationBounds(kQuickBoundsNs, options.slow.Of(System::kDns, System::kDns))} {
  for (std::size_t kind = 0; kind < kCallKinds; ++kind) {
    for (const bool is_client : {false, true})
      sides_.emplace_back(static_cast<CallKind>(kind), is_client, options.limits);
  }
}

CallMetrics::Side& CallMetrics::SideOf(CallKind kind, probe::Role role) {
  return sides_[2 * static_cast<std::size_t>(kind) + (role == probe::Role::kClient ? 1 : 0)];
}

std::string_view CallMetrics::NameOf(const Side& side) {
  const CallFamily& family = FamilyOf(side.kind);
  return side.is_client ? family.client_name : family.server_name;
}

void CallMetrics::SetTexts(const match::Call& call, Side& side, Key& key) {
  const CallFamily& family = FamilyOf(side.kind);
  const bool has_destination = side.kind != CallKind::kDns || dns_question_name_;
  const std::string_view destination =
      family.destination_label.empty() || !has_destination ? std::string_view() : call.destination;
  const std::string_view operation = family.operation_label.empty() ? std::string_view() : call.operation;
  const std::string_view code = family.code_label.empty() ? std::string_view() : call.code;
  const auto other = [](std::string_view text) { return text.empty() ? kNoId : kOtherId; };
  auto found = side.texts.find(key.service);
  if (found == side.texts.end()) {
    if (side.texts.size() >= kNamedServicesMax) {
      key.operation = other(operation);
      key.destination = other(destination);
      key.code = other(code);
      key.error = other(call.error);
      return;
    }
    found = side.texts.try_emplace(key.service).first;
  }
  Texts& texts = found->second;
  const bool failed = !call.error.empty();
  key.operation = operation == kOtherText ? kOtherId : texts.operations.IdOf(operation, failed);
  key.destination = texts.destinations.IdOf(destination, failed);
  key.code = texts.codes.IdOf(code, false);
  key.error = failed && call.error == code ? key.code : texts.codes.IdOf(call.error, false);
}

void CallMetrics::Add(const match::Call& call, identity::ServiceId service, const probe::Endpoint& server) {
  if (call.role == probe::Role::kUnknown) {
    ++roleless_total_;
    return;
  }
  const CallKind kind = NamesOf(call.system).kind;
  Side& side = SideOf(kind, call.role);
  Key key;
  key.service = service;
  key.system = call.system;
  key.is_client = side.is_client ? 1 : 0;
  key.no_answer = call.no_answer;
  if (side.is_client && kind != CallKind::kDns) key.server = ServerLabel::Of(server, peers_, call.end_ns);
  SetTexts(call, side, key);
  const bool lost_label = (key.operation == kOtherId && call.operation != kOtherText) || key.destination == kOtherId ||
                          key.code == kOtherId || key.error == kOtherId;
  const std::uint64_t duration_ns = call.end_ns > call.start_ns ? call.end_ns - call.start_ns : 0;
  side.series.At(key, call.end_ns, lost_label)
      .Observe(bounds_[static_cast<std::size_t>(kind)], duration_ns, call.trace, call.end_ns);
}

Labels CallMetrics::LabelsOf(const Key& key, const Side& side) const {
  const CallFamily& family = FamilyOf(side.kind);
  const auto found = side.texts.find(key.service);  // none for "_OTHER" and for services beyond the budget
  const auto text = [&](TextId id, TextTable Texts::*table) -> std::string_view {
    if (found != side.texts.end()) return (found->second.*table).TextOf(id);
    return id == kNoId ? std::string_view() : kOtherText;
  };
  const std::string_view no_answer = NoAnswerText(key.no_answer);
  const identity::Service& service = services_.Of(key.service);
  Labels labels;
  labels.reserve(9);
  AddNamed(family.destination_label, text(key.destination, &Texts::destinations), labels);
  AddNamed(family.operation_label, text(key.operation, &Texts::operations), labels);
  AddNamed(family.code_label, text(key.code, &Texts::codes), labels);
  AddNamed(family.system_label, NamesOf(key.system).name, labels);
  AddLabel("error_type", no_answer.empty() ? text(key.error, &Texts::codes) : no_answer, labels);
  if (side.is_client) key.server.AddTo(labels, peers_);
  AddLabel("service_name", service.name, labels);
  AddLabel("service_namespace", service.service_namespace, labels);
  std::sort(labels.begin(), labels.end());
  return labels;
}

void CallMetrics::ForgetTexts(Side& side) {
  struct Marks {
    std::vector<bool> operations, destinations, codes;
  };
  absl::flat_hash_map<identity::ServiceId, Marks> used;
  side.series.ForEach([&](const Key& key, const DurationHistogram&) {
    Marks& marks = used[key.service];
    Mark(key.operation, marks.operations);
    Mark(key.destination, marks.destinations);
    Mark(key.code, marks.codes);
    Mark(key.error, marks.codes);
  });
  for (auto at = side.texts.begin(); at != side.texts.end();) {
    const auto current = at++;
    const auto marks = used.find(current->first);
    if (marks == used.end()) {
      side.texts.erase(current);
      continue;
    }
    current->second.operations.Keep(marks->second.operations);
    current->second.destinations.Keep(marks->second.destinations);
    current->second.codes.Keep(marks->second.codes);
  }
}

void CallMetrics::CollectSide(Now now, Side& side, Snapshot& snapshot,
                              std::unordered_set<identity::ServiceId>& services_in_use) {
  if (side.series.Expire(now.monotonic_ns)) ForgetTexts(side);
  if (side.series.size() == 0) return;
  const CallFamily& names = FamilyOf(side.kind);
  Family family = MakeFamily(NameOf(side), "seconds", FamilyType::kHistogram,
                             side.is_client ? names.client_help : names.server_help);
  family.points.reserve(side.series.size());
  side.series.Collect(now, [&](const Key& key, auto& series) {
    Point point;
    point.labels = LabelsOf(key, side);
    FillDurations(bounds_[static_cast<std::size_t>(side.kind)], series.value, now, point);
    point.created_s = static_cast<double>(series.created_unix_ms) / 1e3;
    family.points.push_back(std::move(point));
    services_in_use.insert(key.service);
  });
  SortAndMerge(family);
  snapshot.push_back(std::move(family));
}

void CallMetrics::Collect(Now now, Snapshot& snapshot, std::unordered_set<identity::ServiceId>& services_in_use) {
  for (Side& side : sides_) CollectSide(now, side, snapshot, services_in_use);
}

}  // namespace wiregauge::aggregate
