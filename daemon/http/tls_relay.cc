#include "daemon/http/tls_relay.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/log.h"

namespace wiregauge::http {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kHandshakeDeadline = 5 * kSecond;
// For the rest of an answer that a client takes its time to read, after civetweb has written it all.
constexpr std::uint64_t kLingerDeadline = 60 * kSecond;
// How soon a thread with nothing to do sees that the server stops.
constexpr int kPollMs = 500;
// OpenSSL's handshakes want under 64 KiB, re-reading certificates in them about as much again.
constexpr std::size_t kStackBytes = 256U << 10U;

// Bytes on their way in one direction: one TLS record at a time.
struct Buffer {
  std::array<char, 16384> bytes;
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] bool empty() const { return begin == end; }
  [[nodiscard]] int size() const { return static_cast<int>(end - begin); }
  void Fill(std::size_t count) {
    begin = 0;
    end = count;
  }
};

// One connection, for the time of its thread.
class Pump {
 public:
  Pump(SSL* ssl, int client_fd, int plain_fd, const std::atomic<bool>& stopping)
      : ssl_(ssl), client_(client_fd), plain_(plain_fd), stopping_(stopping) {}

  void Run() {
    if (!Handshake()) return;
    while (!done_ && !(stopping_ && plain_ended_)) {
      wants_client_ = 0;
      wants_plain_ = 0;
      moved_ = false;
      MoveUp();
      MoveDown();
      if (plain_ended_ && down_.empty()) break;
      if (!moved_ && !done_ && !Wait()) break;
    }
    if (!done_) SSL_shutdown(ssl_);  // close_notify; its answer is not waited for
  }

 private:
  bool Handshake() {
    deadline_ = MonotonicNanoseconds() + kHandshakeDeadline;
    while (!stopping_) {
      const int result = SSL_do_handshake(ssl_);
      if (result == 1) {
        deadline_ = 0;
        return true;
      }
      wants_client_ = 0;
      Want(SSL_get_error(ssl_, result));
      if (done_ || !Wait() || plain_hung_up_) return false;
    }
    return false;
  }

  // Notes what OpenSSL waits for; anything else ends the connection.
  void Want(int reason) {
    ERR_clear_error();
    if (reason == SSL_ERROR_WANT_READ) {
      wants_client_ |= POLLIN;
    } else if (reason == SSL_ERROR_WANT_WRITE) {
      wants_client_ |= POLLOUT;
    } else {
      done_ = true;
    }
  }

  // client -> plaintext
  void MoveUp() {
    if (up_.empty() && !client_ended_) {
      const int count = SSL_read(ssl_, up_.bytes.data(), static_cast<int>(up_.bytes.size()));
      if (count > 0) {
        up_.Fill(static_cast<std::size_t>(count));
        moved_ = true;
      } else if (const int reason = SSL_get_error(ssl_, count); reason == SSL_ERROR_ZERO_RETURN) {
        client_ended_ = true;
        shutdown(plain_, SHUT_WR);
      } else {
        Want(reason);
      }
    }
    if (up_.empty() || done_) return;
    const ssize_t count = send(plain_, up_.bytes.data() + up_.begin, up_.end - up_.begin, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      up_.begin += static_cast<std::size_t>(count);
      moved_ = true;
    } else if (errno == EAGAIN) {
      wants_plain_ |= POLLOUT;
    } else {
      up_.Fill(0);  // civetweb reads no more; it may still be writing
      client_ended_ = true;
    }
  }

  // plaintext -> client
  void MoveDown() {
    if (down_.empty() && !plain_ended_) {
      const ssize_t count = recv(plain_, down_.bytes.data(), down_.bytes.size(), MSG_DONTWAIT);
      if (count > 0) {
        down_.Fill(static_cast<std::size_t>(count));
        moved_ = true;
      } else if (count < 0 && errno == EAGAIN) {
        wants_plain_ |= POLLIN;
      } else {
        plain_ended_ = true;
      }
    }
    if (down_.empty() || done_) return;
    const int count = SSL_write(ssl_, down_.bytes.data() + down_.begin, down_.size());
    if (count > 0) {
      down_.begin += static_cast<std::size_t>(count);
      moved_ = true;
    } else {
      Want(SSL_get_error(ssl_, count));
    }
  }

  // Until something that is wanted can go on; false at the deadline.
  bool Wait() {
    if (plain_ended_ && deadline_ == 0) deadline_ = MonotonicNanoseconds() + kLingerDeadline;
    while (!stopping_) {
      // A hang-up of the plaintext end is always reported; once seen, it must not be polled for again.
      std::array<pollfd, 2> polled = {{{.fd = client_, .events = wants_client_, .revents = 0},
                                       {.fd = plain_ended_ ? -1 : plain_, .events = wants_plain_, .revents = 0}}};
      const int ready = poll(polled.data(), polled.size(), kPollMs);
      plain_hung_up_ = (polled[1].revents & (POLLHUP | POLLERR)) != 0;
      if (ready > 0 || (ready < 0 && errno != EINTR)) return ready > 0;
      if (deadline_ != 0 && MonotonicNanoseconds() > deadline_) return false;
    }
    return !plain_ended_;
  }

  SSL* const ssl_;
  const int client_;
  const int plain_;
  const std::atomic<bool>& stopping_;
  Buffer up_;
  Buffer down_;
  bool client_ended_ = false;
  bool plain_ended_ = false;
  bool plain_hung_up_ = false;
  bool done_ = false;
  bool moved_ = false;
  std::int16_t wants_client_ = 0;
  std::int16_t wants_plain_ = 0;
  std::uint64_t deadline_ = 0;  // 0: none
};

}  // namespace

struct TlsRelay::Work {
  TlsRelay* relay;
  int client_fd;
  int plain_fd;
};

Result<int> TlsRelay::Adopt(int client_fd) {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0) {
    const Error error = SystemError("TLS: socketpair", errno);
    close(client_fd);
    return error;
  }
  auto work = std::make_unique<Work>(Work{.relay = this, .client_fd = client_fd, .plain_fd = pair[1]});
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  const std::lock_guard lock(mutex_);
  pthread_t thread{};
  const int failure = pthread_create(&thread, &attributes, &RunThread, work.get());
  pthread_attr_destroy(&attributes);
  if (failure != 0) {
    for (const int fd : {client_fd, pair[0], pair[1]}) close(fd);
    return SystemError("TLS: thread", failure);
  }
  (void)work.release();  // RunThread's now
  ++threads_;
  return pair[0];
}

void* TlsRelay::RunThread(void* argument) {
  const std::unique_ptr<Work> work(static_cast<Work*>(argument));
  TlsRelay& relay = *work->relay;
  SSL* const ssl = SSL_new(relay.context_);
  if (ssl != nullptr && SSL_set_fd(ssl, work->client_fd) == 1) {
    SSL_set_accept_state(ssl);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    // 32 KiB of buffers: on the heap, the stack is small.
    std::make_unique<Pump>(ssl, work->client_fd, work->plain_fd, relay.stopping_)->Run();
  }
  SSL_free(ssl);
  close(work->client_fd);
  close(work->plain_fd);
  ERR_clear_error();
  const std::lock_guard lock(relay.mutex_);
  if (--relay.threads_ == 0) relay.ended_.notify_all();
  return nullptr;
}

void TlsRelay::Stop() {
  stopping_ = true;
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return threads_ == 0; });
}

}  // namespace wiregauge::http
