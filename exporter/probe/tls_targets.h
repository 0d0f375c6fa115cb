// Where TLS libraries are: the files that a process has mapped, and the functions in them. Reads /proc and ELF files;
// no kernel state. Sources: proc(5) for maps; elf(5); the functions are those of OpenSSL's ssl(7), which BoringSSL and
// LibreSSL have too.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wiregauge::probe {

// A file with code that a process has mapped.
struct MappedFile {
  std::uint64_t start = 0;  // of the mapping, as in /proc/PID/map_files
  std::uint64_t end = 0;
  std::uint64_t offset = 0;  // of the mapping in the file
  std::uint64_t device = 0;  // major << 32 | minor
  std::uint64_t inode = 0;
  std::string path;  // in the process's mount namespace; without " (deleted)"
  bool deleted = false;
};

// The executable mappings of files in the text of /proc/PID/maps, each file once.
std::vector<MappedFile> MappedFiles(std::string_view maps);
// Of a process; empty when it is gone.
std::vector<MappedFile> MappedFilesOf(const std::string& proc, int pid);

// Functions that can be probed, in the order of kTlsFunctionNames.
enum class TlsFunction : std::uint8_t {
  kRead,
  kReadEx,
  kWrite,
  kWriteEx,
  kSendfile,
  kDoHandshake,
  kFree,
  kClear,
  kBioWrite,
};
inline constexpr std::array<const char*, 9> kTlsFunctionNames = {"SSL_read",     "SSL_read_ex",  "SSL_write",
                                                                 "SSL_write_ex", "SSL_sendfile", "SSL_do_handshake",
                                                                 "SSL_free",     "SSL_clear",    "BIO_write"};

// Their offsets in a file, where it defines them.
struct TlsFunctions {
  std::array<std::optional<std::uint64_t>, kTlsFunctionNames.size()> offsets;

  [[nodiscard]] std::optional<std::uint64_t> at(TlsFunction function) const {
    return offsets[static_cast<std::size_t>(function)];
  }
  // It can be probed for plaintext: a library, or a program with the library in it.
  [[nodiscard]] bool has_tls() const { return at(TlsFunction::kRead) && at(TlsFunction::kWrite); }
  // Where such a library writes its records, when that is a library of its own (libcrypto).
  [[nodiscard]] bool has_records() const { return at(TlsFunction::kBioWrite).has_value(); }
};

// By the dynamic symbols and, where these have none, by the others. kCorrupt when it is no ELF file; symbols that point
// outside the file are left out.
Result<TlsFunctions> FindTlsFunctions(const std::string& path);

// Paths of the files that the process has mapped and that can be probed, as it sees them. Empty when it is gone.
std::vector<std::string> TlsFilesOf(const std::string& proc, int pid);

// A path by which this process can open a file that `pid` has mapped: through the process's own root, or, when the file
// was deleted or replaced there, through its mapping (which needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE). kNotFound
// when neither is that file.
Result<std::string> ReachablePath(const std::string& proc, int pid, const MappedFile& file);

}  // namespace wiregauge::probe
