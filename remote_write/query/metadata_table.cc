#include "remote_write/query/metadata_table.h"

#include <array>

#include "remote_write/receive/labels.h"

namespace wiregauge::query {
namespace {

constexpr std::array<std::string_view, 8> kTypes = {"unknown",        "counter", "gauge", "histogram",
                                                    "gaugehistogram", "summary", "info",  "stateset"};

// At most `max_bytes`, without half a character at the end.
std::string_view CutUtf8(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

bool MetadataTable::Set(std::string_view family, std::uint64_t type, std::string_view help, std::string_view unit) {
  const bool valid = receive::IsValidMetricName(family) && family.size() <= receive::kMaxLabelValueBytes &&
                     unit.size() <= receive::kMaxLabelNameBytes && receive::IsValidUtf8(unit) &&
                     receive::IsValidUtf8(help);
  if (!valid) return false;
  const std::string_view type_name = kTypes[type < kTypes.size() ? type : 0];
  const std::string_view kept_help = CutUtf8(help, kMaxHelpBytes);
  const std::lock_guard lock(mutex_);
  auto found = families_.find(family);
  if (found == families_.end()) {
    if (families_.size() >= kMaxFamilies) return false;
    found = families_.emplace(std::string(family), FamilyMetadata{}).first;
  }
  found->second.type = type_name;
  found->second.help = kept_help;
  found->second.unit = unit;
  return true;
}

std::vector<std::pair<std::string, FamilyMetadata>> MetadataTable::Get(std::string_view family,
                                                                       std::int64_t limit) const {
  std::vector<std::pair<std::string, FamilyMetadata>> out;
  const std::lock_guard lock(mutex_);
  if (!family.empty()) {
    const auto found = families_.find(family);
    if (found != families_.end() && limit != 0) out.emplace_back(*found);
    return out;
  }
  for (const auto& entry : families_) {
    if (limit >= 0 && out.size() >= static_cast<std::size_t>(limit)) break;
    out.emplace_back(entry);
  }
  return out;
}

std::size_t MetadataTable::size() const {
  const std::lock_guard lock(mutex_);
  return families_.size();
}

}  // namespace wiregauge::query
