#include "daemon/config/options.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/config/duration.h"
#include "exporter/aggregate/slow.h"
#include "exporter/match/protocols.h"

namespace wiregauge::config {
namespace {

using Values = std::vector<std::string>;
using Setter = std::function<Status(Settings&, const Values&)>;

// Enough for one scraper and one writer; and as many as one process can hold descriptors and threads for.
constexpr std::uint32_t kConnectionsMin = 4;
constexpr std::uint32_t kConnectionsMax = 10'000;
// A ring holds several of the largest records (4 KiB); more than the kernel's memory is no use.
constexpr std::uint32_t kRingBytesMin = 16U << 10;
constexpr std::uint32_t kRingBytesMax = 1U << 30;
// The head of a segment is captured in any case.
constexpr std::uint32_t kBurstBytesMin = 256;
constexpr std::uint32_t kBurstBytesMax = 1U << 30;
// Less than this and a part file would expire before it is written.
constexpr std::int64_t kRetentionMin = 3600LL * 1000;

Error Bad(std::string_view value, std::string_view want) {
  return Error{Code::kInvalidArgument, fmt::format("\"{}\" is not {}", value, want)};
}

Setter Bool(bool Settings::*member) {
  return [member](Settings& settings, const Values& values) -> Status {
    if (values.at(0) != "true" && values.at(0) != "false") return Bad(values.at(0), "true or false");
    settings.*member = values.at(0) == "true";
    return {};
  };
}

Setter Text(std::string Settings::*member) {
  return [member](Settings& settings, const Values& values) -> Status {
    if (values.at(0).empty()) return Error{Code::kInvalidArgument, "empty"};
    settings.*member = values.at(0);
    return {};
  };
}

Setter List(Values Settings::*member) {
  return [member](Settings& settings, const Values& values) -> Status {
    if (values.empty()) return Error{Code::kInvalidArgument, "an empty list"};
    for (const std::string& value : values) {
      if (value.empty()) return Error{Code::kInvalidArgument, "an empty entry"};
    }
    settings.*member = values;
    return {};
  };
}

template <typename T>
struct Choice {
  std::string_view name;
  T value;
};

template <typename T>
Setter OneOf(T Settings::*member, std::vector<Choice<T>> choices) {
  return [member, choices = std::move(choices)](Settings& settings, const Values& values) -> Status {
    std::string names;
    for (const Choice<T>& choice : choices) {
      if (choice.name == values.at(0)) {
        settings.*member = choice.value;
        return {};
      }
      names += names.empty() ? "" : ", ";
      names += choice.name;
    }
    return Bad(values.at(0), "one of " + names);
  };
}

Status SetTelemetryPath(Settings& settings, const Values& values) {
  const std::string& path = values.at(0);
  const bool plain = std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '-' ||
           c == '_' || c == '.';
  });
  if (!path.starts_with('/') || path == "/" || !plain) {
    return Bad(path, "a path such as /metrics (letters, digits and - _ . /)");
  }
  settings.telemetry_path = path;
  return {};
}

Setter Number(std::uint32_t Settings::*member, std::uint32_t min, std::uint32_t max) {
  return [member, min, max](Settings& settings, const Values& values) -> Status {
    const std::string& text = values.at(0);
    std::uint32_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{} || end != text.data() + text.size() || number < min || number > max) {
      return Bad(text, fmt::format("a number from {} to {}", min, max));
    }
    settings.*member = number;
    return {};
  };
}

Status SetRingBytes(Settings& settings, const Values& values) {
  Settings wanted;
  if (const Status set = Number(&Settings::ring_bytes, kRingBytesMin, kRingBytesMax)(wanted, values); !set) return set;
  if (!std::has_single_bit(wanted.ring_bytes)) return Bad(values.at(0), "a power of two");
  settings.ring_bytes = wanted.ring_bytes;
  return {};
}

// Calls set(name, value) for entries "name=value", whose names are each given once.
Status ForEachEntry(const Values& values,
                    const std::function<Status(const std::string& name, std::string_view value)>& set) {
  std::set<std::string> names;
  for (const std::string& entry : values) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos) return Bad(entry, "NAME=VALUE");
    const std::string name = entry.substr(0, equals);
    if (!names.insert(name).second) return Error{Code::kInvalidArgument, fmt::format("{} is given twice", name)};
    if (const Status done = set(name, std::string_view(entry).substr(equals + 1)); !done) return done;
  }
  return {};
}

