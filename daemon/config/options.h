// The one table of options: a flag, its environment variable (by rule), its key in the config file, its help line and
// its check. Flags, environment, file and --help are all made from it, so they cannot disagree.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "daemon/config/settings.h"

namespace wiregauge::config {

// kMap: entries "name=value"; as flags and in the environment separated by commas, in the file a map. kRoutes: entries
// "service=template"; in the file a list of maps with `service` and `templates`.
enum class Kind { kText, kBool, kList, kMap, kRoutes };

struct Option {
  std::string_view flag;      // without the dashes: "web.listen-address"
  std::string_view file_key;  // section and key: "web.listen_addresses"; sections are one deep
  Kind kind = Kind::kText;
  std::string_view value_name;  // in --help; empty for kBool
  std::string_view help;
  bool reloadable = false;  // SIGHUP applies it; others are logged as needing a restart
  // One value for kText and kBool, entries as Kind says for kMap and kRoutes ("true" or "false"). The error names the
  // value, not where it came from.
  std::function<Status(Settings&, const std::vector<std::string>&)> set;
};

// In the order of --help.
const std::vector<Option>& Options();

// "web.listen-address" -> "WIREGAUGE_WEB_LISTEN_ADDRESS".
std::string EnvironmentName(std::string_view flag);

}  // namespace wiregauge::config
