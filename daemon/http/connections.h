// Every connection of the server, from accept to close, with its phase and its deadline. civetweb hides all of that:
// its accept knows no IPv6 (as Debian builds it), it tells nobody which socket a request came on, and its threads
// sleep in poll for as long as a client cares to dribble. So this file supplies the accept() that civetweb calls: the
// executable's definition goes before libc's. It hands civetweb the real socket with a made-up IPv4 peer address
// 0.0.0.0/0 whose 32 bits are the connection's id; by that id a request finds its real peer, its listener and its
// deadline here.
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace wiregauge::http {

class TlsRelay;

enum class Phase {
  kWaiting,   // for a whole request header: new, or idle between requests
  kReading,   // a request's body
  kHandling,  // in its handler; the client cannot slow this down
  kWriting,   // the answer
  kDraining,  // refused; reading what the client still sends, so that it sees the answer before a reset
};

struct Peer {
  std::string address;  // the client's, without its port
  bool loopback_listener = false;
};

class Connections {
 public:
  // The accept() below serves this object's listeners while it lives; one object at a time (a civetweb server is one a
  // process too). `connections_max` is what the workers can hold; from there on waiting connections are evicted.
  // `tls` is null for plain HTTP; otherwise every connection goes through it.
  Connections(std::size_t connections_max, TlsRelay* tls);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Accepts on this descriptor from now on are registered. `loopback`: the listener's.
  void AddListener(int listening_fd, bool loopback);

  // The peer behind the made-up address of civetweb's request information; an unknown one is a peer beyond loopback.
  [[nodiscard]] Peer Find(const char* made_up_address) const;

  void Enter(const char* made_up_address, Phase phase, std::uint64_t now_ns);
  // Ends a connection that civetweb would keep open; what was written still arrives.
  void Finish(const char* made_up_address);
  // Forgets what the client has sent and nobody will read: closing a socket over unread bytes resets the connection,
  // and the reset may overtake the refusal that was just written.
  void DiscardUnread(const char* made_up_address);
  // Before civetweb closes the socket.
  void Remove(const char* made_up_address);

  // Shuts down the sockets that are over their phase's deadline and, when the workers are all taken, the longest
  // waiting ones. Called a few times a second. Returns how many.
  std::size_t Expire(std::uint64_t now_ns);
  // Shuts down those that wait for a request (at a stop), or all.
  void ShutDownWaiting();
  void ShutDownAll();

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::uint64_t accepted_total() const;
  [[nodiscard]] std::uint64_t expired_total() const;
  [[nodiscard]] std::uint64_t evicted_total() const;

  // What accept() does for a listener of ours; -1 with errno like accept(2), -2 when the descriptor is none of ours.
  int Accept(int listening_fd, void* address, unsigned* address_size);

 private:
  struct Connection {
    int fd = -1;  // civetweb's: the client's, or the plaintext end of its TLS
    Peer peer;
    Phase phase = Phase::kWaiting;
    bool served = false;  // had a request already
    bool shut = false;
    std::uint64_t since_ns = 0;
  };

  static void Shut(Connection& connection);
  std::size_t ExpireLate(std::uint64_t now_ns);
  std::size_t EvictWaiting(std::uint64_t now_ns);
  std::uint32_t NextId();

  const std::size_t connections_max_;
  TlsRelay* const tls_;
  mutable std::mutex mutex_;
  std::unordered_map<int, bool> listeners_;  // listening descriptor -> loopback
  std::unordered_map<std::uint32_t, Connection> connections_;
  std::uint32_t last_id_ = 0;
  std::uint64_t accepted_total_ = 0;
  std::uint64_t expired_total_ = 0;
  std::uint64_t evicted_total_ = 0;
};

}  // namespace wiregauge::http
