// What the process may do, and giving it up. Linux capabilities(7) through libcap-ng.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "exporter/probe/tls.h"

namespace wiregauge::probe {

struct Capability {
  std::string name;     // "CAP_BPF"
  std::string purpose;  // what it is needed for
  bool held = false;
  bool needed_after_attach = false;
};

// Those that the exporter wants, in the order that doctor prints them. Before Linux 5.8 CAP_BPF and CAP_PERFMON do not
// exist and CAP_SYS_ADMIN stands for them; `held` is then that one's.
// With TLS, processes that start later are attached to later.
std::vector<Capability> WantedCapabilities(const TlsReport& tls);

// Gives up everything but what WantedCapabilities marks as needed after attach and what `keep` names ("CAP_…"), for
// the whole process: call before other threads start, since each thread has its own set. Returns the names kept.
Result<std::vector<std::string>> DropCapabilities(const std::vector<std::string>& keep, const TlsReport& tls);

}  // namespace wiregauge::probe
