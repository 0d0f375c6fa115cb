// A short text that the dynamic table and the requests that came of it share, so that a path that repeats is held once
// and never copied. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace wiregauge::decode::http2 {

// Null, or a reference to an immutable text.
class TextRef {
 public:
  TextRef() = default;
  // `text` has at most 65,535 bytes; `mark` is kept beside it.
  static TextRef Make(std::string_view text, bool mark) {
    void* room = ::operator new(sizeof(Block) + text.size());
    TextRef made;
    made.block_ = new (room) Block{1, static_cast<std::uint16_t>(text.size()), mark};
    if (!text.empty()) std::memcpy(made.block_ + 1, text.data(), text.size());
    return made;
  }
  TextRef(const TextRef& other) : block_(other.block_) {
    if (block_ != nullptr) ++block_->references;
  }
  TextRef(TextRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  TextRef& operator=(TextRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~TextRef() {
    if (block_ != nullptr && --block_->references == 0) ::operator delete(block_);
  }

  explicit operator bool() const { return block_ != nullptr; }
  // Only when not null. Valid while a reference is held.
  [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(block_ + 1), block_->size}; }
  [[nodiscard]] bool mark() const { return block_->mark; }
  // What it takes of the heap.
  [[nodiscard]] std::size_t heap_bytes() const { return block_ == nullptr ? 0 : sizeof(Block) + block_->size; }

 private:
  struct Block {
    std::uint32_t references;
    std::uint16_t size;
    bool mark;
  };

  Block* block_ = nullptr;
};

}  // namespace wiregauge::decode::http2
