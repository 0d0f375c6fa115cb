#include "daemon/http/connections.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "daemon/http/listener.h"
#include "daemon/http/socket_address.h"

namespace wiregauge::http {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class ConnectionsTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const int fd : descriptors_) close(fd);
  }

  // A connection that was accepted through the accept() of this process; its made-up address.
  std::string Connect() {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_storage bound{};
    socklen_t size = sizeof(bound);
    getsockname(listener_->fd(), reinterpret_cast<sockaddr*>(&bound), &size);
    EXPECT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&bound), size), 0);
    sockaddr_in made_up{};
    size = sizeof(made_up);
    const int accepted = accept(listener_->fd(), reinterpret_cast<sockaddr*>(&made_up), &size);
    EXPECT_GE(accepted, 0);
    EXPECT_EQ(size, sizeof(made_up));
    descriptors_.insert(descriptors_.end(), {client, accepted});
    clients_.push_back(client);
    std::array<char, INET_ADDRSTRLEN> text{};
    return inet_ntop(AF_INET, &made_up.sin_addr, text.data(), text.size());
  }

  // Whether the server's side of the nth connection has been shut down.
  bool Ended(std::size_t index) {
    char byte = 0;
    return recv(clients_.at(index), &byte, 1, MSG_DONTWAIT) == 0;
  }

  void SetUp() override {
    auto listener = Listener::Bind({.host = "127.0.0.1"});
    ASSERT_TRUE(listener);
    listener_.emplace(*std::move(listener));
    connections_.AddListener(listener_->fd(), true);
  }

  Connections connections_{4, nullptr};
  std::optional<Listener> listener_;
  std::vector<int> descriptors_;
  std::vector<int> clients_;
};

TEST_F(ConnectionsTest, AnIdLeadsToThePeer) {
  const std::string first = Connect();
  const std::string second = Connect();
  EXPECT_NE(first, second);
  EXPECT_EQ(connections_.Find(first.c_str()).address, "127.0.0.1");
  EXPECT_TRUE(connections_.Find(first.c_str()).loopback_listener);
  connections_.Remove(first.c_str());
  EXPECT_FALSE(connections_.Find(first.c_str()).loopback_listener);  // unknown: nobody to trust
  EXPECT_EQ(connections_.size(), 1U);
}

TEST_F(ConnectionsTest, EachPhaseHasItsDeadline) {
  const std::string fresh = Connect();
  const std::string idle = Connect();
  const std::string handling = Connect();
  const std::uint64_t now = MonotonicNanoseconds();
  connections_.Enter(idle.c_str(), Phase::kWaiting, now);
  connections_.Enter(handling.c_str(), Phase::kHandling, now);
  EXPECT_EQ(connections_.Expire(now + 4 * kSecond), 0U);
  EXPECT_EQ(connections_.Expire(now + 6 * kSecond), 1U);
  EXPECT_TRUE(Ended(0));
  EXPECT_FALSE(Ended(1));
  EXPECT_EQ(connections_.Expire(now + 64 * kSecond), 0U);
  EXPECT_EQ(connections_.Expire(now + 66 * kSecond), 1U);
  EXPECT_TRUE(Ended(1));
  EXPECT_EQ(connections_.Expire(now + 86400 * kSecond), 0U);
  EXPECT_FALSE(Ended(2));
  EXPECT_EQ(connections_.expired_total(), 2U);
}

TEST_F(ConnectionsTest, AtTheLimitThoseThatNeverAskedGoFirst) {
  const std::string idle = Connect();
  connections_.Enter(idle.c_str(), Phase::kWaiting, MonotonicNanoseconds());
  Connect();
  Connect();
  const std::uint64_t now = MonotonicNanoseconds();
  EXPECT_EQ(connections_.Expire(now + kSecond), 0U);  // three of four
  Connect();
  EXPECT_EQ(connections_.Expire(now + kSecond / 10), 0U);  // all within their grace
  EXPECT_EQ(connections_.Expire(now + kSecond), 3U);
  EXPECT_FALSE(Ended(0));
  EXPECT_TRUE(Ended(1) && Ended(2) && Ended(3));
  EXPECT_EQ(connections_.Expire(now + kSecond), 1U);  // then the idle one
  EXPECT_EQ(connections_.evicted_total(), 4U);
}

TEST_F(ConnectionsTest, OtherListenersAreLeftAlone) {
  auto other = Listener::Bind({.host = "127.0.0.1"});
  ASSERT_TRUE(other);
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  EXPECT_EQ(accept(other->fd(), reinterpret_cast<sockaddr*>(&address), &size), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(connections_.accepted_total(), 0U);
}

TEST(SocketAddress, MappedAddressesAreIpv4) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(80);
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof(address));
  EXPECT_EQ(SocketAddress(storage).Authority(), "127.0.0.1:80");
  EXPECT_TRUE(SocketAddress(storage).IsLoopback());
  EXPECT_EQ(SocketAddress().Authority(), ":0");
}

}  // namespace
}  // namespace wiregauge::http
