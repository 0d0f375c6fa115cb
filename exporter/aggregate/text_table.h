// The values of one label as small integers, with a budget: routes, operations, destinations and codes of one service.
// What is new and over the budget is one value, "_OTHER", so that the number of series is bounded and totals stay
// exact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "exporter/aggregate/hash.h"

namespace wiregauge::aggregate {

using TextId = std::uint16_t;
inline constexpr TextId kNoId = 0;     // the empty text: no label
inline constexpr TextId kOtherId = 1;  // kOtherText
inline constexpr std::string_view kOtherText = "_OTHER";

// Hash that looks up string views without making strings.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return HashText(text); }
};

// What is longer is no name that somebody gave (Kafka's longest topic has 249 bytes, most are below 64).
inline constexpr std::size_t kTextBytesMax = 256;

// One thread at a time.
class TextTable {
 public:
  // At most `texts_max` texts (below 65,534), of which `doubtful_max` may be ones that were only ever doubtful.
  TextTable(std::size_t texts_max, std::size_t doubtful_max);

  // The text's id; kOtherId when it is new and over its budget, or longer than kTextBytesMax. `doubtful`: the answer
  // said that there is no such thing (404, NXDOMAIN), so that who guesses names cannot take the whole budget.
  TextId IdOf(std::string_view text, bool doubtful);
  // Lives until the next Keep. Empty for kNoId.
  [[nodiscard]] std::string_view TextOf(TextId id) const { return texts_[id]; }
  // Forgets the texts whose ids are not marked; their ids are used again. `used` is indexed by id, of any size.
  void Keep(const std::vector<bool>& used);
  [[nodiscard]] std::size_t size() const { return ids_.size(); }  // without the two fixed ones

 private:
  std::size_t texts_max_;
  std::size_t doubtful_max_;
  absl::flat_hash_map<std::string, TextId, TextHash, std::equal_to<>> ids_;
  std::vector<std::string> texts_;   // by id
  std::vector<bool> only_doubtful_;  // by id
  std::vector<TextId> free_;
  std::size_t doubtful_count_ = 0;
};

}  // namespace wiregauge::aggregate
