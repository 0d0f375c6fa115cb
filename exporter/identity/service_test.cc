#include "exporter/identity/service.h"

#include <gtest/gtest.h>

namespace wiregauge::identity {
namespace {

Service Make(std::string name, std::string executable = {}) {
  Service service;
  service.name = std::move(name);
  service.executable = std::move(executable);
  return service;
}

TEST(ServiceTable, OneIdAName) {
  ServiceTable table;
  const ServiceId nginx = table.Intern(Make("nginx"));
  const ServiceId redis = table.Intern(Make("redis"));
  EXPECT_NE(nginx, redis);
  EXPECT_EQ(table.Intern(Make("nginx")), nginx);
  EXPECT_EQ(table.Of(nginx).name, "nginx");
  EXPECT_EQ(table.Of(kUnknownService).name, "unknown");
  EXPECT_EQ(table.Of(kOtherService).name, "_OTHER");
  EXPECT_EQ(table.Of(12345).name, "unknown");
}

TEST(ServiceTable, TheNamespaceIsPartOfTheName) {
  ServiceTable table;
  Service web = Make("web");
  web.service_namespace = "shop";
  EXPECT_NE(table.Intern(web), table.Intern(Make("web")));
}

TEST(ServiceTable, AttributesOnWhichProcessesDifferAreLeftOutForGood) {
  ServiceTable table;
  const ServiceId id = table.Intern(Make("web", "/bin/a"));
  table.Intern(Make("web", "/bin/a"));
  EXPECT_EQ(table.Of(id).executable, "/bin/a");
  table.Intern(Make("web", "/bin/b"));
  EXPECT_EQ(table.Of(id).executable, "");
  table.Intern(Make("web", "/bin/b"));
  EXPECT_EQ(table.Of(id).executable, "");
}

TEST(ServiceTable, FullMeansOtherAndCounted) {
  ServiceTable table(4);  // two fixed, two more
  const ServiceId a = table.Intern(Make("a"));
  EXPECT_NE(table.Intern(Make("b")), kOtherService);
  EXPECT_EQ(table.overflow_total(), 0U);
  EXPECT_EQ(table.Intern(Make("c")), kOtherService);
  EXPECT_EQ(table.overflow_total(), 1U);
  EXPECT_EQ(table.Intern(Make("a")), a);
  table.Remove(a);
  EXPECT_NE(table.Intern(Make("c")), kOtherService);
}

TEST(ServiceTable, AnIdIsNeverGivenTwice) {
  ServiceTable table;
  const ServiceId first = table.Intern(Make("a"));
  table.Remove(first);
  EXPECT_EQ(table.Of(first).name, "unknown");
  EXPECT_NE(table.Intern(Make("b")), first);
  EXPECT_NE(table.Intern(Make("a")), first);
  table.Remove(kUnknownService);
  table.Remove(kOtherService);
  EXPECT_EQ(table.Of(kOtherService).name, "_OTHER");
}

}  // namespace
}  // namespace wiregauge::identity
