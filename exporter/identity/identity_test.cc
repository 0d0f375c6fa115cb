#include "exporter/identity/identity.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "exporter/identity/cgroup_path.h"

namespace wiregauge::identity {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 1'000 * kSecond;
const std::string kContainer = "3f1c5a9e8b7d6c4f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f";

probe::OwnerId OwnerIdOf(std::uint32_t pid, std::uint32_t start_ticks) {
  return static_cast<probe::OwnerId>(pid) << 32 | start_ticks;
}

class IdentityTest : public testing::Test {
 protected:
  IdentityTest() {
    std::string pattern = (fs::temp_directory_path() / "identity_test_XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    fs::create_directories(root_ / "proc");
    fs::create_directories(root_ / "cgroup");
  }
  ~IdentityTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  void WriteProcess(std::uint32_t pid, std::uint32_t start_ticks, const std::string& comm, const std::string& exe,
                    const std::string& cgroup) {
    const fs::path folder = root_ / "proc" / std::to_string(pid);
    fs::remove_all(folder);
    fs::create_directories(folder);
    if (!exe.empty()) fs::create_symlink(exe, folder / "exe");
    std::ofstream(folder / "cgroup") << "0::" << cgroup << "\n";
    std::ofstream(folder / "stat") << pid << " (" << comm << ") S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 "
                                   << start_ticks << " 1000 1\n";
  }

  std::uint64_t MakeCgroup(const std::string& path) {
    const fs::path folder = root_ / "cgroup" / path;
    fs::create_directories(folder);
    struct stat info {};
    EXPECT_EQ(::stat(folder.c_str(), &info), 0);
    return info.st_ino;
  }

  Identity Make(Identity::OwnerLookup lookup, std::size_t owners_max = Identity::kOwnersMax) {
    return Identity({(root_ / "proc").string(), (root_ / "cgroup").string()}, std::move(lookup), owners_max);
  }
  Identity Make(std::size_t owners_max = Identity::kOwnersMax) {
    return Make([](probe::OwnerId) { return Result<probe::OwnerInfo>(Error{Code::kNotFound, "none"}); }, owners_max);
  }

  static std::string NameOf(Identity& identity, const Owner& owner, std::uint64_t now_ns = kStart) {
    const ServiceId id = identity.ServiceOf(owner, now_ns);
    return identity.services().Of(id).name;
  }

  fs::path root_;
};

TEST(NameService, FollowsTheOrder) {
  const auto check = [](const std::string& cgroup, const std::string& exe, const std::string& comm,
                        const std::string& want, NameSource source) {
    const Named named = NameService(cgroup, exe, comm);
    EXPECT_EQ(named.service.name, want);
    EXPECT_EQ(named.source, source);
  };
  check("/docker/" + kContainer, "/usr/sbin/nginx", "nginx", "3f1c5a9e8b7d", NameSource::kContainer);
  check("/docker/" + kContainer + "/system.slice/a.service", "", "", "3f1c5a9e8b7d", NameSource::kContainer);
  check("/system.slice/web.service", "/usr/sbin/nginx", "nginx", "web", NameSource::kSystemdUnit);
  check("/user.slice/session-1.scope", "/usr/sbin/nginx", "worker", "nginx", NameSource::kExecutable);
  check("/", "nginx", "worker", "nginx", NameSource::kExecutable);
  check("/", "/usr/bin/", "worker", "worker", NameSource::kComm);
  check("/", "", "worker", "worker", NameSource::kComm);
  check("", "", "", "", NameSource::kUnknown);
}

TEST_F(IdentityTest, NamesProcessesFromProc) {
  WriteProcess(10, 500, "nginx", "/usr/sbin/nginx", "/system.slice/web.service");
  WriteProcess(11, 500, "a (b) c", "/opt/app/server (deleted)", "/");
  WriteProcess(12, 500, "kworker/0:1", "", "/");
  Identity identity = Make();
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), 0, ""}), "web");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(11, 500), 0, ""}), "server");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(12, 500), 0, ""}), "kworker/0:1");
  const Service& web = identity.services().Of(identity.ServiceOf({OwnerIdOf(10, 500), 0, ""}, kStart));
  EXPECT_EQ(web.systemd_unit, "web.service");
  EXPECT_EQ(web.executable, "/usr/sbin/nginx");
}

TEST_F(IdentityTest, ALinkBesideTheExecutableIsTheName) {
  const auto link = [this](std::uint32_t pid, const std::string& name, const std::string& target) {
    fs::create_directories(root_ / "proc" / std::to_string(pid) / "root/usr/bin");
    fs::create_symlink(target, root_ / "proc" / std::to_string(pid) / "root/usr/bin" / name);
  };
  WriteProcess(21, 1, "redis-server", "/usr/bin/redis-check-rdb", "/");
  link(21, "redis-server", "redis-check-rdb");
  WriteProcess(22, 1, "worker", "/usr/bin/server", "/");  // a thread's own name is no link
  WriteProcess(23, 1, "alias", "/usr/bin/server", "/");
  link(23, "alias", "/usr/bin/another");  // a link to something else is not how it was started
  WriteProcess(24, 1, "a-very-long-nam", "/usr/bin/a-very-long-name", "/");
  Identity identity = Make();
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(21, 1), 0, ""}), "redis-server");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(22, 1), 0, ""}), "server");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(23, 1), 0, ""}), "server");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(24, 1), 0, ""}), "a-very-long-name");
}

