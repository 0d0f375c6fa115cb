// Small files read whole.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace wiregauge {

// Larger than any file of /proc that is read: the mappings of a large JVM take some 2 MB.
inline constexpr std::size_t kSmallFileBytesMax = 16 << 20;

// The bytes of a file, as far as `bytes_max`. kNotFound, kPermission, or kIo with the system's reason; also when a read
// fails, as that of a /proc/PID file does when the process ends after the open. (Never a std::ifstream's iterators for
// that: they throw then.)
Result<std::string> ReadSmallFile(const std::string& path, std::size_t bytes_max = kSmallFileBytesMax);

}  // namespace wiregauge
