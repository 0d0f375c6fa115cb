// send_ways: an HTTP/1.1 server that answers every request with 200 and the same body, and gets the bytes into the
// socket in one of the ways that programs use. For tests: whatever the way, the same requests are counted. Prints
// "listening" when it does; runs until it is ended.
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fcntl.h>
#include <csignal>

#include <liburing.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

namespace {

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "send_ways: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

int Check(int result, const char* what) {
  if (result < 0) Fail(what);
  return result;
}

struct Answer {
  std::string head;
  std::string body;
  std::string whole;  // both
  int file = -1;      // the body as a file
};

Answer MakeAnswer(std::size_t body_bytes) {
  Answer answer;
  answer.body.assign(body_bytes, 'x');
  answer.head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n\r\n";
  answer.whole = answer.head + answer.body;
  answer.file = Check(memfd_create("body", 0), "memfd_create");
  if (write(answer.file, answer.body.data(), body_bytes) != static_cast<ssize_t>(body_bytes)) Fail("memfd");
  return answer;
}

// All of it; false when the peer is gone.
bool SendAll(int socket, std::string_view bytes, int flags) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool ByWrite(int socket, const Answer& answer) { return SendAll(socket, answer.whole, 0); }

bool ByWritev(int socket, const Answer& answer) {
  std::string head = answer.head, body = answer.body;
  iovec parts[] = {{head.data(), head.size()}, {body.data(), body.size()}};
  std::size_t sent_total = 0;
  while (sent_total < answer.whole.size()) {
    const ssize_t sent = writev(socket, parts, 2);
    if (sent <= 0) return false;
    sent_total += static_cast<std::size_t>(sent);
    const std::size_t in_head = std::min(static_cast<std::size_t>(sent), parts[0].iov_len);
    parts[0] = {static_cast<char*>(parts[0].iov_base) + in_head, parts[0].iov_len - in_head};
    const std::size_t in_body = static_cast<std::size_t>(sent) - in_head;
    parts[1] = {static_cast<char*>(parts[1].iov_base) + in_body, parts[1].iov_len - in_body};
  }
  return true;
}

bool BySendfile(int socket, const Answer& answer) {
  if (!SendAll(socket, answer.head, MSG_MORE)) return false;
  off_t offset = 0;
  while (static_cast<std::size_t>(offset) < answer.body.size()) {
    if (sendfile(socket, answer.file, &offset, answer.body.size() - static_cast<std::size_t>(offset)) <= 0)
      return false;
  }
  return true;
}

bool BySplice(int socket, const Answer& answer) {
  thread_local std::array<int, 2> pipe_ends = {-1, -1};
  if (pipe_ends[0] < 0) Check(pipe(pipe_ends.data()), "pipe");
  if (!SendAll(socket, answer.head, MSG_MORE)) return false;
  off64_t offset = 0;
  while (static_cast<std::size_t>(offset) < answer.body.size()) {
    ssize_t held = splice(answer.file, &offset, pipe_ends[1], nullptr,
                          answer.body.size() - static_cast<std::size_t>(offset), SPLICE_F_MOVE);
    if (held <= 0) return false;
    while (held > 0) {
      const ssize_t sent =
          splice(pipe_ends[0], nullptr, socket, nullptr, static_cast<std::size_t>(held), SPLICE_F_MOVE);
      if (sent <= 0) return false;
      held -= sent;
    }
  }
  return true;
}

bool ByZerocopy(int socket, const Answer& answer) {
  const int on = 1;
  Check(setsockopt(socket, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)), "SO_ZEROCOPY");
  if (!SendAll(socket, answer.whole, MSG_ZEROCOPY)) return false;
  std::array<char, 512> control;
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  while (recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) message.msg_controllen = control.size();
  return true;
}

// How many requests without a body end in what has come; keeps what is left over.
class Requests {
 public:
  int Feed(std::string_view bytes) {
    text_ += bytes;
    int ended = 0;
    for (std::size_t end = text_.find("\r\n\r\n"); end != std::string::npos; end = text_.find("\r\n\r\n")) {
      text_.erase(0, end + 4);
      ++ended;
    }
    return ended;
  }

 private:
  std::string text_;
};

using Send = bool (*)(int, const Answer&);

void Serve(int socket, const Answer& answer, Send send_answer) {
  Requests requests;
  std::array<char, 16384> buffer;
  for (ssize_t got = 0; (got = read(socket, buffer.data(), buffer.size())) > 0;) {
    for (int left = requests.Feed({buffer.data(), static_cast<std::size_t>(got)}); left > 0; --left) {
      if (!send_answer(socket, answer)) got = 0;
    }
  }
  close(socket);
}

void ServeInThreads(int listener, const Answer& answer, Send send_answer) {
  while (true) {
    const int socket = Check(accept(listener, nullptr, nullptr), "accept");
    std::thread(Serve, socket, std::cref(answer), send_answer).detach();
  }
}