std::string ProtocolNames() {
  std::string names;
  for (const match::Protocol& protocol : match::Protocols())
    names.append(names.empty() ? "" : ", ").append(protocol.name);
  return names;
}

Status SetProtocols(Settings& settings, const Values& values) {
  if (const Status listed = List(&Settings::protocols)(settings, values); !listed) return listed;
  for (const std::string& name : values) {
    if (!match::FindProtocol(name)) return Bad(name, "one of " + ProtocolNames());
  }
  return {};
}

Status SetAnswerTimeouts(Settings& settings, const Values& values) {
  return ForEachEntry(values, [&settings](const std::string& name, std::string_view value) -> Status {
    if (!match::FindProtocol(name)) return Bad(name, "one of " + ProtocolNames());
    const Result<std::uint64_t> timeout = ParseLatency(value);
    if (!timeout) return timeout.error().Within(name);
    settings.answer_timeouts_ns[name] = *timeout;
    return {};
  });
}

Status SetSlow(Settings& settings, const Values& values) {
  return ForEachEntry(values, [&settings](const std::string& name, std::string_view value) -> Status {
    const auto protocol = aggregate::SlowThresholds::IndexOf(name);
    if (!protocol) return Bad(name, fmt::format("one of {}", fmt::join(aggregate::kSlowProtocols, ", ")));
    const Result<std::uint64_t> threshold = ParseLatency(value);
    if (!threshold) return threshold.error().Within(name);
    settings.slow.ns[*protocol] = *threshold;
    return {};
  });
}

Status SetRoutes(Settings& settings, const Values& values) {
  if (values.size() > aggregate::RouteRules::kRulesMax) {
    return Error{Code::kInvalidArgument,
                 fmt::format("{} templates, more than {}", values.size(), aggregate::RouteRules::kRulesMax)};
  }
  std::vector<aggregate::RouteRule> routes;
  for (const std::string& entry : values) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos) return Bad(entry, "SERVICE=/TEMPLATE");
    routes.push_back({entry.substr(0, equals), entry.substr(equals + 1)});
    if (const Status right = aggregate::CheckRouteRule(routes.back()); !right) return right;
  }
  settings.routes = std::move(routes);
  return {};
}

Status SetRetention(Settings& settings, const Values& values) {
  const Result<std::int64_t> duration = ParseDuration(values.at(0));
  if (!duration) return duration.error();
  if (*duration < kRetentionMin) return Bad(values.at(0), "at least 1h");
  settings.retention_ms = *duration;
  return {};
}

