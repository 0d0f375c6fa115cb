// The few file operations the store is made of, behind an interface, so that tests can fail, tear and forget them.
// Errors: kUnavailable when the disk is full (ENOSPC, EDQUOT) or a lock is held, kNotFound, else kIo; each with the
// path.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace wiregauge::store {

// An open file. Different threads may use it at once as pread/pwrite allow.
class File {
 public:
  virtual ~File() = default;

  virtual Status WriteAt(std::uint64_t offset, Bytes bytes) = 0;
  // fdatasync. After it failed once nothing is known about what the file holds: never call it again (the kernel marks
  // the pages clean, so a second call would lie).
  virtual Status Sync() = 0;
  virtual Status Truncate(std::uint64_t size) = 0;
  // Reserves blocks so that the file is `size` bytes long, zeros where nothing was written.
  virtual Status Allocate(std::uint64_t size) = 0;
  // Reads up to out.size() bytes; fewer only at the end of the file. Returns how many.
  virtual Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) const = 0;
  virtual Result<std::uint64_t> Size() const = 0;
};

enum class OpenMode {
  kRead,
  kWrite,   // existing, for reading and writing
  kCreate,  // new and empty; an existing file is emptied
};

// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& path) = 0;
  virtual Status MakeFolder(const std::string& path) = 0;  // parents too; fine when it is there
  virtual Status SyncFolder(const std::string& path) = 0;  // makes creations, renames and removals in it durable
  virtual Result<std::vector<std::string>> List(const std::string& folder) = 0;  // names of files, sorted
  virtual Result<std::uint64_t> FreeBytes(const std::string& path) = 0;          // for an ordinary user
  // Held until the returned object goes away.
  virtual Result<std::unique_ptr<File>> Lock(const std::string& path) = 0;
};

// The operating system's. Static storage.
FileSystem& PosixFiles();

// The whole file. kCorrupt when it is longer than `bytes_max`.
Result<std::string> ReadWholeFile(FileSystem& files, const std::string& path, std::uint64_t bytes_max);

// Writes path + ".tmp" and syncs it.
Status PrepareFile(FileSystem& files, const std::string& path, Bytes bytes);

// Renames path + ".tmp" over `path` and syncs `folder`: readers see the old file or the new one. After an error it is
// not known which one a restart will see.
Status ReplaceFile(FileSystem& files, const std::string& folder, const std::string& path);

}  // namespace wiregauge::store
