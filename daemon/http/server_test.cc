#include "daemon/http/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>

#include "daemon/http/status.h"

namespace wiregauge::http {
namespace {

constexpr std::size_t kEchoMax = 1'000'000;

class OpenGate final : public Gatekeeper {
 public:
  Admission Admit(const Request& head, const Peer& peer, const Route* /*route*/) override {
    Admission admission{.headers = {{"X-Peer", peer.address}}};
    if (head.Header("X-Refuse") == "yes") admission.refusal = PlainText(403, "refused");
    return admission;
  }
};

class CountingObserver final : public Observer {
 public:
  void Began() override { ++began; }
  void Answered(const Route* /*route*/, int /*status*/, double /*seconds*/) override { ++answered; }
  std::atomic<int> began{0};
  std::atomic<int> answered{0};
};

// Blocks a handler until it is opened.
class Barrier {
 public:
  void Wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void AwaitWaiting(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t count = send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return;  // refused and closed
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // One answer with a Content-Length, or what came before the end.
  std::string Receive() {
    std::array<char, 65536> buffer;
    while (true) {
      const std::size_t head = received_.find("\r\n\r\n");
      if (head != std::string::npos) {
        const std::size_t at = received_.find("Content-Length: ");
        const std::size_t length = at < head ? std::stoul(received_.substr(at + 16)) : 0;
        if (received_.size() >= head + 4 + length) {
          std::string answer = received_.substr(0, head + 4 + length);
          received_.erase(0, head + 4 + length);
          return answer;
        }
      }
      const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
      if (count <= 0) return std::exchange(received_, "");
      received_.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  std::string Ask(std::string_view text) {
    Send(text);
    return Receive();
  }

 private:
  int fd_;
  std::string received_;
};

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(routes_.Add({.path = "/echo",
                             .methods = {"POST"},
                             .body_bytes_max = kEchoMax,
                             .body = BodyRule::kRequired,
                             .handler = [](const Request& request) { return Response{.body = request.body}; }}));
    ASSERT_TRUE(routes_.Add(
        {.path = "/query", .methods = {"GET", "POST"}, .body_bytes_max = 10, .handler = [](const Request& r) {
           return Response{.body = r.query + "|" + r.remote_address + "|" + r.path};
         }}));
    ASSERT_TRUE(routes_.Add({.path = "/throw", .methods = {"GET"}, .handler = [](const Request&) -> Response {
                               throw std::runtime_error("boom");
                             }}));
    ASSERT_TRUE(routes_.Add({.path = "/wait", .methods = {"GET"}, .handler = [this](const Request&) {
                               barrier_.Wait();
                               return Response{.body = "waited"};
                             }}));
    ASSERT_TRUE(routes_.Add({.path = "/quick", .methods = {"GET"}, .lane = Lane::kQuick, .handler = [](const Request&) {
                               return Response{.body = "quick"};
                             }}));
    auto listener = Listener::Bind({.host = "127.0.0.1"});
    ASSERT_TRUE(listener);
    port_ = ParseListenAddress(listener->address())->port;
    std::vector<Listener> listeners;
    listeners.push_back(*std::move(listener));
    auto server = Server::Start(std::move(listeners), routes_, gate_, observer_, {.connections_max = 64});
    ASSERT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
  }

  RouteTable routes_;
  OpenGate gate_;
  CountingObserver observer_;
  Barrier barrier_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Server> server_;
};

std::string Post(std::string_view body, std::string_view more = "") {
  return fmt::format("POST /echo HTTP/1.1\r\nHost: x\r\n{}Content-Length: {}\r\n\r\n{}", more, body.size(), body);
}

std::string StatusLine(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }
std::string BodyOf(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

TEST_F(ServerTest, BodiesAtTheLimit) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16384}, kEchoMax - 1, kEchoMax}) {
    Client client(port_);
    const std::string body(size, 'b');
    const std::string answer = client.Ask(Post(body));
    EXPECT_EQ(StatusLine(answer), "HTTP/1.1 200 OK") << size;
    EXPECT_EQ(BodyOf(answer), body) << size;
  }
  Client client(port_);
  const std::string answer = client.Ask(Post(std::string(kEchoMax + 1, 'b')));
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 413 Content Too Large");
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
}