TEST_F(IdentityTest, AReusedPidIsAnotherProcess) {
  WriteProcess(10, 501, "other", "/bin/other", "/");
  Identity identity = Make();
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), 0, "curl"}), "curl");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 501), 0, "curl"}), "other");
}

TEST_F(IdentityTest, AProcessThatIsGoneIsNamedByItsCgroup) {
  const std::uint64_t unit = MakeCgroup("system.slice/batch.service");
  Identity identity = Make();
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), unit, "sh"}), "batch");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(11, 500), unit + 1'000'000, "sh"}), "sh");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(12, 500), 0, ""}), "unknown");
  EXPECT_EQ(identity.unresolved_total(), 1U);
}

TEST_F(IdentityTest, AProcessThatIsGoneIsNamedByItsExecutable) {
  const std::uint64_t unit = MakeCgroup("system.slice/batch.service");
  fs::create_directories(root_ / "proc/1/root/usr/local/bin");
  fs::create_symlink("/usr/bin/busybox", root_ / "proc/1/root/usr/local/bin/wget");
  Identity identity = Make([](probe::OwnerId owner) {
    switch (owner >> 32) {
      case 10: return Result<probe::OwnerInfo>(probe::OwnerInfo{0, "kafka", "kafka_load"});
      case 11: return Result<probe::OwnerInfo>(probe::OwnerInfo{0, "wget", "busybox"});
      case 12: return Result<probe::OwnerInfo>(probe::OwnerInfo{0, "worker", "server"});
      case 13: return Result<probe::OwnerInfo>(probe::OwnerInfo{0, "kworker/0:1", ""});
      default: return Result<probe::OwnerInfo>(Error{Code::kNotFound, "none"});
    }
  });
  EXPECT_EQ(NameOf(identity, {.id = OwnerIdOf(10, 1)}), "kafka_load");
  EXPECT_EQ(NameOf(identity, {.id = OwnerIdOf(11, 1)}), "wget");
  EXPECT_EQ(NameOf(identity, {.id = OwnerIdOf(12, 1)}), "server");
  EXPECT_EQ(NameOf(identity, {.id = OwnerIdOf(13, 1)}), "kworker/0:1");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 2), unit, ""}), "batch");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(14, 1), 0, "sh"}), "sh");
}

TEST_F(IdentityTest, AProcessThatIsGoneTakesNothingFromTheNamesOfTheLiving) {
  WriteProcess(10, 500, "redis-server", "/opt/redis/redis-check-rdb", "/");
  fs::create_directories(root_ / "proc/10/root/opt/redis");
  fs::create_symlink("redis-check-rdb", root_ / "proc/10/root/opt/redis/redis-server");
  Identity identity = Make([](probe::OwnerId owner) {
    return Result<probe::OwnerInfo>(
        probe::OwnerInfo{0, "redis-server", owner >> 32 == 10 ? "redis-check-rdb" : "redis-server"});
  });
  const Owner owner{.id = OwnerIdOf(10, 500)};
  EXPECT_EQ(NameOf(identity, owner), "redis-server");
  fs::remove_all(root_ / "proc" / "10");
  EXPECT_EQ(NameOf(identity, owner, kStart + Identity::kRecheckNs), "redis-server");
  const ServiceId another = identity.ServiceOf({.id = OwnerIdOf(11, 1)}, kStart + Identity::kRecheckNs);
  EXPECT_EQ(identity.services().Of(another).executable, "/opt/redis/redis-server");
}

TEST_F(IdentityTest, ASocketWithoutOwnerIsNamedByItsCgroup) {
  const std::uint64_t unit = MakeCgroup("system.slice/batch.service");
  const std::uint64_t plain = MakeCgroup("plain");
  Identity identity = Make();
  EXPECT_EQ(NameOf(identity, {0, unit, "sh"}), "batch");
  EXPECT_EQ(NameOf(identity, {0, plain, "sh"}), "sh");
  EXPECT_EQ(NameOf(identity, {0, plain, "bash"}), "bash");
  EXPECT_EQ(NameOf(identity, {0, 0, "sh"}), "sh");
  EXPECT_EQ(NameOf(identity, {0, 0, ""}), "unknown");
  EXPECT_EQ(identity.unresolved_total(), 0U);
}

TEST_F(IdentityTest, ANewCgroupIsFoundOnceTheWalkMayRunAgain) {
  MakeCgroup("old");
  Identity identity = Make();
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(1, 1), 1, "sh"}), "sh");  // walks
  const std::uint64_t unit = MakeCgroup("late.service");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(2, 1), unit, "sh"}), "sh");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(3, 1), unit, "sh"}, kStart + CgroupTree::kRescanNs), "late");
}

