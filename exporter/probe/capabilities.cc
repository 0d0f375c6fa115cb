#include "exporter/probe/capabilities.h"

#include <cap-ng.h>

#include <algorithm>

#include <fmt/format.h>

namespace wiregauge::probe {
namespace {

bool Holds(const std::string& name) {
  const int number = capng_name_to_capability(name.c_str() + 4);  // the library's names have no CAP_
  return number >= 0 && capng_have_capability(CAPNG_EFFECTIVE, static_cast<unsigned>(number)) != 0;
}

}  // namespace

std::vector<Capability> WantedCapabilities(const TlsReport& tls) {
  const bool attaches_later = tls.mode != TlsMode::kOff;
  std::vector<Capability> wanted = {
      {"CAP_BPF", "loads the programs and their maps", false, true},
      {"CAP_NET_ADMIN", "attaches them to the cgroup's sockets", false, false},
      {"CAP_PERFMON", "lets them read sockets of the kernel, and attaches to TLS libraries; without it no TCP figures",
       false, attaches_later},
      {"CAP_SYS_ADMIN",
       "visits other network namespaces for sockets older than the program; before Linux 6.6 attaches to TLS libraries",
       false, attaches_later && tls.way == UprobeWay::kPerfEvents},
      {"CAP_SYS_PTRACE", "reads /proc/PID/exe, so that services have their program's name", false, true},
      {"CAP_DAC_READ_SEARCH", "reads what other users own in /proc, and a renewed TLS key", false, true},
  };
  capng_get_caps_process();
  const bool admin = Holds("CAP_SYS_ADMIN");
  for (Capability& capability : wanted) {
    const bool split_off = capability.name == "CAP_BPF" || capability.name == "CAP_PERFMON";
    capability.held = Holds(capability.name) || (split_off && admin);
  }
  return wanted;
}

Result<std::vector<std::string>> DropCapabilities(const std::vector<std::string>& keep, const TlsReport& tls) {
  std::vector<std::string> kept;
  for (const Capability& capability : WantedCapabilities(tls)) {
    if (capability.held && capability.needed_after_attach) kept.push_back(capability.name);
  }
  for (const std::string& name : keep) {
    if (Holds(name) && std::find(kept.begin(), kept.end(), name) == kept.end()) kept.push_back(name);
  }
  capng_clear(CAPNG_SELECT_CAPS);
  for (const std::string& name : kept) {
    const int number = capng_name_to_capability(name.c_str() + 4);
    if (number < 0) continue;  // this libcap-ng is older than the capability; the kernel then is too
    capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                 static_cast<unsigned>(number));
  }
  if (const int failed = capng_apply(CAPNG_SELECT_CAPS); failed != 0) {
    return Error{Code::kPermission, fmt::format("dropping capabilities: capng_apply says {}", failed)};
  }
  return kept;
}

}  // namespace wiregauge::probe
