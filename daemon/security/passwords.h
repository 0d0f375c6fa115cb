// HTTP basic authentication against bcrypt hashes.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace wiregauge::security {

// "$2y$10$" and 53 characters; also $2a$ and $2b$; cost 4 to 31.
bool IsBcryptHash(std::string_view text);

// Name and password of an Authorization header, or nothing when it is no well-formed Basic one.
std::optional<std::pair<std::string, std::string>> ParseBasic(std::string_view header);

// Thread-safe. A check costs one bcrypt (50 ms at cost 10) the first time and a hash afterwards; bcrypts run one at a
// time, so that guessing passwords cannot take more than one core.
class Passwords {
 public:
  explicit Passwords(std::map<std::string, std::string> users);

  // An unknown name takes as long as a known one.
  bool Check(const std::string& name, const std::string& password);

 private:
  using Key = std::array<std::uint8_t, 32>;
  Key KeyOf(const std::string& name, const std::string& hash, const std::string& password) const;

  const std::map<std::string, std::string> users_;
  std::string unknown_user_hash_;  // matches no password
  Key salt_;                       // of the cache's keys: the cache alone tells nobody a password
  std::mutex cache_mutex_;
  std::map<Key, bool> cache_;
  std::deque<Key> oldest_;  // keys of cache_ in the order they came
  std::mutex bcrypt_mutex_;
};

}  // namespace wiregauge::security
