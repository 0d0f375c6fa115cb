// process_* from /proc/self.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/yaml.h"
#include "daemon/self_metrics.h"

namespace wiregauge::daemon {
namespace {

using aggregate::FamilyType;

constexpr std::size_t kProcFileMax = 65536;

void Add(aggregate::Snapshot& out, std::string name, std::string help, std::string unit, FamilyType type,
         double value) {
  aggregate::Family family{
      .name = std::move(name), .help = std::move(help), .unit = std::move(unit), .type = type, .points = {}};
  family.points.push_back(aggregate::Point{.labels = {}, .value = value});
  out.push_back(std::move(family));
}

// The fields of /proc/self/stat after the command name, which may hold anything: [0] is field 3 of proc(5).
std::vector<double> StatFields() {
  std::vector<double> fields;
  const auto text = config::ReadFile("/proc/self/stat", kProcFileMax);
  if (!text) return fields;
  std::string_view rest(*text);
  rest.remove_prefix(rest.rfind(')') + 1);
  while (!rest.empty()) {
    const std::size_t begin = rest.find_first_not_of(" \n");
    if (begin == std::string_view::npos) break;
    rest.remove_prefix(begin);
    const std::string_view field = rest.substr(0, rest.find_first_of(" \n"));
    double value = 0;
    std::from_chars(field.data(), field.data() + field.size(), value);
    fields.push_back(value);
    rest.remove_prefix(field.size());
  }
  return fields;
}

// Seconds since 1970 at which the machine started, as the kernel tells it; 0 when it does not.
double BootTime() {
  const auto text = config::ReadFile("/proc/stat", 1U << 20U);
  if (!text) return 0;
  const std::size_t at = text->find("\nbtime ");
  double seconds = 0;
  if (at != std::string::npos) std::from_chars(text->data() + at + 7, text->data() + text->size(), seconds);
  return seconds;
}

std::size_t OpenDescriptors() {
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  std::size_t count = 0;
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] == '.' ? 0 : 1;
  closedir(folder);
  return count - 1;  // the folder's own
}

void CollectStat(aggregate::Snapshot& out) {
  const std::vector<double> fields = StatFields();
  if (fields.size() < 22) return;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  Add(out, "process_cpu_seconds", "User and system CPU time of this process.", "seconds", FamilyType::kCounter,
      (fields[11] + fields[12]) / ticks);
  Add(out, "process_threads", "Threads of this process.", "", FamilyType::kGauge, fields[17]);
  if (const double boot = BootTime(); boot > 0) {
    Add(out, "process_start_time_seconds", "When this process started, Unix time.", "seconds", FamilyType::kGauge,
        boot + fields[19] / ticks);
  }
  Add(out, "process_virtual_memory_bytes", "Address space of this process.", "bytes", FamilyType::kGauge, fields[20]);
  Add(out, "process_resident_memory_bytes", "Resident memory of this process.", "bytes", FamilyType::kGauge,
      fields[21] * static_cast<double>(sysconf(_SC_PAGESIZE)));
}

}  // namespace

void CollectProcess(aggregate::Snapshot& out) {
  CollectStat(out);
  if (const std::size_t open = OpenDescriptors(); open > 0) {
    Add(out, "process_open_fds", "Open file descriptors.", "", FamilyType::kGauge, static_cast<double>(open));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    Add(out, "process_max_fds", "Most file descriptors that may be open.", "", FamilyType::kGauge,
        static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace wiregauge::daemon
