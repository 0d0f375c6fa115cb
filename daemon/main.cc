#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/daemon.h"
#include "daemon/doctor.h"
#include "daemon/planes.h"
#include "daemon/version.h"

namespace wiregauge::daemon {
namespace {

int Fail(const Error& error) {
  std::fprintf(stderr, "wiregauge: %s\n", error.message.c_str());
  return EXIT_FAILURE;
}

int Run(config::CommandLine line, const config::Settings& settings) {
  Daemon daemon(std::move(line), settings);
  if (const Status started = daemon.Start(); !started) return Fail(started.error());
  daemon.WaitForSignals();
  if (const Status stopped = daemon.Stop(); !stopped) return Fail(stopped.error());
  return EXIT_SUCCESS;
}

int Main(const std::vector<std::string>& arguments) {
  const auto line = config::ParseCommandLine(arguments, VersionText());
  if (!line) return Fail(line.error());
  if (line->command == config::Command::kPrintAndExit) {
    std::fputs(line->text.c_str(), stdout);
    return EXIT_SUCCESS;
  }
  const auto settings = config::Resolve(*line, config::ProcessEnvironment());
  if (!settings) return Fail(settings.error());
  log::Configure(settings->log_level, settings->log_format);
  if (const Status valid = Validate(*settings); !valid) return Fail(valid.error());
  if (line->check) {
    std::fputs("wiregauge: the configuration is valid\n", stdout);
    return EXIT_SUCCESS;
  }
  if (line->command == config::Command::kDoctor) return Doctor(*settings);
  if (line->command == config::Command::kExplain) return Explain(*settings, line->pid);
  return Run(*line, *settings);
}

}  // namespace
}  // namespace wiregauge::daemon

int main(int argc, char** argv) { return wiregauge::daemon::Main(std::vector<std::string>(argv + 1, argv + argc)); }
