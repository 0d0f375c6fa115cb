// The routes of paths that came lately, so that a path that comes again is not folded again. A cache: any entry may be
// gone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "exporter/aggregate/hash.h"
#include "exporter/aggregate/text_table.h"
#include "exporter/identity/service.h"

namespace wiregauge::aggregate {

// One thread at a time.
class RouteMemo {
 public:
  // A power of two; 64 KB, that is, in the second-level cache. A host of normal size has some 500 busy paths.
  static constexpr std::size_t kSlots = 1'024;
  static constexpr std::size_t kPathBytesMax = 56;  // then a slot is a cache line; longer paths are folded each time

  // kNoId when it is not known.
  [[nodiscard]] TextId Find(identity::ServiceId service, std::string_view path) const {
    if (!slots_ || path.size() > kPathBytesMax) return kNoId;
    const Slot& slot = (*slots_)[Index(service, path)];
    const bool same = slot.service == service && slot.bytes == path.size() &&
                      std::memcmp(slot.path.data(), path.data(), path.size()) == 0;
    return same ? slot.route : kNoId;
  }

  void Keep(identity::ServiceId service, std::string_view path, TextId route) {
    if (path.size() > kPathBytesMax) return;
    if (!slots_) slots_ = std::make_unique<Slots>();
    Slot& slot = (*slots_)[Index(service, path)];
    slot.service = service;
    slot.bytes = static_cast<std::uint16_t>(path.size());
    slot.route = route;
    std::memcpy(slot.path.data(), path.data(), path.size());
  }

  void Clear() { slots_.reset(); }

 private:
  struct Slot {
    identity::ServiceId service = 0;
    std::uint16_t bytes = 0;
    TextId route = kNoId;
    std::array<char, kPathBytesMax> path{};
  };
  using Slots = std::array<Slot, kSlots>;

  static std::size_t Index(identity::ServiceId service, std::string_view path) {
    return FoldProduct(HashText(path), service + 0x9e3779b97f4a7c15ULL) % kSlots;
  }

  std::unique_ptr<Slots> slots_;
};

}  // namespace wiregauge::aggregate
