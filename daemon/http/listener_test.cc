#include "daemon/http/listener.h"

#include <gtest/gtest.h>

namespace wiregauge::http {
namespace {

TEST(ListenAddress, HostsAndPorts) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1:10420")->host, "127.0.0.1");
  EXPECT_EQ(ParseListenAddress("127.0.0.1:10420")->port, 10420);
  EXPECT_EQ(ParseListenAddress("[::1]:0")->host, "::1");
  EXPECT_EQ(ParseListenAddress(":65535")->host, "");
  EXPECT_EQ(ParseListenAddress("localhost:1")->host, "localhost");
}

TEST(ListenAddress, RefusesTheRest) {
  for (const char* text : {"", "80", "localhost", "a:", "a:65536", "a:-1", "a:80x", "::1:80", "[::1]", "[::1:80",
                           "[a]:80", "http://a:80"}) {
    EXPECT_FALSE(ParseListenAddress(text)) << text;
  }
}

TEST(Listener, KernelChoosesThePortAndLoopbackIsKnown) {
  const std::pair<const char*, bool> table[] = {{"127.0.0.1:0", true}, {"127.9.9.9:0", true}, {"0.0.0.0:0", false},
                                                {"[::1]:0", true},     {"[::]:0", false},     {":0", false}};
  for (const auto& [text, loopback] : table) {
    const auto listener = Listener::Bind(*ParseListenAddress(text));
    ASSERT_TRUE(listener) << listener.error().message;
    EXPECT_EQ(listener->loopback(), loopback) << text;
    EXPECT_FALSE(listener->address().ends_with(":0")) << listener->address();
  }
}

TEST(Listener, AnAddressInUseIsNamed) {
  const auto first = Listener::Bind({.host = "127.0.0.1"});
  ASSERT_TRUE(first);
  const auto second = Listener::Bind(*ParseListenAddress(first->address()));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "listen on " + first->address() + ": bind: Address already in use");
}

}  // namespace
}  // namespace wiregauge::http
