#include "exporter/aggregate/route_rules.h"

#include <gtest/gtest.h>

namespace wiregauge::aggregate {
namespace {

TEST(RouteRules, APathFitsSegmentBySegment) {
  const auto check = [](const std::string& route, std::string_view path, bool want, bool cut = false) {
    EXPECT_EQ(!RouteRules::Match({route}, path, cut).empty(), want) << route << " " << path;
  };
  check("/users/{id}", "/users/42", true);
  check("/users/{id}", "/users/me", true);
  check("/users/{id}", "/users/", false);
  check("/users/{id}", "/users", false);
  check("/users/{id}", "/users/42/", false);
  check("/users/{id}", "/users/42/orders", false);
  check("/users/{id}", "/user/42", false);
  check("/users/{id}/", "/users/42/", true);
  check("/{tenant}/items/{id}", "/acme/items/9", true);
  check("/", "/", true);
  check("/", "/a", false);
  check("/", "", false);
  check("/", "*", false);
  check("/static/*", "/static/js/a.js", true);
  check("/static/*", "/static/", true);
  check("/static/*", "/static", false);
  check("/static/*", "/statics/a", false);
  check("/*", "/anything/at/all", true);
  check("/users/{id}", "/users/4", false, true);  // the rest of the segment is not known
  check("/users/{id}/*", "/users/4/abc", true, true);
  check("/users/{id}/*", "/users/4", false, true);
}

TEST(RouteRules, AServicesOwnComeFirstInTheirOrder) {
  const RouteRules rules({{"*", "/{any}"}, {"web", "/{first}"}, {"web", "/a"}, {"shop", "/a"}});
  EXPECT_EQ(rules.Of("web"), (std::vector<std::string_view>{"/{first}", "/a", "/{any}"}));
  EXPECT_EQ(rules.Of("other"), (std::vector<std::string_view>{"/{any}"}));
  EXPECT_EQ(RouteRules::Match(rules.Of("web"), "/a", false), "/{first}");
  EXPECT_EQ(RouteRules::Match(rules.Of("web"), "/a/b", false), "");
  EXPECT_EQ(RouteRules::Match({}, "/a", false), "");
}

TEST(CheckRouteRule, SaysWhatIsWrong) {
  const auto check = [](const std::string& service, const std::string& route, const std::string& want) {
    const Status status = CheckRouteRule({service, route});
    const std::string got = status ? "" : status.error().message;
    EXPECT_EQ(got.find(want) == std::string::npos, false) << got;
    EXPECT_EQ(got.empty(), want.empty()) << route;
  };
  check("web", "/users/{id}", "");
  check("*", "/", "");
  check("web", "/static/*", "");
  check("", "/a", "names no service");
  check("web", "users", "begin with a slash");
  check("web", "", "begin with a slash");
  check("web", "/a b", "not printable");
  check("web", "/a?b", "not printable");
  check("web", "/a\"", "not printable");
  check("web", "/caf\xc3\xa9", "not printable");
  check("web", "/user-{id}", "as a whole");
  check("web", "/{id", "as a whole");
  check("web", "/{}", "as a whole");
  check("web", "/{a}{b}", "as a whole");
  check("web", "/*/a", "only the last");
  check("web", "/" + std::string(127, 'a'), "");
  check("web", "/" + std::string(128, 'a'), "longer than 128");
}

}  // namespace
}  // namespace wiregauge::aggregate
