#include "exporter/match/outstanding.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace wiregauge::match {

namespace {

constexpr std::uint32_t kBytesFirst = 120;  // an entry and a path of 96 bytes, the common case; malloc gives 128

}  // namespace

std::uint32_t Outstanding::Stride(const Entry& entry) {
  static_assert(alignof(decode::Trace) == 1);  // it follows the path
  const std::uint32_t bytes = static_cast<std::uint32_t>(sizeof(Entry)) + entry.path_bytes + entry.trace_bytes;
  return (bytes + alignof(Entry) - 1) / alignof(Entry) * static_cast<std::uint32_t>(alignof(Entry));
}

bool Outstanding::Push(Entry entry, std::string_view path) {
  static_assert(decode::http1::kPathMax <= UINT16_MAX);
  entry.path_bytes = static_cast<std::uint16_t>(path.size());
  const std::uint32_t bytes = Stride(entry);
  if (count_ >= kRequestsMax || !MakeRoom(bytes)) return false;
  ::new (block_.get() + tail_) Entry(entry);
  if (!path.empty()) std::memcpy(block_.get() + tail_ + sizeof(Entry), path.data(), path.size());
  last_ = tail_;
  tail_ += bytes;
  ++count_;
  return true;
}

void Outstanding::AddTrace(const decode::Trace& trace) {
  if (back().trace_bytes != 0) {
    back().traces_differ = true;
    return;
  }
  Entry longer = back();
  longer.trace_bytes = sizeof(trace);
  const std::uint32_t more = Stride(longer) - Stride(back());
  if (!MakeRoom(more)) return;
  back().trace_bytes = longer.trace_bytes;
  std::memcpy(block_.get() + last_ + sizeof(Entry) + back().path_bytes, &trace, sizeof(trace));
  if (deadline_ == tail_) deadline_ += more;
  tail_ += more;
}

void Outstanding::PopFront() {
  head_ += Stride(front());
  deadline_ = std::max(deadline_, head_);
  if (--count_ == 0) Clear();
}

void Outstanding::Clear() {
  head_ = tail_ = last_ = deadline_ = count_ = 0;
  if (capacity_ > kBytesKept) Resize(0);
}

void Outstanding::Release() {
  head_ = tail_ = last_ = deadline_ = count_ = 0;
  Resize(0);
}

void Outstanding::PassDeadline() { deadline_ += Stride(At(deadline_)); }

// Makes `bytes` free behind tail_: by moving the entries to the block's beginning when half of it is free, else by a
// block of twice the size. So a push costs a constant number of copied bytes on average, and capacity_ stays under
// 2 * kBytesMax.
bool Outstanding::MakeRoom(std::uint32_t bytes) {
  if (capacity_ - tail_ >= bytes) return true;
  const std::uint32_t used = tail_ - head_;
  if (used + bytes > kBytesMax) return false;
  if (used > capacity_ / 2 || used + bytes > capacity_) {
    return Resize(std::max({2 * capacity_, kBytesFirst, used + bytes}));
  }
  std::memmove(block_.get(), block_.get() + head_, used);
  tail_ -= head_;
  last_ -= head_;
  deadline_ -= head_;
  head_ = 0;
  return true;
}

// A block of another size with the same entries at its beginning; none for 0.
bool Outstanding::Resize(std::uint32_t capacity) {
  const auto charged = [](std::uint32_t size) { return size > kBytesKept ? size : 0; };
  if (!budget_.Take(charged(capacity))) return false;
  std::unique_ptr<std::byte[]> block(capacity > 0 ? new std::byte[capacity] : nullptr);
  if (capacity > 0 && tail_ > head_) std::memcpy(block.get(), block_.get() + head_, tail_ - head_);
  block_ = std::move(block);
  budget_.Give(charged(capacity_));
  capacity_ = capacity;
  tail_ -= head_;
  last_ -= head_;
  deadline_ -= head_;
  head_ = 0;
  return true;
}

}  // namespace wiregauge::match
