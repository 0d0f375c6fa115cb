#include "exporter/aggregate/route.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace wiregauge::aggregate {
namespace {

std::string Fold(std::string_view path, bool cut = false) {
  RouteBuffer buffer;
  return std::string(FoldRoute(path, cut, buffer));
}

const std::pair<std::string, std::string> kCases[] = {
    // what a programmer wrote stays
    {"/", "/"},
    {"", ""},
    {"*", "*"},
    {"/health", "/health"},
    {"/api/v1/users", "/api/v1/users"},
    {"/users/", "/users/"},
    {"/index.html", "/index.html"},
    {"/favicon.ico", "/favicon.ico"},
    {"/fonts/inter.woff2", "/fonts/inter.woff2"},
    {"/.well-known/acme-challenge", "/.well-known/acme-challenge"},
    {"/.env", "/.env"},
    {"/oauth2/token", "/oauth2/token"},
    {"/s3/ec2/k8s/i18n/log4j2/mp3", "/s3/ec2/k8s/i18n/log4j2/mp3"},
    {"/amd64/ipv6/utf-8", "/amd64/ipv6/utf-{id}"},
    {"/decade/facade/defaced", "/decade/facade/defaced"},
    {"/getUserProfileByName", "/getUserProfileByName"},
    {"/my-first-post", "/my-first-post"},
    {"/pets:search", "/pets:search"},
    {"/@scope/package", "/@scope/package"},
    {"/img/logo@2x.png", "/img/logo@2x.png"},
    {"/a,b/c=d/(e)", "/a,b/c=d/(e)"},
    {"/../etc/passwd", "/../etc/passwd"},
    {"relative/path", "relative/path"},
    // numbers
    {"/users/42/orders/7", "/users/{id}/orders/{id}"},
    {"/users/0", "/users/{id}"},
    {"/users/42/", "/users/{id}/"},
    {"/t/-12", "/t/{id}"},
    {"/t/3.14", "/t/{id}"},
    {"/at/52.5,13.4", "/at/{id}"},
    {"/ip/10.0.0.1", "/ip/{id}"},
    {"/isbn/978-3-16-148410-0", "/isbn/{id}"},
    {"/time/10:30", "/time/{id}"},
    {"/order-12345", "/order-{id}"},
    {"/page_2", "/page_{id}"},
    {"/user123", "/user{id}"},
    {"/user12", "/user12"},
    {"/wait/100ms", "/wait/{id}ms"},
    {"/42.json", "/{id}.json"},
    {"/jquery-3.6.0.min.js", "/jquery-{id}.min.js"},
    {"/pkg/1.2.3.tar.gz", "/pkg/{id}.tar.gz"},
    {"/v1.2/x", "/v1.{id}/x"},
    // identifiers
    {"/u/123e4567-e89b-12d3-a456-426614174000", "/u/{id}"},
    {"/u/123E4567-E89B-12D3-A456-426614174000", "/u/{id}"},
    {"/u/123e4567e89b12d3a456426614174000", "/u/{id}"},
    {"/mac/00:1b:44:11:3a:b7", "/mac/{id}"},
    {"/c/507f1f77bcf86cd799439011", "/c/{id}"},
    {"/commit/3f2a9c1", "/commit/{id}"},
    {"/commit/da39a3ee5e6b4b0d3255bfef95601890afd80709", "/commit/{id}"},
    {"/x/deadbeefdeadbeef", "/x/{id}"},
    {"/x/deadbeef", "/x/deadbeef"},
    {"/ulid/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/ulid/{id}"},
    {"/nano/V1StGXR8_Z5jdHi6B-myT", "/nano/{id}"},
    {"/watch/dQw4w9WgXcQ", "/watch/{id}"},
    {"/customers/cus_9s6XKzkNRiz8i3", "/customers/{id}"},
    {"/slack/U024BE7LH", "/slack/{id}"},
    {"/static/app.3f2a9c1b.js", "/static/app.{id}.js"},
    {"/static/3f2a9c1b.css", "/static/{id}.css"},
    {"/mail/user@example.com", "/mail/{id}"},
    {"/jwt/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "/jwt/{id}"},
    // dates
    {"/report/2026-11-20", "/report/{date}"},
    {"/report/2026-11", "/report/{date}"},
    {"/report/2026-13", "/report/{id}"},
    {"/report/2026-11-20T10:00:00Z", "/report/{date}"},
    {"/report/2026-11-20.csv", "/report/{date}.csv"},
    {"/report/20261120", "/report/{id}"},
    {"/blog/2026/11/20/hello", "/blog/{id}/{id}/{id}/hello"},
    // percent-encoding and what no route holds
    {"/%75sers/%34%32", "/users/{id}"},
    {"/a%2fb", "/{id}"},
    {"/a%2Fb/c", "/{id}/c"},
    {"/search/hello%20world", "/search/{id}"},
    {"/wiki/%E6%97%A5", "/wiki/{id}"},
    {"/wiki/\xe6\x97\xa5", "/wiki/{id}"},
    {"/bad%", "/{id}"},
    {"/bad%4", "/{id}"},
    {"/bad%zz", "/{id}"},
    {"/a\"b\\c", "/{id}"},
    {"/{id}", "/{id}"},
    {std::string("/nul\0byte", 9), "/{id}"},
    // parameters, queries, slashes
    {"/login;jsessionid=0123456789abcdef", "/login"},
    {"/a;b/c;d", "/a/c"},
    {"/a?b=/c/1", "/a"},
    {"/a#b", "/a"},
    {"//a///b//", "/a/b/"},
};

TEST(FoldRoute, Cases) {
  for (const auto& [path, want] : kCases) EXPECT_EQ(Fold(path), want) << path;
}

TEST(FoldRoute, IsItsOwnFixedPointWhereNothingFolds) {
  for (const auto& [path, want] : kCases) {
    if (want.find('{') != std::string::npos) continue;
    EXPECT_EQ(Fold(want), want);
  }
}

TEST(FoldRoute, AnUnknownEndIsRest) {
  EXPECT_EQ(Fold("/users/42/ord", true), "/users/{id}/{rest}");
  EXPECT_EQ(Fold("/users/42/", true), "/users/{id}/");
  EXPECT_EQ(Fold("/x", true), "/{rest}");
}

TEST(FoldRoute, SegmentsLongerThanAnyNameAreData) {
  EXPECT_EQ(Fold("/" + std::string(40, 'x')), "/" + std::string(40, 'x'));
  EXPECT_EQ(Fold("/" + std::string(41, 'x')), "/{id}");
  const std::string words = std::string(31, 'x') + "-" + std::string(32, 'y');
  EXPECT_EQ(Fold("/" + words), "/" + words);
  EXPECT_EQ(Fold("/" + words + "y"), "/{id}");
}

TEST(FoldRoute, DepthIsBounded) {
  std::string path;
  for (std::size_t i = 0; i < kRouteSegmentsMax; ++i) path += "/a";
  EXPECT_EQ(Fold(path), path);
  EXPECT_EQ(Fold(path + "/"), path + "/");
  EXPECT_EQ(Fold(path + "/a"), path + "/{rest}");
  EXPECT_EQ(Fold(path + "/a/a/a"), path + "/{rest}");
}

TEST(FoldRoute, LengthIsBounded) {
  const std::string name(30, 'x');
  const std::string path = "/" + name + "/" + name + "/" + name;  // 93 bytes
  EXPECT_EQ(Fold(path + "/" + std::string(33, 'y')), path + "/" + std::string(33, 'y'));
  EXPECT_EQ(Fold(path + "/" + std::string(34, 'y')), path + "/" + std::string(34, 'y'));
  EXPECT_EQ(Fold(path + "/" + std::string(35, 'y')), path + "/{rest}");
  EXPECT_EQ(Fold(path + "/" + std::string(34, 'y') + "/z"), path + "/{rest}");
  EXPECT_LE(Fold("/" + std::string(5000, '/') + std::string(5000, 'a')).size(), kRouteBytesMax);
}

}  // namespace
}  // namespace wiregauge::aggregate
