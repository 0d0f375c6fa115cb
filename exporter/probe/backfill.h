// Sockets older than the program: finds their owners in /proc and has the kernel side walk them, one network namespace
// at a time. One thread, at attach; needs CAP_SYS_ADMIN for namespaces other than our own.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "exporter/probe/cgroup.h"

struct bpf_link;

namespace wiregauge::probe {

struct BackfillReport {
  std::size_t namespaces = 0;
  std::size_t namespaces_failed = 0;
  std::size_t sockets_with_owner = 0;
};

struct BackfillMaps {
  int sockets_fd = -1;  // backfill_owners: emptied at the end
  int owners_fd = -1;   // owners
};

// `iterators` are those of the attached programs.
BackfillReport Backfill(const std::vector<CgroupScope>& scopes, const std::vector<bpf_link*>& iterators,
                        const BackfillMaps& maps);

// Runs an iterator program over all its objects once. kIo with the system's reason.
Status RunIterator(bpf_link* iterator);

}  // namespace wiregauge::probe
