#include "daemon/version.h"

#include <fmt/format.h>

// Written by daemon/revision.cmake at every build.
#include "wiregauge_revision.h"

namespace wiregauge::daemon {

std::string_view Version() { return WIREGAUGE_VERSION; }
std::string_view Branch() { return WIREGAUGE_BRANCH; }
std::string_view Revision() { return WIREGAUGE_REVISION; }

std::string_view Compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string_view Platform() {
#if defined(__x86_64__)
  return "linux/amd64";
#elif defined(__aarch64__)
  return "linux/arm64";
#else
  return "linux/other";
#endif
}

std::string VersionText() {
  return fmt::format("wiregauge, version {} (branch: {}, revision: {})\n  compiler:  {}\n  platform:  {}\n", Version(),
                     Branch(), Revision(), Compiler(), Platform());
}

}  // namespace wiregauge::daemon
