#include "exporter/aggregate/text_table.h"

namespace wiregauge::aggregate {

TextTable::TextTable(std::size_t texts_max, std::size_t doubtful_max)
    : texts_max_(texts_max),
      doubtful_max_(doubtful_max),
      texts_{std::string(), std::string(kOtherText)},
      only_doubtful_(2, false) {}

TextId TextTable::IdOf(std::string_view text, bool doubtful) {
  if (text.empty()) return kNoId;
  if (const auto known = ids_.find(text); known != ids_.end()) {
    const TextId id = known->second;
    if (!doubtful && only_doubtful_[id]) {
      only_doubtful_[id] = false;
      --doubtful_count_;
    }
    return id;
  }
  const bool fits = text.size() <= kTextBytesMax && ids_.size() < texts_max_;
  if (!fits || (doubtful && doubtful_count_ >= doubtful_max_)) return kOtherId;
  if (free_.empty()) {
    free_.push_back(static_cast<TextId>(texts_.size()));
    texts_.emplace_back();
    only_doubtful_.push_back(false);
  }
  const TextId id = free_.back();
  free_.pop_back();
  texts_[id] = text;
  only_doubtful_[id] = doubtful;
  doubtful_count_ += doubtful ? 1 : 0;
  ids_.emplace(std::string(text), id);
  return id;
}

void TextTable::Keep(const std::vector<bool>& used) {
  for (auto at = ids_.begin(); at != ids_.end();) {
    const auto current = at++;
    const TextId id = current->second;
    if (id < used.size() && used[id]) continue;
    doubtful_count_ -= only_doubtful_[id] ? 1 : 0;
    only_doubtful_[id] = false;
    texts_[id].clear();
    free_.push_back(id);
    ids_.erase(current);
  }
}

}  // namespace wiregauge::aggregate
