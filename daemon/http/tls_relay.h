// TLS in front of civetweb. Debian's civetweb 1.15 looks for a function that OpenSSL 3 no longer has and so cannot do
// TLS at all; it is handed one end of a socket pair instead, and a thread a connection moves the bytes between the
// other end and the client's TLS. A handshake that does not get on costs no worker of civetweb's.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "base/result.h"

struct ssl_ctx_st;

namespace wiregauge::http {

class TlsRelay {
 public:
  // `context` is borrowed and outlives the relay.
  explicit TlsRelay(ssl_ctx_st* context) : context_(context) {}
  ~TlsRelay() { Stop(); }
  TlsRelay(const TlsRelay&) = delete;
  TlsRelay& operator=(const TlsRelay&) = delete;

  // Takes the client's socket and returns the plaintext end, non-blocking, which the caller closes: both ends see the
  // other's end of stream. On an error the client's socket is closed.
  Result<int> Adopt(int client_fd);

  // Ends what is left (the plaintext ends should be shut down by now) and waits for it. Idempotent.
  void Stop();

 private:
  struct Work;
  static void* RunThread(void* work);

  ssl_ctx_st* const context_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t threads_ = 0;
};

}  // namespace wiregauge::http
