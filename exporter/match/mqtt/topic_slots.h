// The topics of MQTT messages that wait for their acknowledgement: slots that are used again, so that steady traffic
// does not allocate. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wiregauge::match::mqtt {

class TopicSlots {
 public:
  using Slot = std::uint16_t;
  static constexpr Slot kNone = 0;
  // As many as messages can wait: the receive maximum is at most 65,535 (section 4.9), brokers set 20 to 1,000.
  static constexpr std::size_t kSlotsMax = 16'384;

  // kNone when the text is empty or there is no room.
  Slot Keep(std::string_view text) {
    if (text.empty()) return kNone;
    if (free_.empty()) {
      if (texts_.size() >= kSlotsMax) return kNone;
      texts_.emplace_back(text);
      return static_cast<Slot>(texts_.size());
    }
    const Slot slot = free_.back();
    free_.pop_back();
    texts_[slot - 1u].assign(text);
    return slot;
  }
  // Empty for kNone; else valid until the next Keep or Forget.
  [[nodiscard]] std::string_view TextOf(Slot slot) const {
    return slot == kNone ? std::string_view() : std::string_view(texts_[slot - 1u]);
  }
  void Forget(Slot slot) {
    if (slot == kNone) return;
    free_.push_back(slot);
    if (free_.size() < texts_.size() || texts_.size() <= kSlotsKept) return;
    texts_ = {};
    free_ = {};
  }

 private:
  static constexpr std::size_t kSlotsKept = 4;  // while nothing waits

  std::vector<std::string> texts_;
  std::vector<Slot> free_;
};

}  // namespace wiregauge::match::mqtt
