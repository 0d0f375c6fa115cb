// TLS by OpenSSL for civetweb's sockets. One SSL_CTX lives as long as the server; every handshake takes versions,
// ciphers, certificate and client checks from the files as they are at that moment.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "daemon/security/web_settings.h"

struct ssl_ctx_st;

namespace wiregauge::security {

// Certificates and keys, loaded. Immutable.
class TlsMaterial;

// Loads everything that `settings` names: kIo, or kInvalidArgument when a file is no PEM, the key does not belong to
// the certificate, or OpenSSL knows a cipher or curve not.
Result<std::shared_ptr<const TlsMaterial>> LoadTls(const TlsSettings& settings);

// Thread-safe after construction.
class TlsContext {
 public:
  // `current` is called in every handshake, on a thread with a small stack; null refuses the handshake.
  using Current = std::function<std::shared_ptr<const TlsMaterial>()>;
  explicit TlsContext(Current current);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] ssl_ctx_st* get() const { return context_; }

 private:
  class Callbacks;
  Current current_;
  ssl_ctx_st* context_;
};

}  // namespace wiregauge::security
