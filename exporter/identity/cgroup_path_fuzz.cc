// Any bytes as /proc/PID/cgroup: what comes out borrows from what went in and keeps its shape.
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "exporter/identity/cgroup_path.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::identity;
  const std::string_view text = wiregauge::AsText({data, size});
  for (const std::string_view path : {text, ChooseCgroupPath(text)}) {
    const CgroupFacts facts = ParseCgroupPath(path);
    if (!facts.container_id.empty() && facts.container_id.size() != 64) wiregauge::Bug("container id");
    if (facts.pod_uid.size() > 36) wiregauge::Bug("pod uid");
    if (UnitName(facts.systemd_unit).size() > facts.systemd_unit.size()) wiregauge::Bug("unit name");
  }
  return 0;
}
