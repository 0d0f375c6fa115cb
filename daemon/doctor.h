// The commands that look and do not run.
#pragma once

#include <string>

#include "base/result.h"
#include "daemon/config/settings.h"
#include "daemon/plane.h"

namespace wiregauge::daemon {

// What can be checked of the settings without attaching, binding or opening anything: addresses, the web config file.
Status Validate(const config::Settings& settings);

// A table, columns aligned: state, name, detail.
std::string RenderReport(const Report& report);

// The exit codes of `wiregauge doctor` and `wiregauge explain`; both print to stdout.
int Doctor(const config::Settings& settings);
int Explain(const config::Settings& settings, int pid);

}  // namespace wiregauge::daemon
