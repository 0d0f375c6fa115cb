#include "remote_write/store/page_cache.h"

namespace wiregauge::store {

std::shared_ptr<const Page> PageCache::Get(const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return entries_.front().page;
}

void PageCache::Put(const Key& key, std::shared_ptr<const Page> page) {
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return;
  bytes_ += page->memory_bytes();
  entries_.push_front({key, std::move(page)});
  by_key_[key] = entries_.begin();
  while (bytes_ > bytes_max_) {
    bytes_ -= entries_.back().page->memory_bytes();
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace wiregauge::store
