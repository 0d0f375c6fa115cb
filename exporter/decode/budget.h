// A bound on memory that many connections share. Each connection has limits of its own for what it may hold, but ten
// thousand connections at their limits are a peer's choice, not ours: beyond the budget the holder gives up what it
// holds and counts it. One thread.
#pragma once

#include <cstddef>

namespace wiregauge::decode {

class MemoryBudget {
 public:
  // Out-of-order segments and pipelined requests of all connections together. They are rare: a host where they need
  // more than this is losing packets on most of its connections, or is being attacked.
  static constexpr std::size_t kBytesMaxDefault = 16u << 20;

  explicit MemoryBudget(std::size_t bytes_max = kBytesMaxDefault) : bytes_max_(bytes_max) {}

  // True when `bytes` more may be held; they must be given back.
  [[nodiscard]] bool Take(std::size_t bytes) {
    if (bytes > bytes_max_ - used_) return false;
    used_ += bytes;
    return true;
  }
  void Give(std::size_t bytes) { used_ -= bytes; }

  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  std::size_t bytes_max_;
  std::size_t used_ = 0;  // <= bytes_max_
};

}  // namespace wiregauge::decode
