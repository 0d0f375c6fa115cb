// What senders say about metric families: type, help and unit, the last word wins. In memory only: senders repeat it
// every minute. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace wiregauge::query {

struct FamilyMetadata {
  std::string type;  // "counter" and the like; "unknown"
  std::string help;
  std::string unit;
};

class MetadataTable {
 public:
  // Families kept; a large Prometheus knows some ten thousand. Further ones are turned away and counted.
  static constexpr std::size_t kMaxFamilies = 50'000;
  // Bytes of a help text kept, the rest is cut: prose, not data.
  static constexpr std::size_t kMaxHelpBytes = 4096;

  // `type` is the enum of remote write: 1 counter to 7 stateset. False when the family is turned away: no name, a name
  // or unit that is too long, text that is not UTF-8, or the table is full.
  bool Set(std::string_view family, std::uint64_t type, std::string_view help, std::string_view unit);

  // Sorted by family; one family when `family` is not empty; at most `limit`, all when negative.
  [[nodiscard]] std::vector<std::pair<std::string, FamilyMetadata>> Get(std::string_view family,
                                                                        std::int64_t limit) const;
  [[nodiscard]] std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, FamilyMetadata, std::less<>> families_;
};

}  // namespace wiregauge::query
