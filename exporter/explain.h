// Why a process is, or is not, measured: what the exporter would decide for it, in words. Reads /proc and the cgroup
// mount; needs no running exporter.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "exporter/probe/tls.h"

namespace wiregauge::exporter {

// Several lines, one fact each. kNotFound when there is no such process; kInvalidArgument when a cgroup folder is none.
Result<std::string> ExplainProcess(int pid, const std::vector<std::string>& cgroups, probe::TlsMode tls);

}  // namespace wiregauge::exporter