TEST_F(IdentityTest, FilesAreReadOncePerOwner) {
  WriteProcess(10, 500, "nginx", "/usr/sbin/nginx", "/system.slice/web.service");
  Identity identity = Make();
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), 0, ""}), "web");
  fs::remove_all(root_ / "proc" / "10");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), 0, ""}, kStart + Identity::kRecheckNs), "web");
}

TEST_F(IdentityTest, ExecIsNoticedAndExitIsNot) {
  WriteProcess(10, 500, "sh", "/bin/sh", "/");
  Identity identity = Make();
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), 0, ""}), "sh");
  WriteProcess(10, 500, "server", "/opt/server", "/");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), 0, ""}, kStart + Identity::kRecheckNs - 1), "sh");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), 0, ""}, kStart + Identity::kRecheckNs), "server");
  fs::remove_all(root_ / "proc" / "10");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), 0, "x"}, kStart + 2 * Identity::kRecheckNs), "server");
}

TEST_F(IdentityTest, AnUnknownOwnerIsAskedAgainWhenMoreIsKnown) {
  Identity identity = Make();
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), 0, ""}), "unknown");
  EXPECT_EQ(NameOf(identity, {OwnerIdOf(10, 500), 0, "curl"}), "curl");
}

TEST_F(IdentityTest, OwnersAreBoundedAndForgottenOnesAreCounted) {
  constexpr std::size_t kMax = 16;
  Identity identity = Make(kMax);
  for (std::uint32_t pid = 1; pid <= 1000; ++pid) {
    NameOf(identity, {OwnerIdOf(pid, 1), 0, "curl"});
    NameOf(identity, {OwnerIdOf(pid > 5 ? pid - 5 : 1, 1), 0, "curl"});
    EXPECT_LE(identity.owners(), kMax);
  }
  EXPECT_GE(identity.owners_forgotten_total(), 1000 - kMax);
}

TEST_F(IdentityTest, ServicesGoWithTheirLastOwnerUnlessASeriesUsesThem) {
  WriteProcess(10, 500, "a", "/bin/a", "/");
  WriteProcess(11, 500, "b", "/bin/b", "/");
  Identity identity = Make();
  const ServiceId a = identity.ServiceOf({OwnerIdOf(10, 500), 0, ""}, kStart);
  const ServiceId b = identity.ServiceOf({OwnerIdOf(11, 500), 0, ""}, kStart);
  const auto in_use = [&](ServiceId id) { return id == b; };
  identity.Expire(in_use);
  EXPECT_EQ(identity.services().size(), 4U);
  // Two idle periods later both owners are forgotten.
  identity.ServiceOf({OwnerIdOf(99, 1), 0, "x"}, kStart + Identity::kOwnerIdleNs);
  identity.ServiceOf({OwnerIdOf(99, 1), 0, "x"}, kStart + 2 * Identity::kOwnerIdleNs);
  identity.Expire(in_use);
  EXPECT_EQ(identity.services().Of(a).name, "unknown");
  EXPECT_EQ(identity.services().Of(b).name, "b");
}

TEST_F(IdentityTest, MalformedProcFilesAreNoProcess) {
  const fs::path folder = root_ / "proc" / "10";
  fs::create_directories(folder);
  for (const std::string text :
       {"", "10", "10 (x", "10 (x) S 1 2", ") 10 (", "10 (x) S 1 1 1 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 zz"}) {
    std::ofstream(folder / "stat", std::ios::trunc) << text;
    EXPECT_FALSE(ReadProcess((root_ / "proc").string(), 10)) << text;
  }
}

// A real child of this process: the name must be that of its executable, or of the unit or container we all run in.
TEST(IdentityOfAChild, IsReadFromTheRealProc) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const auto facts = ReadProcess("/proc", static_cast<std::uint32_t>(child));
  ASSERT_TRUE(facts);
  EXPECT_GT(facts->start_ticks, 0U);
  EXPECT_EQ(facts->executable, fs::read_symlink("/proc/self/exe").string());

  Identity identity({"/proc", ""});
  const probe::OwnerId owner =
      OwnerIdOf(static_cast<std::uint32_t>(child), static_cast<std::uint32_t>(facts->start_ticks));
  const ServiceId id = identity.ServiceOf({owner, 0, "not-me"}, kStart);
  const CgroupFacts around = ParseCgroupPath(facts->cgroup_path);
  std::string want = fs::path(facts->executable).filename().string();
  if (!around.systemd_unit.empty()) want = UnitName(around.systemd_unit);
  if (!around.container_id.empty()) want = around.container_id.substr(0, 12);
  EXPECT_EQ(identity.services().Of(id).name, want);

  // With the start time of another process the same pid is somebody else.
  EXPECT_EQ(identity.services().Of(identity.ServiceOf({owner + 1, 0, "gone"}, kStart)).name, "gone");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace wiregauge::identity