std::vector<Option> MakeOptions() {
  return {
      {"web.listen-address", "web.listen_addresses", Kind::kList, "HOST:PORT",
       "Address to listen on; repeatable; port 0 lets the kernel choose (default 127.0.0.1:10420)", false,
       List(&Settings::listen_addresses)},
      {"web.config.file", "web.config_file", Kind::kText, "PATH",
       "TLS and authentication, in the exporter-toolkit's format; re-read when it changes", false,
       Text(&Settings::web_config_file)},
      {"web.telemetry-path", "web.telemetry_path", Kind::kText, "PATH", "Path of the metrics (default /metrics)", false,
       SetTelemetryPath},
      {"web.enable-lifecycle", "web.enable_lifecycle", Kind::kBool, "", "Allow POST and PUT on /-/reload", true,
       Bool(&Settings::enable_lifecycle)},
      {"web.max-connections", "web.max_connections", Kind::kText, "N",
       "Connections open at once; above it the longest idle ones are closed (default 512)", false,
       Number(&Settings::connections_max, kConnectionsMin, kConnectionsMax)},
      {"web.allow-unauthenticated", "web.allow_unauthenticated", Kind::kBool, "",
       "Serve every path beyond loopback even when no authentication is configured", true,
       Bool(&Settings::allow_unauthenticated)},
      {"exporter", "exporter.enabled", Kind::kBool, "", "The exporter plane: eBPF metrics (default on)", false,
       Bool(&Settings::exporter)},
      {"exporter.cgroup", "exporter.cgroups", Kind::kList, "PATH",
       "cgroup v2 folder whose sockets are observed; repeatable (default the root of the cgroup v2 mount)", false,
       List(&Settings::cgroups)},
      {"exporter.ring-bytes", "exporter.ring_bytes", Kind::kText, "N",
       "Size of each CPU's ring between the kernel and us, a power of two (default 4194304)", false, SetRingBytes},
      {"exporter.capture-burst-bytes", "exporter.capture_burst_bytes", Kind::kText, "N",
       "Payload captured of one direction of a connection until the other speaks (default 65536)", false,
       Number(&Settings::capture_burst_bytes, kBurstBytesMin, kBurstBytesMax)},
      {"exporter.tls", "exporter.tls", Kind::kText, "auto|library|process|off",
       "Read requests inside TLS: in a library for all who use it, in each process of the scope, or not at all; auto "
       "is library when all of the host is observed, else process (default auto)",
       false,
       OneOf<Tls>(&Settings::tls,
                  {{"auto", Tls::kAuto}, {"library", Tls::kLibrary}, {"process", Tls::kProcess}, {"off", Tls::kOff}})},
      {"exporter.bpf-statistics", "exporter.bpf_statistics", Kind::kBool, "",
       "Have the kernel time the BPF programs (all of the host): some 20 ns a run (default off)", false,
       Bool(&Settings::bpf_statistics)},
      {"exporter.protocols", "exporter.protocols", Kind::kList, "NAME",
       "Protocol that is decoded; repeatable (default all)", false, SetProtocols},
      {"exporter.answer-timeouts", "exporter.answer_timeouts", Kind::kMap, "NAME=DURATION,...",
       "How long a request of a protocol may wait for its answer before it counts as a timeout (default 60s)", false,
       SetAnswerTimeouts},
      {"exporter.slow", "exporter.slow", Kind::kMap, "NAME=DURATION,...",
       "Above which duration a call of a protocol is slow (default http=500ms, grpc=500ms, redis=10ms, memcached=10ms, "
       "mysql=100ms, postgresql=100ms, kafka=1s, mqtt=1s, dns=100ms)",
       false, SetSlow},
      {"exporter.routes", "exporter.routes", Kind::kRoutes, "SERVICE=/TEMPLATE",
       "Route of the paths that fit, as in shop=/users/{id}; * is every service; repeatable (default none)", false,
       SetRoutes},
      {"exporter.dns-question-name", "exporter.dns_question_name", Kind::kBool, "",
       "Label DNS lookups with the name that was asked for (default off)", false, Bool(&Settings::dns_question_name)},
      {"remote-write", "remote_write.enabled", Kind::kBool, "",
       "The sink plane: remote write and line protocol in, queries out (default on)", false,
       Bool(&Settings::remote_write)},
      {"storage.path", "storage.path", Kind::kText, "DIR", "Folder of the store (default data/)", false,
       Text(&Settings::storage_path)},
      {"storage.retention", "storage.retention", Kind::kText, "DURATION", "How long samples are kept (default 30d)",
       false, SetRetention},
      {"storage.durability", "storage.durability", Kind::kText, "always|interval|none",
       "What an acknowledged write survives: power loss, kill -9 but 100 ms of power loss, or nothing (default always)",
       false,
       OneOf<Durability>(
           &Settings::durability,
           {{"always", Durability::kAlways}, {"interval", Durability::kInterval}, {"none", Durability::kNone}})},
      {"log.level", "log.level", Kind::kText, "debug|info|warn|error", "Least level that is logged (default info)",
       true,
       OneOf<log::Level>(&Settings::log_level, {{"debug", log::Level::kDebug},
                                                {"info", log::Level::kInfo},
                                                {"warn", log::Level::kWarn},
                                                {"error", log::Level::kError}})},
      {"log.format", "log.format", Kind::kText, "logfmt|json", "Form of the log lines on stderr (default logfmt)", true,
       OneOf<log::Format>(&Settings::log_format, {{"logfmt", log::Format::kLogfmt}, {"json", log::Format::kJson}})},
  };
}

}  // namespace

const std::vector<Option>& Options() {
  static const std::vector<Option> options = MakeOptions();
  return options;
}

std::string EnvironmentName(std::string_view flag) {
  std::string name = "WIREGAUGE_";
  for (const char c : flag) {
    if (c == '.' || c == '-') {
      name.push_back('_');
    } else {
      name.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    }
  }
  return name;
}

}  // namespace wiregauge::config
