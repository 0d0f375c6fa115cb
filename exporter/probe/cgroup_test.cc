#include "exporter/probe/cgroup.h"

#include <gtest/gtest.h>

namespace wiregauge::probe {
namespace {

TEST(CgroupMount, IsFoundOnUnifiedAndHybridHosts) {
  EXPECT_EQ(*FindCgroupMount("30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"),
            "/sys/fs/cgroup");
  EXPECT_EQ(*FindCgroupMount("31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                             "32 30 0:28 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 none rw\n"),
            "/sys/fs/cgroup/unified");
}

TEST(CgroupMount, EscapesAreUndone) {
  EXPECT_EQ(*FindCgroupMount("32 30 0:28 / /mnt/a\\040b rw - cgroup2 none rw\n"), "/mnt/a b");
}

TEST(CgroupMount, SaysHowToMountOne) {
  const auto mount = FindCgroupMount("31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
  ASSERT_FALSE(mount);
  EXPECT_NE(mount.error().message.find("mount -t cgroup2"), std::string::npos);
}

TEST(Scopes, RefuseWhatIsNoCgroupFolder) {
  EXPECT_FALSE(ResolveScopes({"/"}));
  const auto missing = ResolveScopes({"/does/not/exist"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kInvalidArgument);
  EXPECT_NE(missing.error().message.find("/does/not/exist"), std::string::npos);
}

TEST(Scopes, OneFolderGivenTwiceIsOneScope) {
  const auto mount = FindCgroupMount();
  if (!mount) GTEST_SKIP() << mount.error().message;
  const auto scopes = ResolveScopes({*mount, *mount + "/"});
  ASSERT_TRUE(scopes);
  ASSERT_EQ(scopes->size(), 1U);
  EXPECT_EQ(scopes->front().path, *mount);
  EXPECT_NE(scopes->front().id, 0U);
}

}  // namespace
}  // namespace wiregauge::probe
