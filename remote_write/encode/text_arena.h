// Texts that are never freed and never move: a view stays valid as long as the arena. Not thread-safe; reading a text
// already given out needs no lock.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace wiregauge::encode {

class TextArena {
 public:
  std::string_view Add(std::string_view text) {
    if (text.empty()) return {};
    if (text.size() > left_) NewBlock(text.size());
    char* copy = next_;
    std::memcpy(copy, text.data(), text.size());
    next_ += text.size();
    left_ -= text.size();
    text_bytes_ += text.size();
    return {copy, text.size()};
  }

  [[nodiscard]] std::size_t text_bytes() const { return text_bytes_; }
  [[nodiscard]] std::size_t MemoryBytes() const { return block_bytes_; }

 private:
  static constexpr std::size_t kBlockBytes = 64u << 10;  // above every text that the limits let in

  void NewBlock(std::size_t at_least) {
    const std::size_t size = at_least > kBlockBytes ? at_least : kBlockBytes;
    blocks_.push_back(std::make_unique<char[]>(size));
    next_ = blocks_.back().get();
    left_ = size;
    block_bytes_ += size;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t text_bytes_ = 0;
  std::size_t block_bytes_ = 0;
};

}  // namespace wiregauge::encode
