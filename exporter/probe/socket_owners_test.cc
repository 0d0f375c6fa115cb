#include "exporter/probe/socket_owners.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace wiregauge::probe {
namespace {

TEST(SocketOwners, FindsASocketOfOurOwn) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_GE(fd, 0);
  struct stat status {};
  ASSERT_EQ(fstat(fd, &status), 0);
  const auto inodes = SocketInodes("/proc", getpid());
  EXPECT_NE(std::find(inodes.begin(), inodes.end(), status.st_ino), inodes.end());
  close(fd);
  const auto after = SocketInodes("/proc", getpid());
  EXPECT_EQ(std::find(after.begin(), after.end(), status.st_ino), after.end());
}

TEST(SocketOwners, ReadsWhatItIs) {
  const Process self = ReadProcess("/proc", getpid());
  EXPECT_EQ(self.pid, getpid());
  EXPECT_EQ(self.owner >> 32, static_cast<OwnerId>(getpid()));
  EXPECT_NE(static_cast<std::uint32_t>(self.owner), 0U);
  EXPECT_EQ(self.comm.substr(0, 10), "probe_test");
  EXPECT_EQ(self.executable, "probe_test");
  EXPECT_NE(self.netns_inode, 0U);
}

TEST(SocketOwners, AProcessThatIsGoneHasNoPid) { EXPECT_EQ(ReadProcess("/proc", 0x7ffffff0).pid, 0); }

}  // namespace
}  // namespace wiregauge::probe
