#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace wiregauge {
namespace {

TEST(ReadSmallFile, AllOfItOrItsBeginning) {
  const std::string path = testing::TempDir() + "small_file." + std::to_string(getpid());
  const std::string text(40'000, 'x');
  std::ofstream(path) << text;
  EXPECT_EQ(ReadSmallFile(path).value(), text);
  EXPECT_EQ(ReadSmallFile(path, 17).value(), text.substr(0, 17));
  unlink(path.c_str());
}

TEST(ReadSmallFile, AFileThatSaysNoSize) { EXPECT_FALSE(ReadSmallFile("/proc/self/maps").value().empty()); }

TEST(ReadSmallFile, ErrorsAreValues) {
  EXPECT_EQ(ReadSmallFile("/nonexistent/file").error().code, Code::kNotFound);
  const auto folder = ReadSmallFile(testing::TempDir());  // opens, and cannot be read
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, Code::kIo);
}

}  // namespace
}  // namespace wiregauge