// One process reads, another one writes, both on the same accepted socket.
void ServeInProcesses(int listener, const Answer& answer) {
  signal(SIGCHLD, SIG_IGN);
  while (true) {
    const int socket = Check(accept(listener, nullptr, nullptr), "accept");
    std::array<int, 2> told{};
    Check(pipe(told.data()), "pipe");
    if (Check(fork(), "fork") == 0) {
      close(told[0]);
      Requests requests;
      std::array<char, 16384> buffer;
      for (ssize_t got = 0; (got = read(socket, buffer.data(), buffer.size())) > 0;) {
        const std::string tokens(
            static_cast<std::size_t>(requests.Feed({buffer.data(), static_cast<std::size_t>(got)})), '.');
        if (!tokens.empty() && write(told[1], tokens.data(), tokens.size()) < 0) break;
      }
      _exit(0);
    }
    if (Check(fork(), "fork") == 0) {
      close(told[1]);
      for (char token = 0; read(told[0], &token, 1) == 1;) ByWrite(socket, answer);
      _exit(0);
    }
    close(socket);
    close(told[0]);
    close(told[1]);
  }
}

// Everything by io_uring: accept, receive, send.
void ServeByUring(int listener, const Answer& answer) {
  struct Peer {
    int socket = -1;
    Requests requests;
    std::array<char, 16384> buffer{};
    int owed = 0;
    std::size_t sent = 0;
  };
  io_uring ring;
  if (const int failed = io_uring_queue_init(1024, &ring, 0); failed < 0) {
    errno = -failed;
    Fail("io_uring");
  }
  std::map<int, std::unique_ptr<Peer>> peers;
  const auto submit = [&ring](auto prepare, void* data) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring);
    prepare(entry);
    io_uring_sqe_set_data(entry, data);
    io_uring_submit(&ring);
  };
  const auto accept_next = [&] {
    submit([&](io_uring_sqe* entry) { io_uring_prep_accept(entry, listener, nullptr, nullptr, 0); }, nullptr);
  };
  const auto receive = [&](Peer& peer) {
    submit(
        [&](io_uring_sqe* entry) { io_uring_prep_recv(entry, peer.socket, peer.buffer.data(), peer.buffer.size(), 0); },
        &peer);
  };
  const auto send_rest = [&](Peer& peer) {
    submit(
        [&](io_uring_sqe* entry) {
          io_uring_prep_send(entry, peer.socket, answer.whole.data() + peer.sent, answer.whole.size() - peer.sent,
                             MSG_NOSIGNAL);
        },
        &peer);
  };
  accept_next();
  while (true) {
    io_uring_cqe* done = nullptr;
    if (io_uring_wait_cqe(&ring, &done) < 0) continue;
    auto* peer = static_cast<Peer*>(io_uring_cqe_get_data(done));
    const int result = done->res;
    io_uring_cqe_seen(&ring, done);
    if (peer == nullptr) {
      auto fresh = std::make_unique<Peer>();
      fresh->socket = Check(result, "accept");
      Peer& added = *(peers[fresh->socket] = std::move(fresh));
      receive(added);
      accept_next();
    } else if (result <= 0) {
      close(peer->socket);
      peers.erase(peer->socket);
    } else if (peer->owed > 0) {  // a send has ended
      peer->sent += static_cast<std::size_t>(result);
      if (peer->sent == answer.whole.size()) {
        peer->sent = 0;
        --peer->owed;
      }
      peer->owed > 0 ? send_rest(*peer) : receive(*peer);
    } else {
      peer->owed = peer->requests.Feed({peer->buffer.data(), static_cast<std::size_t>(result)});
      peer->owed > 0 ? send_rest(*peer) : receive(*peer);
    }
  }
}

int Listen(std::uint16_t port) {
  const int listener = Check(socket(AF_INET, SOCK_STREAM, 0), "socket");
  const int on = 1;
  Check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), "SO_REUSEADDR");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  Check(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), "bind");
  Check(listen(listener, 128), "listen");
  return listener;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Answers HTTP/1.1 requests, sending in one of many ways.");
  std::uint16_t port = 0;
  std::size_t body_bytes = 5;
  std::string way;
  app.add_option("--port", port)->required();
  app.add_option("--body-bytes", body_bytes)->capture_default_str();
  app.add_option("way", way)
      ->required()
      ->check(CLI::IsMember({"write", "writev", "sendfile", "splice", "zerocopy", "io_uring", "processes"}));
  CLI11_PARSE(app, argc, argv);
  const Answer answer = MakeAnswer(body_bytes);
  const int listener = Listen(port);
  std::puts("listening");
  std::fflush(stdout);
  if (way == "io_uring") ServeByUring(listener, answer);
  if (way == "processes") ServeInProcesses(listener, answer);
  const std::map<std::string, Send> ways = {{"write", ByWrite},
                                            {"writev", ByWritev},
                                            {"sendfile", BySendfile},
                                            {"splice", BySplice},
                                            {"zerocopy", ByZerocopy}};
  ServeInThreads(listener, answer, ways.at(way));
}
