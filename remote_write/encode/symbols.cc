#include "remote_write/encode/symbols.h"

namespace wiregauge::encode {

NameId Symbols::AddName(std::string_view name) {
  values_.emplace_back(arena_);
  return names_.Add(name);
}

ValueId Symbols::AddValue(NameId name, std::string_view value) {
  Values& values = values_[name];
  values.postings.emplace_back();
  ++value_count_;
  return values.texts.Add(value) + 1;
}

std::size_t Symbols::MemoryBytes() const {
  std::size_t bytes = arena_.MemoryBytes() + names_.MemoryBytes();
  for (const Values& values : values_) {
    bytes += sizeof(Values) + values.texts.MemoryBytes() + values.postings.capacity() * sizeof(PostingList);
    for (const PostingList& list : values.postings) bytes += list.HeapBytes();
  }
  return bytes;
}

}  // namespace wiregauge::encode
