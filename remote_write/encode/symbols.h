// Label names, and label values per name, as dense integers: each text is stored once, and each value knows the series
// that carry it. Names count from 0, values from 1 (0 is "no such value"). Ids are never reused.
// One writer or many readers at a time (the dictionary's lock); texts may be read without it, they never move.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "base/result.h"
#include "remote_write/encode/posting_list.h"
#include "remote_write/encode/text_arena.h"

namespace wiregauge::encode {

using NameId = std::uint32_t;
using ValueId = std::uint32_t;
inline constexpr NameId kNoName = 0xffffffff;

// A dense list of texts with a hash index over them that stores ids only: 16 + about 6 bytes a text beside the text.
class TextTable {
 public:
  explicit TextTable(TextArena& arena) : arena_(arena), index_(0, Hash{&texts_}, Equal{&texts_}) {}
  TextTable(const TextTable&) = delete;
  TextTable& operator=(const TextTable&) = delete;

  // The position of the text, or size() when it is not there.
  [[nodiscard]] std::uint32_t Find(std::string_view text) const {
    const auto found = index_.find(text);
    return found == index_.end() ? size() : *found;
  }
  // The text must be absent. Returns its position, the former size().
  std::uint32_t Add(std::string_view text) {
    texts_.push_back(arena_.Add(text));
    index_.insert(size() - 1);
    return size() - 1;
  }
  [[nodiscard]] std::string_view Text(std::uint32_t position) const { return texts_[position]; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(texts_.size()); }
  [[nodiscard]] std::size_t MemoryBytes() const { return texts_.capacity() * 16 + index_.capacity() * 5; }

 private:
  struct Hash {
    using is_transparent = void;
    const std::vector<std::string_view>* texts;
    std::size_t operator()(std::string_view text) const { return absl::Hash<std::string_view>()(text); }
    std::size_t operator()(std::uint32_t position) const { return (*this)((*texts)[position]); }
  };
  struct Equal {
    using is_transparent = void;
    const std::vector<std::string_view>* texts;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(std::uint32_t a, std::string_view b) const { return (*texts)[a] == b; }
    bool operator()(std::string_view a, std::uint32_t b) const { return a == (*texts)[b]; }
  };

  TextArena& arena_;
  std::vector<std::string_view> texts_;
  absl::flat_hash_set<std::uint32_t, Hash, Equal> index_;
};

class Symbols {
 public:
  // The values of one name.
  struct Values {
    explicit Values(TextArena& arena) : texts(arena) {}
    TextTable texts;                    // position p is value id p + 1
    std::vector<PostingList> postings;  // same positions
    [[nodiscard]] std::string_view Text(ValueId id) const { return texts.Text(id - 1); }
    [[nodiscard]] ValueId last_id() const { return texts.size(); }
  };

  Symbols() : names_(arena_) {}

  // kNoName when unknown.
  [[nodiscard]] NameId FindName(std::string_view name) const {
    const std::uint32_t found = names_.Find(name);
    return found == names_.size() ? kNoName : found;
  }
  // 0 when unknown.
  [[nodiscard]] ValueId FindValue(NameId name, std::string_view value) const {
    const TextTable& texts = values_[name].texts;
    const std::uint32_t found = texts.Find(value);
    return found == texts.size() ? 0 : found + 1;
  }

  // The text must be unknown.
  NameId AddName(std::string_view name);
  ValueId AddValue(NameId name, std::string_view value);
  void AppendPosting(NameId name, ValueId value, store::SeriesId series) {
    values_[name].postings[value - 1].Append(series);
  }

  [[nodiscard]] std::string_view Name(NameId id) const { return names_.Text(id); }
  [[nodiscard]] const Values& ValuesOf(NameId id) const { return values_[id]; }
  [[nodiscard]] std::uint32_t name_count() const { return names_.size(); }
  [[nodiscard]] std::uint64_t value_count() const { return value_count_; }
  [[nodiscard]] std::size_t text_bytes() const { return arena_.text_bytes(); }
  [[nodiscard]] std::size_t MemoryBytes() const;

 private:
  TextArena arena_;
  TextTable names_;
  std::deque<Values> values_;  // by name id
  std::uint64_t value_count_ = 0;
};

}  // namespace wiregauge::encode
