// The series that carry one label value: ascending ids, 16 bytes for the list itself. Most values of a real system
// belong to one series or to very many, so one id stands inline, few in an array, many in a roaring bitmap (4 to 7
// bytes a series for all of its 12 labels together). One writer or many readers at a time.
#pragma once

#include <cstdint>
#include <utility>

#include <roaring/roaring.hh>

#include "remote_write/store/sample.h"

namespace wiregauge::encode {

using SeriesSet = ::Roaring;

class PostingList {
 public:
  PostingList() = default;
  ~PostingList() { Free(); }
  PostingList(PostingList&& other) noexcept
      : count_(std::exchange(other.count_, 0)), only_(other.only_), many_(std::exchange(other.many_, {})) {}
  PostingList& operator=(PostingList&& other) noexcept {
    if (this != &other) {
      Free();
      count_ = std::exchange(other.count_, 0);
      only_ = other.only_;
      many_ = std::exchange(other.many_, {});
    }
    return *this;
  }

  // `series` is above every id in the list.
  void Append(store::SeriesId series);

  void UnionInto(SeriesSet& set) const;
  // Whether any id of the list is in the set.
  [[nodiscard]] bool Intersects(const SeriesSet& set) const;

  [[nodiscard]] std::uint32_t size() const { return count_; }
  [[nodiscard]] std::size_t HeapBytes() const;

 private:
  static constexpr std::uint32_t kMaxArray = 64;  // above, the bitmap is smaller than the array's spare room

  void Free();
  void AppendToArray(store::SeriesId series);

  union Many {
    store::SeriesId* array = nullptr;  // 2 <= count_ <= kMaxArray: room for the next power of two
    SeriesSet* bitmap;                 // count_ > kMaxArray
  };

  std::uint32_t count_ = 0;
  store::SeriesId only_ = 0;  // when count_ == 1
  Many many_;
};

static_assert(sizeof(PostingList) == 16);

}  // namespace wiregauge::encode
