// Flags by CLI11: --a.b=v, --a.b v, --x, --no-x, and the subcommands.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include "daemon/config/config.h"
#include "daemon/config/options.h"

namespace wiregauge::config {
namespace {

struct Flags {
  CLI::App app{"One daemon for a Linux host: eBPF network metrics on /metrics, and a Prometheus remote-write sink.",
               "wiregauge"};
  std::map<std::string, CLI::Option*> options;
  bool version = false;
  CommandLine line;
};

void AddOption(Flags& flags, const Option& option) {
  const std::string flag(option.flag);
  const std::string help = fmt::format("{} [{}]", option.help, EnvironmentName(option.flag));
  if (option.kind == Kind::kBool) {
    flags.options[flag] = flags.app.add_flag(fmt::format("--{0},!--no-{0}", flag), help)
                              ->multi_option_policy(CLI::MultiOptionPolicy::Throw);
    return;
  }
  CLI::Option* const added = flags.app.add_option("--" + flag, flags.line.values[flag], help);
  added->type_name(std::string(option.value_name))->expected(1)->delimiter('\0');
  if (option.kind != Kind::kText) {
    added->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  } else {
    added->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  }
  flags.options[flag] = added;
}

void AddAll(Flags& flags) {
  flags.app.set_help_flag("-h,--help", "Print this help and exit");
  flags.app.add_flag("--version", flags.version, "Print the version and exit");
  flags.app
      .add_option("--config.file", flags.line.config_file,
                  "YAML file with any of these options [WIREGAUGE_CONFIG_FILE]")
      ->type_name("PATH");
  flags.app.add_flag("--config.check", flags.line.check, "Validate the configuration and exit");
  for (const Option& option : Options()) AddOption(flags, option);
  flags.app.fallthrough();
  flags.app.require_subcommand(0, 1);
  flags.app.add_subcommand("doctor", "Print what can be measured here, and what is missing for the rest");
  CLI::App* const explain = flags.app.add_subcommand("explain", "Print why a process is, or is not, measured");
  explain->add_option("--pid", flags.line.pid, "The process")->required()->check(CLI::PositiveNumber);
}

CommandLine Collect(Flags& flags) {
  CommandLine line = flags.line;
  line.values.clear();
  for (const auto& [flag, option] : flags.options) {
    if (option->count() > 0) line.values[flag] = option->results();
  }
  if (flags.app.got_subcommand("doctor")) line.command = Command::kDoctor;
  if (flags.app.got_subcommand("explain")) line.command = Command::kExplain;
  return line;
}

}  // namespace

Result<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments, const std::string& version) {
  Flags flags;
  AddAll(flags);
  try {
    // CLI11 wants the arguments last first.
    flags.app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return CommandLine{.command = Command::kPrintAndExit, .text = flags.app.help()};
  } catch (const CLI::CallForAllHelp&) {
    return CommandLine{.command = Command::kPrintAndExit, .text = flags.app.help("", CLI::AppFormatMode::All)};
  } catch (const CLI::Error& failure) {
    if (flags.version) return CommandLine{.command = Command::kPrintAndExit, .text = version};
    return Error{Code::kInvalidArgument, failure.what()};
  }
  if (flags.version) return CommandLine{.command = Command::kPrintAndExit, .text = version};
  return Collect(flags);
}

}  // namespace wiregauge::config
