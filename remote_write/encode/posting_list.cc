#include "remote_write/encode/posting_list.h"

#include <algorithm>
#include <bit>

namespace wiregauge::encode {

void PostingList::Free() {
  if (count_ > kMaxArray) {
    delete many_.bitmap;
  } else if (count_ > 1) {
    delete[] many_.array;
  }
  count_ = 0;
}

void PostingList::Append(store::SeriesId series) {
  if (count_ == 0) {
    only_ = series;
    count_ = 1;
  } else if (count_ < kMaxArray) {
    AppendToArray(series);
  } else if (count_ == kMaxArray) {
    auto* bitmap = new SeriesSet(count_, many_.array);
    bitmap->add(series);
    delete[] many_.array;
    many_.bitmap = bitmap;
    ++count_;
  } else {
    many_.bitmap->add(series);
    ++count_;
    // Runs of consecutive ids, the common case for targets that appear at once, become two numbers.
    if (std::has_single_bit(count_) || count_ % 65536 == 0) many_.bitmap->runOptimize();
  }
}

void PostingList::AppendToArray(store::SeriesId series) {
  if (count_ == 1) {
    many_.array = new store::SeriesId[2];
    many_.array[0] = only_;
  } else if (std::has_single_bit(count_)) {
    auto* larger = new store::SeriesId[std::size_t{count_} * 2];
    std::copy_n(many_.array, count_, larger);
    delete[] many_.array;
    many_.array = larger;
  }
  many_.array[count_++] = series;
}

void PostingList::UnionInto(SeriesSet& set) const {
  if (count_ == 1) {
    set.add(only_);
  } else if (count_ > kMaxArray) {
    set |= *many_.bitmap;
  } else if (count_ > 1) {
    set.addMany(count_, many_.array);
  }
}

bool PostingList::Intersects(const SeriesSet& set) const {
  if (count_ == 0) return false;
  if (count_ == 1) return set.contains(only_);
  if (count_ > kMaxArray) return many_.bitmap->intersect(set);
  return std::any_of(many_.array, many_.array + count_, [&](store::SeriesId id) { return set.contains(id); });
}

std::size_t PostingList::HeapBytes() const {
  if (count_ > kMaxArray) return sizeof(SeriesSet) + many_.bitmap->getSizeInBytes();
  if (count_ > 1) return std::bit_ceil(std::size_t{count_}) * sizeof(store::SeriesId);
  return 0;
}

}  // namespace wiregauge::encode
