#include "remote_write/receive/raw_key.h"

#include <sys/random.h>

#include <array>

#include "base/error.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace wiregauge::receive {
namespace {

using Secret = std::array<std::uint8_t, 192>;
static_assert(sizeof(Secret) >= XXH3_SECRET_SIZE_MIN);

Secret DrawSecret() {
  Secret secret{};
  // At most 256 bytes never come short, and block only before the kernel's pool is ready, early in boot.
  if (getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size())) {
    Bug("getrandom gave no secret for the keys of label sets");
  }
  return secret;
}

const Secret kSecret = DrawSecret();

}  // namespace

RawKey KeyOf(Bytes raw_labels) {
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(raw_labels.data(), raw_labels.size(), kSecret.data(), kSecret.size());
  return {hash.low64, hash.high64};
}

}  // namespace wiregauge::receive
