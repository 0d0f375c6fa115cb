#include "exporter/identity/cgroup_path.h"

#include <gtest/gtest.h>

#include <string>

namespace wiregauge::identity {
namespace {

const std::string kA = "3f1c5a9e8b7d6c4f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f";
const std::string kB = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const std::string kPod = "12345678-9abc-def0-1234-56789abcdef0";
const std::string kPodUnderscores = "12345678_9abc_def0_1234_56789abcdef0";

struct Case {
  std::string why;
  std::string path;
  std::string container;
  std::string unit;
  std::string pod;
};

const Case kCases[] = {
    {"root", "/", "", "", ""},
    {"nothing", "", "", "", ""},
    {"docker, cgroupfs", "/docker/" + kA, kA, "", ""},
    {"docker, systemd", "/system.slice/docker-" + kA + ".scope", kA, "", ""},
    {"docker, rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + kA + ".scope", kA, "",
     ""},
    {"docker's own daemon", "/system.slice/docker.service", "", "docker.service", ""},
    {"docker in docker: the inner", "/docker/" + kA + "/docker/" + kB, kB, "", ""},
    {"systemd in docker", "/system.slice/docker-" + kA + ".scope/system.slice/nginx.service", kA, "nginx.service", ""},
    {"docker below a unit", "/system.slice/ci.service/docker/" + kA, kA, "", ""},
    {"init of a container", "/docker/" + kA + "/init.scope", kA, "", ""},
    {"containerd, nerdctl", "/system.slice/nerdctl-" + kA + ".scope", kA, "", ""},
    {"containerd, default namespace", "/default/" + kA, kA, "", ""},
    {"podman, rootful", "/machine.slice/libpod-" + kA + ".scope/container", kA, "", ""},
    {"podman, rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kA + ".scope", kA, "",
     ""},
    {"podman, cgroupfs", "/libpod_parent/libpod-" + kA, kA, "", ""},
    {"podman, quadlet", "/system.slice/web.service/libpod-payload-" + kA, kA, "", ""},
    {"podman's monitor", "/machine.slice/libpod-conmon-" + kA + ".scope", "", "", ""},
    {"cri-o, systemd",
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kPodUnderscores + ".slice/crio-" + kA +
         ".scope",
     kA, "", kPodUnderscores},
    {"cri-o, with a child", "/kubepods.slice/kubepods-pod" + kPodUnderscores + ".slice/crio-" + kA + ".scope/container",
     kA, "", kPodUnderscores},
    {"cri-o's monitor", "/kubepods.slice/kubepods-pod" + kPodUnderscores + ".slice/crio-conmon-" + kA + ".scope", "",
     "", kPodUnderscores},
    {"cri-o, cgroupfs", "/kubepods/besteffort/pod" + kPod + "/crio-" + kA, kA, "", kPod},
    {"kubelet, cgroupfs, burstable", "/kubepods/burstable/pod" + kPod + "/" + kA, kA, "", kPod},
    {"kubelet, cgroupfs, guaranteed", "/kubepods/pod" + kPod + "/" + kA, kA, "", kPod},
    {"containerd, systemd",
     "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + kPodUnderscores + ".slice/cri-containerd-" +
         kA + ".scope",
     kA, "", kPodUnderscores},
    {"containerd told cgroupfs where systemd rules",
     "/system.slice/containerd.service/kubepods-burstable-pod" + kPodUnderscores + ".slice:cri-containerd:" + kA, kA,
     "", kPodUnderscores},
    {"static pod: the uid is 32 digits", "/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + kA, kA, "",
     "0123456789abcdef0123456789abcdef"},
    {"kind: a node that is a container", "/docker/" + kB + "/kubelet/kubepods/burstable/pod" + kPod + "/" + kA, kA, "",
     kPod},
    {"ecs", "/ecs/0123456789abcdef0123456789abcdef/" + kA, kA, "", ""},
    {"unit", "/system.slice/nginx.service", "", "nginx.service", ""},
    {"unit with its own slice", "/system.slice/system-postgresql.slice/postgresql@15-main.service", "",
     "postgresql@15-main.service", ""},
    {"delegated unit", "/system.slice/foo.service/worker/3", "", "foo.service", ""},
    {"user unit", "/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service", "", "syncthing.service",
     ""},
    {"user manager", "/user.slice/user-1000.slice/user@1000.service/init.scope", "", "", ""},
    {"login session", "/user.slice/user-1000.slice/session-3.scope", "", "", ""},
    {"transient scope", "/system.slice/run-r0123.scope", "", "", ""},
    {"slice", "/machine.slice", "", "", ""},
    {"only the suffix", "/system.slice/.service", "", "", ""},
    {"63 digits are no id", "/docker/" + kA.substr(1), "", "", ""},
    {"65 digits are no id", "/docker/0" + kA, "", "", ""},
    {"upper case is no id", "/docker/" + std::string(64, 'A'), "", "", ""},
    {"32 digits are no id", "/process_api/854997932cd5bce0d574def338c9de3a", "", "", ""},
    {"no leading slash", "docker/" + kA, kA, "", ""},
};

TEST(ParseCgroupPath, KnowsEachRuntime) {
  for (const Case& c : kCases) {
    const CgroupFacts facts = ParseCgroupPath(c.path);
    EXPECT_EQ(facts.container_id, c.container) << c.why;
    EXPECT_EQ(facts.systemd_unit, c.unit) << c.why;
    EXPECT_EQ(facts.pod_uid, c.pod) << c.why;
  }
}

TEST(ChooseCgroupPath, TakesTheLineThatSaysMost) {
  const auto check = [](const std::string& text, const std::string& want) { EXPECT_EQ(ChooseCgroupPath(text), want); };
  check("0::/system.slice/nginx.service\n", "/system.slice/nginx.service");
  // hybrid: the v2 line is bare, systemd's own hierarchy has the unit
  check("9:name=systemd:/system.slice/a.service\n4:memory:/system.slice/b.service\n0::/\n", "/system.slice/a.service");
  check("4:memory:/system.slice/b.service\n0::/system.slice/c.service\n", "/system.slice/c.service");
  // v1, docker beside a systemd that does not know it
  check("5:cpu,cpuacct:/docker/" + kA + "\n1:name=systemd:/system.slice/a.service\n", "/docker/" + kA);
  check("5:cpu,cpuacct:/x\n1:name=systemd:/y\n", "/y");
  check("0::/a:b\n", "/a:b");
  check("5:cpu:/x", "/x");
  check("", "");
  check("nonsense\n::\n", "");
  check("nonsense\n1:2\n", "");
}

TEST(UnitName, DropsTheSuffixAndUnescapes) {
  EXPECT_EQ(UnitName("nginx.service"), "nginx");
  EXPECT_EQ(UnitName("postgresql@15-main.service"), "postgresql@15-main");
  EXPECT_EQ(UnitName("foo\\x2dbar.service"), "foo-bar");
  EXPECT_EQ(UnitName("a\\x2d.service"), "a-");
  EXPECT_EQ(UnitName("a\\x0a.service"), "a\\x0a");  // a newline stays escaped
  EXPECT_EQ(UnitName("a\\xzz\\x2"), "a\\xzz\\x2");
}

}  // namespace
}  // namespace wiregauge::identity
