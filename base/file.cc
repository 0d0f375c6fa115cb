#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace wiregauge {

Result<std::string> ReadSmallFile(const std::string& path, std::size_t bytes_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    Error error = SystemError("opening " + path, errno);
    if (errno == ENOENT) error.code = Code::kNotFound;
    if (errno == EACCES || errno == EPERM) error.code = Code::kPermission;
    return error;
  }
  std::string text;
  std::array<char, 16'384> chunk;
  ssize_t got = 0;
  do {
    got = read(fd, chunk.data(), std::min(chunk.size(), bytes_max - text.size()));
    if (got > 0) text.append(chunk.data(), static_cast<std::size_t>(got));
  } while (got > 0 || (got < 0 && errno == EINTR));
  const int failed = got < 0 ? errno : 0;
  close(fd);
  if (failed != 0) return SystemError("reading " + path, failed);
  return text;
}

}  // namespace wiregauge
