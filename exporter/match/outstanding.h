// The requests of one connection that wait for their answers, oldest first, with their paths in the same block: one
// allocation a connection, none when requests and answers take turns. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "exporter/decode/budget.h"
#include "exporter/decode/http1/types.h"
#include "exporter/decode/trace_context.h"

namespace wiregauge::match {

class Outstanding {
 public:
  // What one connection may have in flight. Browsers and proxies pipeline 10, load generators up to 1,000.
  static constexpr std::uint32_t kRequestsMax = 4'096;
  static constexpr std::uint32_t kBytesMax = 256u << 10;
  // A block up to this size is kept while nothing waits, so that a connection that pipelines a little does not allocate
  // for each batch; it is not charged to the budget.
  static constexpr std::uint32_t kBytesKept = 1'024;

  struct Entry {
    std::uint64_t start_ns = 0;
    std::uint64_t last_byte_ns = 0;
    decode::http1::Method method = decode::http1::Method::kOther;
    std::uint8_t minor_version = 1;
    bool path_cut = false;
    bool expired = false;  // reported as timed out; waits for its late answer
    std::uint16_t path_bytes = 0;
    std::uint8_t trace_bytes = 0;  // of the trace behind the path: all or none
    bool traces_differ = false;    // it named more than one: none of them is believed

    // These borrow from the block: valid until the next Push or AddTrace.
    [[nodiscard]] std::string_view path() const { return {reinterpret_cast<const char*>(this + 1), path_bytes}; }
    // Null when there is none.
    [[nodiscard]] const decode::Trace* trace() const {
      if (trace_bytes == 0 || traces_differ) return nullptr;
      return reinterpret_cast<const decode::Trace*>(reinterpret_cast<const char*>(this + 1) + path_bytes);
    }
  };

  explicit Outstanding(decode::MemoryBudget& budget) : budget_(budget) {}
  ~Outstanding() { Release(); }
  Outstanding(const Outstanding&) = delete;
  Outstanding& operator=(const Outstanding&) = delete;

  [[nodiscard]] std::uint32_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

  // Appends a request with this path. False, and nothing changed, when a limit or the budget is reached.
  bool Push(Entry entry, std::string_view path);
  // The youngest request carries this trace. Not kept, and nothing changed, when a limit or the budget is reached: a
  // trace is an example.
  void AddTrace(const decode::Trace& trace);
  // Only when not empty. References are valid until the next Push, AddTrace, Pop or Clear.
  [[nodiscard]] Entry& front() { return At(head_); }
  [[nodiscard]] const Entry& front() const { return const_cast<Outstanding*>(this)->front(); }
  [[nodiscard]] Entry& back() { return At(last_); }
  void PopFront();
  void Clear();
  // Gives the block back.
  void Release();

  // The oldest request that has a deadline yet, or null. Requests get their deadlines in order, so it is also the one
  // with the earliest. It loses it by PassDeadline (it expired, or its answer began).
  [[nodiscard]] Entry* NextWithDeadline() { return deadline_ < tail_ ? &At(deadline_) : nullptr; }
  [[nodiscard]] const Entry* NextWithDeadline() const { return const_cast<Outstanding*>(this)->NextWithDeadline(); }
  void PassDeadline();

 private:
  [[nodiscard]] Entry& At(std::uint32_t offset) { return *reinterpret_cast<Entry*>(block_.get() + offset); }
  static std::uint32_t Stride(const Entry& entry);
  bool MakeRoom(std::uint32_t bytes);
  bool Resize(std::uint32_t capacity);

  decode::MemoryBudget& budget_;
  std::unique_ptr<std::byte[]> block_;
  std::uint32_t capacity_ = 0;
  std::uint32_t head_ = 0;      // offset of the oldest entry
  std::uint32_t tail_ = 0;      // behind the youngest
  std::uint32_t last_ = 0;      // offset of the youngest
  std::uint32_t deadline_ = 0;  // offset of NextWithDeadline, or tail_
  std::uint32_t count_ = 0;
};

}  // namespace wiregauge::match
