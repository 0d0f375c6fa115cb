// What was built, from what, by what.
#pragma once

#include <string>
#include <string_view>

namespace wiregauge::daemon {

std::string_view Version();   // "0.1.0"
std::string_view Branch();    // "unknown" outside a git work tree
std::string_view Revision();  // full commit hash, "-dirty" when the tree had changes
std::string_view Compiler();  // "g++ 12.2.0"
std::string_view Platform();  // "linux/amd64"

// What --version prints, as Prometheus' programs do.
std::string VersionText();

}  // namespace wiregauge::daemon
