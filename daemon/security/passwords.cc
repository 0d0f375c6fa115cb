#include "daemon/security/passwords.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <strings.h>

#include <algorithm>
#include <memory>

#include "base/error.h"

namespace wiregauge::security {
namespace {

// As many as the exporter-toolkit keeps: every scraper and a few people.
constexpr std::size_t kCacheSize = 100;
constexpr std::string_view kBcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kBcryptLength = 60;
constexpr std::size_t kBcryptPrefix = 7;  // "$2y$10$"
// A header line is at most 16 KiB; nobody's name and password are.
constexpr std::size_t kCredentialsMax = 1024;

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  while (text.ends_with('=') && text.size() % 4 != 2) text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = Base64Digit(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xffU));
    }
  }
  return out;
}

bool Verify(const std::string& password, const std::string& hash) {
  // 32 KiB: not for the stack of a connection's thread.
  const auto data = std::make_unique<crypt_data>();
  const char* const computed = crypt_r(password.c_str(), hash.c_str(), data.get());
  if (computed == nullptr || std::string_view(computed).size() != hash.size()) return false;
  return CRYPTO_memcmp(computed, hash.data(), hash.size()) == 0;
}

// As costly as the costliest of the users, with a random salt and digest.
std::string MakeUnknownUserHash(const std::map<std::string, std::string>& users) {
  std::string cost = "04";
  for (const auto& [name, hash] : users) cost = std::max(cost, hash.substr(4, 2));
  std::array<std::uint8_t, kBcryptLength - kBcryptPrefix> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) Bug("no random bytes");
  std::string hash = "$2y$" + cost + "$";
  for (const std::uint8_t byte : random) hash.push_back(kBcryptAlphabet[byte % kBcryptAlphabet.size()]);
  return hash;
}

}  // namespace

bool IsBcryptHash(std::string_view text) {
  if (text.size() != kBcryptLength || !text.starts_with("$2") || text[3] != '$' || text[6] != '$') return false;
  if (std::string_view("aby").find(text[2]) == std::string_view::npos) return false;
  const std::string_view cost = text.substr(4, 2);
  if (cost.find_first_not_of("0123456789") != std::string_view::npos || cost < "04" || cost > "31") return false;
  return text.substr(kBcryptPrefix).find_first_not_of(kBcryptAlphabet) == std::string_view::npos;
}

std::optional<std::pair<std::string, std::string>> ParseBasic(std::string_view header) {
  constexpr std::string_view kScheme = "Basic ";
  if (header.size() < kScheme.size() || strncasecmp(header.data(), kScheme.data(), kScheme.size()) != 0) {
    return std::nullopt;
  }
  const auto decoded = DecodeBase64(header.substr(kScheme.size()));
  if (!decoded || decoded->size() > kCredentialsMax) return std::nullopt;
  const std::size_t colon = decoded->find(':');
  // A zero byte would end the password early for crypt().
  if (colon == std::string::npos || decoded->find('\0') != std::string::npos) return std::nullopt;
  return std::pair(decoded->substr(0, colon), decoded->substr(colon + 1));
}

Passwords::Passwords(std::map<std::string, std::string> users)
    : users_(std::move(users)), unknown_user_hash_(MakeUnknownUserHash(users_)), salt_{} {
  if (RAND_bytes(salt_.data(), static_cast<int>(salt_.size())) != 1) Bug("no random bytes");
}

Passwords::Key Passwords::KeyOf(const std::string& name, const std::string& hash, const std::string& password) const {
  std::string text(reinterpret_cast<const char*>(salt_.data()), salt_.size());
  for (const std::string* part : {&name, &hash, &password}) text.append(*part).push_back('\0');
  Key key{};
  if (EVP_Digest(text.data(), text.size(), key.data(), nullptr, EVP_sha256(), nullptr) != 1) Bug("no SHA-256");
  return key;
}

bool Passwords::Check(const std::string& name, const std::string& password) {
  const auto user = users_.find(name);
  const std::string& hash = user == users_.end() ? unknown_user_hash_ : user->second;
  const Key key = KeyOf(name, hash, password);
  {
    const std::lock_guard lock(cache_mutex_);
    if (const auto known = cache_.find(key); known != cache_.end()) return known->second;
  }
  bool right = false;
  {
    const std::lock_guard lock(bcrypt_mutex_);
    right = Verify(password, hash) && user != users_.end();
  }
  const std::lock_guard lock(cache_mutex_);
  if (!cache_.emplace(key, right).second) return right;
  oldest_.push_back(key);
  if (oldest_.size() > kCacheSize) {
    cache_.erase(oldest_.front());
    oldest_.pop_front();
  }
  return right;
}

}  // namespace wiregauge::security
