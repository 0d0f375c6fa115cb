// Everything a user can set, as plain values with their defaults: what flags, environment and file become.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "exporter/aggregate/route_rules.h"
#include "exporter/aggregate/slow.h"

namespace wiregauge::config {

// How safe an acknowledged write is; the store's own enumeration mirrors it.
enum class Durability { kAlways, kInterval, kNone };

// How programs with a TLS library are observed; the probe's own enumeration mirrors it.
enum class Tls { kOff, kAuto, kLibrary, kProcess };

struct Settings {
  std::vector<std::string> listen_addresses = {"127.0.0.1:10420"};
  std::string web_config_file;
  std::string telemetry_path = "/metrics";
  bool enable_lifecycle = false;
  std::uint32_t connections_max = 512;
  bool allow_unauthenticated = false;

  bool exporter = true;
  std::vector<std::string> cgroups;               // empty: the root of the cgroup v2 mount
  std::uint32_t ring_bytes = 4U << 20;            // of each CPU's ring between the kernel and us
  std::uint32_t capture_burst_bytes = 64U << 10;  // of one direction until the other speaks
  Tls tls = Tls::kAuto;
  bool bpf_statistics = false;                              // wiregauge_bpf_program_run_time_seconds
  std::vector<std::string> protocols;                       // names of match::Protocols(); empty: all
  std::map<std::string, std::uint64_t> answer_timeouts_ns;  // by name of match::Protocols(); the rest: the default
  aggregate::SlowThresholds slow;
  std::vector<aggregate::RouteRule> routes;
  bool dns_question_name = false;  // the label dns_question_name

  bool remote_write = true;

  std::string storage_path = "data/";
  std::int64_t retention_ms = 30LL * 24 * 3600 * 1000;
  Durability durability = Durability::kAlways;

  log::Level log_level = log::Level::kInfo;
  log::Format log_format = log::Format::kLogfmt;

  friend bool operator==(const Settings&, const Settings&) = default;
};

}  // namespace wiregauge::config
