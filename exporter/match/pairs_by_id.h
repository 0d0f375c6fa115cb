// Pairs requests with answers by an id that both carry (Kafka's correlation id, MQTT's packet id, DNS' id): bounded,
// with deadlines in the order of the requests. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "exporter/decode/budget.h"
#include "exporter/match/sink.h"

namespace wiregauge::match {

// Id: what absl can hash. Request: what a protocol keeps of a request until its answer comes; small.
template <typename Id, typename Request>
class PairsById {
 public:
  static constexpr std::size_t kRequestsMax = 16'384;
  // An entry with its share of the map and the deadlines; beyond so many it is charged to the budget.
  static constexpr std::size_t kEntryBytes = 2 * (sizeof(Id) + sizeof(Request) + 48);
  static constexpr std::size_t kRequestsKept = 8;

  struct Entry {
    Request request{};
    std::uint64_t start_ns = 0;
    std::uint64_t last_byte_ns = 0;
    std::uint64_t number = 0;  // set by OnRequest
  };

  explicit PairsById(decode::MemoryBudget& budget) : budget_(budget) {}
  ~PairsById() { budget_.Give(charged_); }
  PairsById(const PairsById&) = delete;
  PairsById& operator=(const PairsById&) = delete;

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  // A request went. One that waits under the same id will have no answer that is told: it is given back in `replaced`.
  // False when it is not kept (counted).
  bool OnRequest(const Id& id, Entry entry, std::optional<Entry>& replaced, ConnectionCounts& counts) {
    replaced = Take(id);
    const bool charge = entries_.size() >= kRequestsKept;
    if (entries_.size() >= kRequestsMax || (charge && !budget_.Take(kEntryBytes))) {
      ++counts.evicted_requests;
      return false;
    }
    charged_ += charge ? kEntryBytes : 0;
    entry.number = ++number_;
    if (deadlines_.size() >= 2 * entries_.size() + kRequestsKept) ForgetAnswered();
    deadlines_.emplace_back(id, entry.number);
    entries_.emplace(id, std::move(entry));
    return true;
  }

  [[nodiscard]] Entry* Find(const Id& id) {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
  }

  // Takes out the request with this id. The caller counts an answer without one.
  std::optional<Entry> Take(const Id& id) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return std::nullopt;
    Entry entry = std::move(found->second);
    entries_.erase(found);
    if (charged_ != 0) {
      budget_.Give(kEntryBytes);
      charged_ -= kEntryBytes;
    }
    if (entries_.empty()) {
      deadlines_.clear();
      first_ = 0;
    }
    return entry;
  }

  // The request that went first among those that wait, null when there is none.
  [[nodiscard]] const Entry* Oldest() {
    for (; first_ < deadlines_.size(); ++first_) {
      if (const Entry* entry = Waiting(deadlines_[first_])) return entry;
    }
    return nullptr;
  }
  // Takes out Oldest(), which is not null, with its id.
  std::pair<Id, Entry> TakeOldest() {
    static_cast<void>(Oldest());  // moves on to it
    const Id id = deadlines_[first_].first;
    return {id, *Take(id)};
  }

  // Takes out every request, oldest first, for visit(id, entry).
  template <typename Visit>
  void Drain(Visit visit) {
    while (Oldest() != nullptr) {
      const auto [id, entry] = TakeOldest();
      visit(id, entry);
    }
  }

 private:
  using Deadline = std::pair<Id, std::uint64_t>;

  const Entry* Waiting(const Deadline& deadline) const {
    const auto found = entries_.find(deadline.first);
    return found != entries_.end() && found->second.number == deadline.second ? &found->second : nullptr;
  }

  void ForgetAnswered() {
    std::erase_if(deadlines_, [this](const Deadline& deadline) { return Waiting(deadline) == nullptr; });
    first_ = 0;
  }

  decode::MemoryBudget& budget_;
  absl::flat_hash_map<Id, Entry> entries_;
  std::vector<Deadline> deadlines_;  // in the order of requests; those answered are skipped when met
  std::size_t first_ = 0;            // of deadlines_ that may wait yet
  std::uint64_t number_ = 0;
  std::size_t charged_ = 0;
};

}  // namespace wiregauge::match
