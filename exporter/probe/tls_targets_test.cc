#include "exporter/probe/tls_targets.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

namespace wiregauge::probe {
namespace {

constexpr std::string_view kMaps =
    "55d0a000-55d0b000 r--p 00000000 fd:01 11 /usr/bin/a\n"
    "55d0b000-55d0c000 r-xp 00001000 fd:01 11 /usr/bin/a\n"
    "7f00a000-7f00b000 r-xp 00000000 fd:01 12                         /usr/lib/a name.so (deleted)\n"
    "7f00b000-7f00c000 r-xp 00002000 fd:01 12                         /usr/lib/a name.so (deleted)\n"
    "7f00c000-7f00d000 r-xp 00000000 00:00 0\n"
    "7ffc0000-7ffc1000 r-xp 00000000 00:00 0                          [vdso]\n"
    "7f00e000-7f00f000 rw-p 00000000 fd:01 13 /usr/lib/data\n";

TEST(TlsTargets, ReadsTheFilesWithCode) {
  const auto files = MappedFiles(kMaps);
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].path, "/usr/bin/a");
  EXPECT_EQ(files[0].inode, 11U);
  EXPECT_EQ(files[0].device, 0xfdULL << 32 | 1);
  EXPECT_FALSE(files[0].deleted);
  EXPECT_EQ(files[1].path, "/usr/lib/a name.so");
  EXPECT_TRUE(files[1].deleted);
  EXPECT_EQ(files[1].start, 0x7f00a000U);
  EXPECT_EQ(files[1].end, 0x7f00b000U);
}

TEST(TlsTargets, TakesAnyTextForMaps) {
  for (std::size_t size = 0; size <= kMaps.size(); ++size) MappedFiles(kMaps.substr(0, size));
  EXPECT_TRUE(MappedFiles("").empty());
  EXPECT_TRUE(MappedFiles("\n \n-\nx-y r-xp\n").empty());
}

const MappedFile* FileOf(const std::vector<MappedFile>& files, const void* address) {
  const auto at = reinterpret_cast<std::uint64_t>(address);
  for (const MappedFile& file : files) {
    if (file.start <= at && at < file.end) return &file;
  }
  return nullptr;
}

// This test has the library itself: what is found must be where its functions are.
TEST(TlsTargets, FindsTheFunctionsOfALibrary) {
  const auto files = MappedFilesOf("/proc", getpid());
  const MappedFile* library = FileOf(files, reinterpret_cast<const void*>(&SSL_read));
  ASSERT_NE(library, nullptr);
  const auto path = ReachablePath("/proc", getpid(), *library);
  ASSERT_TRUE(path) << path.error().message;
  const auto functions = FindTlsFunctions(*path);
  ASSERT_TRUE(functions) << functions.error().message;
  EXPECT_TRUE(functions->has_tls());
  // The mapping with code begins at another place of the file than its start: compare distances.
  const auto distance = reinterpret_cast<std::uint64_t>(&SSL_write) - reinterpret_cast<std::uint64_t>(&SSL_read);
  EXPECT_EQ(*functions->at(TlsFunction::kWrite) - *functions->at(TlsFunction::kRead), distance);
  EXPECT_TRUE(functions->at(TlsFunction::kDoHandshake));
  EXPECT_TRUE(functions->at(TlsFunction::kFree));
  const auto mine = TlsFilesOf("/proc", getpid());
  EXPECT_EQ(mine, std::vector<std::string>{library->path});
}

// As when a process ends between the open and the read: a folder can be opened and not read.
TEST(MappedFilesOf, AFileThatCannotBeReadIsNoFiles) {
  const std::string proc = testing::TempDir() + "proc_" + std::to_string(getpid());
  const std::string maps = proc + "/7/maps";
  std::filesystem::create_directories(maps);
  EXPECT_TRUE(MappedFilesOf(proc, 7).empty());
  std::filesystem::remove_all(proc);
}

TEST(TlsTargets, RefusesWhatIsNoElf) {
  EXPECT_FALSE(FindTlsFunctions("/proc/self/maps"));
  EXPECT_FALSE(FindTlsFunctions("/nonexistent"));
  const auto none = FindTlsFunctions("/proc/self/exe");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_tls());
}

TEST(TlsTargets, RefusesEveryPrefixOfALibraryWithoutHarm) {
  const auto files = MappedFilesOf("/proc", getpid());
  const MappedFile* library = FileOf(files, reinterpret_cast<const void*>(&SSL_read));
  ASSERT_NE(library, nullptr);
  const std::string copy = fmt::format("{}/tls_targets_test.{}", testing::TempDir(), getpid());
  std::filesystem::copy_file(library->path, copy, std::filesystem::copy_options::overwrite_existing);
  for (std::uintmax_t size = std::filesystem::file_size(copy); size > 0; size = size * 3 / 4) {
    std::filesystem::resize_file(copy, size);
    const auto functions = FindTlsFunctions(copy);
    if (!functions || !functions->has_tls()) continue;
    EXPECT_LT(*functions->at(TlsFunction::kRead), std::filesystem::file_size(library->path));
  }
  std::filesystem::remove(copy);
}

TEST(TlsTargets, AnotherFileAtThePathIsNotTaken) {
  const std::string path = fmt::format("{}/tls_targets_file.{}", testing::TempDir(), getpid());
  std::ofstream(path) << "one";
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  MappedFile file{.start = 1, .end = 2, .device = 0, .inode = status.st_ino, .path = path};
  EXPECT_TRUE(ReachablePath("/proc", getpid(), file));
  ++file.inode;
  EXPECT_FALSE(ReachablePath("/proc", getpid(), file));
  --file.inode;
  file.deleted = true;
  EXPECT_FALSE(ReachablePath("/proc", getpid(), file));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace wiregauge::probe
