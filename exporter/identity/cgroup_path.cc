#include "exporter/identity/cgroup_path.h"

#include <algorithm>

namespace wiregauge::identity {
namespace {

constexpr std::size_t kContainerIdDigits = 64;

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool RemoveSuffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

// "<id>", "docker-<id>.scope", "crio-<id>", "kubepods-…:cri-containerd:<id>": the id is last, alone or after "-" or
// ":".
std::string_view ContainerIdOf(std::string_view segment) {
  RemoveSuffix(segment, ".scope");
  if (segment.size() < kContainerIdDigits) return {};
  const std::string_view id = segment.substr(segment.size() - kContainerIdDigits);
  const std::string_view before = segment.substr(0, segment.size() - kContainerIdDigits);
  if (!std::all_of(id.begin(), id.end(), IsHex)) return {};
  if (!before.empty() && before.back() != '-' && before.back() != ':') return {};
  if (before.ends_with("-conmon-") || before == "conmon-") return {};
  return id;
}

// "pod<uid>" (cgroupfs driver) or "kubepods[-qos]-pod<uid>.slice[:…]" (systemd driver); 32 to 36 of hex, "-" and "_".
std::string_view PodUidOf(std::string_view segment) {
  constexpr std::size_t kUidMin = 32;
  constexpr std::size_t kUidMax = 36;
  std::size_t begin = 0;
  if (segment.starts_with("pod")) {
    begin = 3;
  } else if (segment.starts_with("kubepods")) {
    const std::size_t mark = segment.find("-pod");
    if (mark == std::string_view::npos) return {};
    begin = mark + 4;
  } else {
    return {};
  }
  std::size_t end = begin;
  while (end < segment.size() && (IsHex(segment[end]) || segment[end] == '-' || segment[end] == '_')) ++end;
  const std::size_t size = end - begin;
  return size >= kUidMin && size <= kUidMax ? segment.substr(begin, size) : std::string_view{};
}

bool NamesAService(std::string_view segment) {
  return segment.size() > std::string_view(".service").size() && segment.ends_with(".service") &&
         !segment.starts_with("user@");
}

int Score(const CgroupFacts& facts) { return facts.container_id.empty() ? (facts.systemd_unit.empty() ? 0 : 1) : 2; }

// How early a controller list is preferred among equals: v2 (empty), name=systemd, others.
int Rank(std::string_view controllers) { return controllers.empty() ? 2 : controllers == "name=systemd" ? 1 : 0; }

}  // namespace

CgroupFacts ParseCgroupPath(std::string_view path) {
  CgroupFacts facts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (const std::string_view pod = PodUidOf(segment); !pod.empty()) facts.pod_uid = pod;
    if (const std::string_view id = ContainerIdOf(segment); !id.empty()) {
      facts.container_id = id;
      facts.systemd_unit = {};  // the unit around a container is its runtime's, not its own
    } else if (NamesAService(segment)) {
      facts.systemd_unit = segment;
    }
  }
  return facts;
}

std::string_view ChooseCgroupPath(std::string_view text) {
  std::string_view best;
  int best_worth = -1;
  while (!text.empty()) {
    const std::size_t newline = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view path = line.substr(second + 1);
    const int worth = Score(ParseCgroupPath(path)) * 3 + Rank(line.substr(first + 1, second - first - 1));
    if (worth <= best_worth) continue;
    best_worth = worth;
    best = path;
  }
  return best;
}

std::string UnitName(std::string_view unit) {
  RemoveSuffix(unit, ".service");
  std::string name;
  for (std::size_t i = 0; i < unit.size(); ++i) {
    if (unit.substr(i).starts_with("\\x") && i + 3 < unit.size()) {
      const int value = HexValue(unit[i + 2]) * 16 + HexValue(unit[i + 3]);
      if (HexValue(unit[i + 2]) >= 0 && HexValue(unit[i + 3]) >= 0 && value >= 0x20 && value < 0x7f) {
        name.push_back(static_cast<char>(value));
        i += 3;
        continue;
      }
    }
    name.push_back(unit[i]);
  }
  return name;
}

}  // namespace wiregauge::identity