TEST_F(ServerTest, ChunkedBodiesAreBoundedWhileTheyAreRead) {
  const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  Client good(port_);
  EXPECT_EQ(BodyOf(good.Ask(head + "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")), "abcdefg");
  EXPECT_EQ(BodyOf(good.Ask(head + "1\r\nx\r\n0\r\n\r\n")), "x");  // on the same connection
  Client large(port_);
  large.Send(head);
  const std::string chunk = "10000\r\n" + std::string(65536, 'c') + "\r\n";
  for (int i = 0; i < 16; ++i) large.Send(chunk);  // 1,048,576 bytes
  EXPECT_EQ(StatusLine(large.Receive()), "HTTP/1.1 413 Content Too Large");
  Client malformed(port_);
  EXPECT_EQ(StatusLine(malformed.Ask(head + "zz\r\nabc\r\n")), "HTTP/1.1 400 Bad Request");
}

TEST_F(ServerTest, LengthIsRequiredWhereABodyIs) {
  Client client(port_);
  EXPECT_EQ(StatusLine(client.Ask("POST /echo HTTP/1.1\r\nHost: x\r\n\r\n")), "HTTP/1.1 411 Length Required");
  EXPECT_EQ(StatusLine(client.Ask("POST /query HTTP/1.1\r\nHost: x\r\n\r\n")), "HTTP/1.1 200 OK");
}

TEST_F(ServerTest, TheRequestArrivesWhole) {
  Client client(port_);
  const std::string answer = client.Ask("GET /query?a=%31&b HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(BodyOf(answer), "a=%31&b|127.0.0.1|/query");
  EXPECT_NE(answer.find("X-Peer: 127.0.0.1"), std::string::npos);
}

TEST_F(ServerTest, RefusalsComeBeforeTheBodyAndCarryTheHeaders) {
  Client client(port_);
  const std::string answer = client.Ask("POST /echo HTTP/1.1\r\nX-Refuse: yes\r\nContent-Length: 500000\r\n\r\n");
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 403 Forbidden");
  EXPECT_NE(answer.find("X-Peer: "), std::string::npos);
}

TEST_F(ServerTest, ContinueIsSentOnlyToWelcomeBodies) {
  Client client(port_);
  client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.Receive(), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(BodyOf(client.Ask("ok")), "ok");
  Client refused(port_);
  const std::string answer =
      refused.Ask("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 413 Content Too Large");
}

TEST_F(ServerTest, AHandlerThatThrowsIsA500) {
  Client client(port_);
  EXPECT_EQ(StatusLine(client.Ask("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n")), "HTTP/1.1 500 Internal Server Error");
  EXPECT_EQ(StatusLine(client.Ask("GET /query HTTP/1.1\r\nHost: x\r\n\r\n")), "HTTP/1.1 200 OK");
}

TEST_F(ServerTest, QuickRoutesAnswerWhileEveryWorkerWaits) {
  std::vector<std::unique_ptr<Client>> waiting;
  for (int i = 0; i < 40; ++i) {
    waiting.push_back(std::make_unique<Client>(port_));
    waiting.back()->Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  barrier_.AwaitWaiting(32);
  Client client(port_);
  EXPECT_EQ(BodyOf(client.Ask("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")), "quick");
  barrier_.Open();
  for (const auto& one : waiting) EXPECT_EQ(BodyOf(one->Receive()), "waited");
}

TEST_F(ServerTest, DrainAnswersWhatIsUnderWayAndRefusesTheRest) {
  Client busy(port_);
  busy.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  barrier_.AwaitWaiting(1);
  EXPECT_FALSE(server_->Drain(std::chrono::milliseconds(1)));
  Client late(port_);
  const std::string refusal = late.Ask("GET /query HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(StatusLine(refusal), "HTTP/1.1 503 Service Unavailable");
  EXPECT_NE(refusal.find("Retry-After: "), std::string::npos);
  barrier_.Open();
  EXPECT_EQ(BodyOf(busy.Receive()), "waited");
  EXPECT_TRUE(server_->Drain(std::chrono::seconds(30)));
  server_->Stop();
  EXPECT_EQ(observer_.began, observer_.answered);
}

TEST_F(ServerTest, ManyClientsAtOnce) {
  std::vector<std::jthread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Client client(port_);
      for (int i = 0; i < 50; ++i) {
        const std::string body(static_cast<std::size_t>(t * 1000 + i), 'm');
        if (BodyOf(client.Ask(Post(body))) == body) ++good;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(good, 400);
}

}  // namespace
}  // namespace wiregauge::http
