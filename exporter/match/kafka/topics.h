// The topics that one Kafka connection has named, so that a request that waits keeps a number and not a name, and the
// ids that stand for them (KIP-516). Bounded; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "exporter/decode/budget.h"
#include "exporter/decode/kafka/types.h"

namespace wiregauge::match::kafka {

class Topics {
 public:
  using Number = std::uint16_t;
  // No topic, or one that is not known.
  static constexpr Number kNone = 0;
  // A consumer or producer works on some dozen topics. What comes beyond is counted without its name.
  static constexpr std::size_t kTopicsMax = 1'024;
  // What a topic takes, charged to the budget: its name and its places in the tables.
  static constexpr std::size_t kTopicBytes = 192;

  explicit Topics(decode::MemoryBudget& budget) : budget_(budget) {}
  ~Topics() { budget_.Give(names_.size() * kTopicBytes); }
  Topics(const Topics&) = delete;
  Topics& operator=(const Topics&) = delete;

  // kNone when there is no room.
  Number NumberOf(std::string_view name) {
    const auto found = numbers_.find(name);
    if (found != numbers_.end()) return found->second;
    if (names_.size() >= kTopicsMax || !budget_.Take(kTopicBytes)) return kNone;
    const auto number = static_cast<Number>(names_.size() + 1);
    numbers_.emplace(names_.emplace_back(name), number);
    return number;
  }

  // Empty for kNone; else valid as long as this.
  [[nodiscard]] std::string_view NameOf(Number number) const {
    return number == kNone ? std::string_view() : std::string_view(names_[number - 1u]);
  }

  void Learn(const decode::kafka::TopicId& id, Number number) {
    if (ids_.size() < kTopicsMax || ids_.contains(id)) ids_.insert_or_assign(id, number);
  }
  [[nodiscard]] Number Find(const decode::kafka::TopicId& id) const {
    const auto found = ids_.find(id);
    return found == ids_.end() ? kNone : found->second;
  }

 private:
  decode::MemoryBudget& budget_;
  std::deque<std::string> names_;  // the names stay where they are
  absl::flat_hash_map<std::string_view, Number> numbers_;
  absl::flat_hash_map<decode::kafka::TopicId, Number> ids_;
};

}  // namespace wiregauge::match::kafka
