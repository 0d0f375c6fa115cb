#include "base/http.h"

#include <gtest/gtest.h>

namespace wiregauge::http {
namespace {

TEST(Request, HeaderNamesIgnoreCase) {
  const Request request{.headers = {{"content-TYPE", "a/b"}}};
  EXPECT_EQ(request.Header("Content-Type"), "a/b");
  EXPECT_EQ(request.Header("Accept"), "");
}

TEST(Request, ParametersDecodeAndRepeat) {
  const Request request{.query = "match%5B%5D=up%7Ba%3D%22b+c%22%7D&x=1&match[]=%zz&flag"};
  EXPECT_EQ(request.Parameters("match[]"), (std::vector<std::string>{R"(up{a="b c"})", "%zz"}));
  EXPECT_EQ(request.Parameters("flag"), std::vector<std::string>{""});
  EXPECT_TRUE(request.Parameters("absent").empty());
}

TEST(Request, FormBodyFollowsTheQuery) {
  const Request request{
      .query = "a=1", .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}}, .body = "a=2"};
  EXPECT_EQ(request.Parameters("a"), (std::vector<std::string>{"1", "2"}));
}

TEST(Request, OtherBodiesAreNotForms) {
  const Request request{.headers = {{"Content-Type", "application/x-protobuf"}}, .body = "a=2"};
  EXPECT_TRUE(request.Parameters("a").empty());
}

}  // namespace
}  // namespace wiregauge::http
