// Pairs requests with answers that come in the order of the requests (Redis, memcached, MySQL, PostgreSQL): a bounded
// FIFO with deadlines, and the rule for losses: never pair by guess. After a loss in either direction nothing is told
// until the order is certain again, that is, until a whole turn has passed in which as many answers came as requests
// went. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "exporter/decode/budget.h"
#include "exporter/match/sink.h"

namespace wiregauge::match {

// Request: what a protocol keeps of a request until its answer comes; trivially copyable, small.
template <typename Request>
class OrderedPairs {
 public:
  // What one connection may have in flight. redis-benchmark pipelines 16 to 1,000, mass insertion tens of thousands.
  static constexpr std::uint32_t kRequestsMax = 16'384;
  // Room for so many is kept while nothing waits and is not charged to the budget.
  static constexpr std::uint32_t kRequestsKept = 4;

  struct Entry {
    Request request{};
    std::uint64_t start_ns = 0;      // first byte
    std::uint64_t last_byte_ns = 0;  // of the request: its deadline counts from here
    bool expired = false;            // told as timed out; waits for its late answer
  };

  explicit OrderedPairs(decode::MemoryBudget& budget) : budget_(budget) {}
  ~OrderedPairs() { Release(); }
  OrderedPairs(const OrderedPairs&) = delete;
  OrderedPairs& operator=(const OrderedPairs&) = delete;

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // Nothing is kept or told since a loss.
  [[nodiscard]] bool suspended() const { return suspended_; }
  // Only when not empty. References are valid until the next OnRequest or OnAnswer.
  [[nodiscard]] Entry& front() { return At(0); }
  [[nodiscard]] const Entry& front() const { return const_cast<OrderedPairs*>(this)->At(0); }
  [[nodiscard]] Entry& back() { return At(size_ - 1); }
  [[nodiscard]] Entry& at(std::uint32_t i) { return At(i); }  // 0: the oldest

  // A request went. False when it is not kept: counted in `counts`, its answer will be swallowed.
  bool OnRequest(const Entry& entry, ConnectionCounts& counts) {
    if (suspended_ && answers_in_turn_ > 0) TurnEnds();
    if (suspended_) {
      ++requests_in_turn_;
      ++counts.unpaired_requests;
      return false;
    }
    if (!MakeRoom()) {
      ++counts.evicted_requests;
      Suspend(counts);
      ++requests_in_turn_;
      return false;
    }
    At(size_++) = entry;
    return true;
  }

  // A whole answer came: gives the request that it belongs to, which is taken out. Nothing when there is none to be
  // told (counted in `counts`): a late one, one in a suspended turn, one to nothing.
  std::optional<Entry> OnAnswer(ConnectionCounts& counts) {
    if (suspended_) {
      ++answers_in_turn_;
      ++counts.unmatched_answers;
      return std::nullopt;
    }
    if (size_ == 0) {
      ++counts.unmatched_answers;
      return std::nullopt;
    }
    const Entry entry = At(0);
    PopFront();
    if (!entry.expired) return entry;
    ++counts.late_answers;
    return std::nullopt;
  }

  // Bytes were lost in which requests or answers may have been: nothing that waits can be paired any more.
  void Suspend(ConnectionCounts& counts) {
    for (std::uint32_t i = 0; i < size_; ++i) counts.unpaired_requests += At(i).expired ? 0 : 1;
    Clear();
    suspended_ = true;
    requests_in_turn_ = 0;
    answers_in_turn_ = 0;
    turn_counts_ = false;
  }

  // The order is certain for another reason (a protocol that shows it is idle).
  void Resume() { suspended_ = false; }

  // The oldest request without an answer whose deadline is next, null when there is none.
  [[nodiscard]] Entry* NextWithDeadline() { return expired_ < size_ ? &At(expired_) : nullptr; }
  [[nodiscard]] const Entry* NextWithDeadline() const { return const_cast<OrderedPairs*>(this)->NextWithDeadline(); }
  // NextWithDeadline() was told as timed out: its answer, if it comes, is swallowed.
  void PassDeadline() { At(expired_++).expired = true; }

  // Takes out every request, oldest first, for visit(entry); those that expired are left out.
  template <typename Visit>
  void Drain(Visit visit) {
    while (size_ > 0) {
      const Entry entry = At(0);
      PopFront();
      if (!entry.expired) visit(entry);
    }
  }

  void PopFront() {
    head_ = (head_ + 1) & (capacity_ - 1);
    --size_;
    if (expired_ > 0) --expired_;
    if (size_ == 0 && capacity_ > kRequestsKept) Release();
  }

 private:
  Entry& At(std::uint32_t i) { return ring_[(head_ + i) & (capacity_ - 1)]; }

  // Requests begin again after answers. The first turn since the loss may have lost some of its own: it does not count.
  void TurnEnds() {
    if (turn_counts_ && requests_in_turn_ == answers_in_turn_) suspended_ = false;
    turn_counts_ = true;
    requests_in_turn_ = 0;
    answers_in_turn_ = 0;
  }

  void Clear() {
    head_ = size_ = expired_ = 0;
    if (capacity_ > kRequestsKept) Release();
  }

  bool MakeRoom() {
    if (size_ < capacity_) return true;
    if (size_ >= kRequestsMax) return false;
    const std::uint32_t wanted = capacity_ == 0 ? 1 : capacity_ * 2;
    if (wanted > kRequestsKept && !budget_.Take(wanted * sizeof(Entry))) return false;
    auto ring = std::make_unique<Entry[]>(wanted);
    for (std::uint32_t i = 0; i < size_; ++i) ring[i] = At(i);
    if (capacity_ > kRequestsKept) budget_.Give(capacity_ * sizeof(Entry));
    ring_ = std::move(ring);
    capacity_ = wanted;
    head_ = 0;
    return true;
  }

  void Release() {
    if (capacity_ > kRequestsKept) budget_.Give(capacity_ * sizeof(Entry));
    ring_.reset();
    capacity_ = head_ = size_ = expired_ = 0;
  }

  decode::MemoryBudget& budget_;
  std::unique_ptr<Entry[]> ring_;  // capacity_ entries, a power of two
  std::uint32_t capacity_ = 0;
  std::uint32_t head_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t expired_ = 0;           // so many of the oldest have passed their deadline
  std::uint32_t requests_in_turn_ = 0;  // while suspended
  std::uint32_t answers_in_turn_ = 0;
  bool suspended_ = false;
  bool turn_counts_ = false;
};

}  // namespace wiregauge::match
