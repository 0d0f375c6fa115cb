// Uncompressed pages that were read last, least recently used out first. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "remote_write/store/page.h"

namespace wiregauge::store {

class PageCache {
 public:
  using Key = std::pair<std::uint64_t, std::size_t>;  // part number, page index

  explicit PageCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // Null when it is not there.
  std::shared_ptr<const Page> Get(const Key& key);
  void Put(const Key& key, std::shared_ptr<const Page> page);

 private:
  struct Entry {
    Key key;
    std::shared_ptr<const Page> page;
  };

  const std::size_t bytes_max_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // most recent first
  std::map<Key, std::list<Entry>::iterator> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace wiregauge::store
