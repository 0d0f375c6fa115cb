#include "daemon/http/router.h"

#include <gtest/gtest.h>

namespace wiregauge::http {
namespace {

Route MakeRoute(std::string path, std::vector<std::string> methods, Match match = Match::kExact) {
  return Route{.path = std::move(path), .match = match, .methods = std::move(methods), .handler = [](const Request&) {
                 return Response{};
               }};
}

class RouterTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(table_.Add(MakeRoute("/metrics", {"GET"})));
    ASSERT_TRUE(table_.Add(MakeRoute("/-/reload", {"POST", "PUT"})));
    ASSERT_TRUE(table_.Add(MakeRoute("/views", {"GET"}, Match::kPrefix)));
    ASSERT_TRUE(table_.Add(MakeRoute("/views/map", {"POST"})));
    ASSERT_TRUE(table_.Add(MakeRoute("/views/deep", {"GET"}, Match::kPrefix)));
  }

  // The path of the route that takes it, or the status that refuses it.
  std::string Resolved(std::string_view method, std::string_view path) const {
    const auto resolved = table_.Resolve(method, path);
    if (const auto* route = std::get_if<const Route*>(&resolved)) return (*route)->path;
    return std::to_string(std::get<Response>(resolved).status);
  }

  RouteTable table_;
};

TEST_F(RouterTest, ExactAndPrefix) {
  EXPECT_EQ(Resolved("GET", "/metrics"), "/metrics");
  EXPECT_EQ(Resolved("GET", "/metrics/"), "404");
  EXPECT_EQ(Resolved("GET", "/views"), "/views");
  EXPECT_EQ(Resolved("GET", "/views/x"), "/views");
  EXPECT_EQ(Resolved("GET", "/viewsonic"), "404");
  EXPECT_EQ(Resolved("GET", ""), "404");
}

TEST_F(RouterTest, TheLongestPrefixWinsAndExactWinsOverAll) {
  EXPECT_EQ(Resolved("GET", "/views/deep/er"), "/views/deep");
  EXPECT_EQ(Resolved("POST", "/views/map"), "/views/map");
  EXPECT_EQ(Resolved("GET", "/views/map"), "405");
}

TEST_F(RouterTest, GetServesHeadAndOthersAreTold) {
  EXPECT_EQ(Resolved("HEAD", "/metrics"), "/metrics");
  EXPECT_EQ(Resolved("HEAD", "/-/reload"), "405");
  const auto refused = table_.Resolve("DELETE", "/metrics");
  EXPECT_EQ(std::get<Response>(refused).headers.at(0), (std::pair<std::string, std::string>("Allow", "GET, HEAD")));
}

TEST_F(RouterTest, RefusesWhatIsTakenOrNoPath) {
  EXPECT_FALSE(table_.Add(MakeRoute("/metrics", {"POST"})));
  EXPECT_FALSE(table_.Add(MakeRoute("metrics", {"GET"})));
}

}  // namespace
}  // namespace wiregauge::http
