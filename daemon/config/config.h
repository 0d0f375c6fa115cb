// From argv, environment and file to Settings. Precedence: flag > environment > file > default. Every message names
// the source of the value: the flag, the variable, or file:line:column.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/config/settings.h"

namespace wiregauge::config {

enum class Command { kRun, kDoctor, kExplain, kPrintAndExit };

struct CommandLine {
  Command command = Command::kRun;
  std::string text;  // kPrintAndExit: help or version, for stdout
  int pid = 0;       // kExplain
  bool check = false;
  std::string config_file;                                 // from the flag only
  std::map<std::string, std::vector<std::string>> values;  // by flag name, as given
};

// What getenv() would say; an empty value counts as unset.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment ProcessEnvironment();

// `version` is what --version prints. kInvalidArgument with one line for bad flags.
Result<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments, const std::string& version);

// The file that was named by flag or environment, or nothing.
std::string ConfigFile(const CommandLine& line, const Environment& environment);

// Reads the file, if any, and resolves every option.
Result<Settings> Resolve(const CommandLine& line, const Environment& environment);

// Names of the options whose values differ, apart from the reloadable ones; for the log line of a reload.
std::vector<std::string> NeedRestart(const Settings& before, const Settings& after);

// `before` with the reloadable options of `after`.
Settings Reloaded(const Settings& before, const Settings& after);

}  // namespace wiregauge::config
