#include "remote_write/store/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace wiregauge::store {
namespace {

Error FileError(std::string_view operation, const std::string& path, int number) {
  Error error = SystemError(std::string(operation) + " " + path, number);
  if (number == ENOSPC || number == EDQUOT) error.code = Code::kUnavailable;
  if (number == ENOENT) error.code = Code::kNotFound;
  return error;
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Status WriteAt(std::uint64_t offset, Bytes bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return FileError("write", path_, written < 0 ? errno : EIO);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      offset += static_cast<std::uint64_t>(written);
    }
    return {};
  }

  Status Sync() override {
    if (::fdatasync(fd_) != 0) return FileError("fdatasync", path_, errno);
    return {};
  }

  Status Truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return FileError("truncate", path_, errno);
    return {};
  }

  Status Allocate(std::uint64_t size) override {
    const int failed = ::posix_fallocate(fd_, 0, static_cast<off_t>(size));
    if (failed != 0) return FileError("allocate", path_, failed);
    return {};
  }

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FileError("read", path_, errno);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  Result<std::uint64_t> Size() const override {
    struct stat facts {};
    if (::fstat(fd_, &facts) != 0) return FileError("stat", path_, errno);
    return static_cast<std::uint64_t>(facts.st_size);
  }

 private:
  const int fd_;
  const std::string path_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC | (mode == OpenMode::kRead ? O_RDONLY : O_RDWR);
    if (mode == OpenMode::kCreate) flags |= O_CREAT | O_TRUNC;
    const int fd = ::open(path.c_str(), flags, 0640);
    if (fd < 0) return FileError("open", path, errno);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return FileError("rename", from, errno);
    return {};
  }

  Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return FileError("remove", path, errno);
    return {};
  }

  Status MakeFolder(const std::string& path) override {
    std::error_code failed;
    std::filesystem::create_directories(path, failed);
    if (failed) return FileError("make folder", path, failed.value());
    return {};
  }

  Status SyncFolder(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return FileError("open folder", path, errno);
    const int failed = ::fsync(fd) != 0 ? errno : 0;
    ::close(fd);
    if (failed != 0) return FileError("fsync folder", path, failed);
    return {};
  }

  Result<std::vector<std::string>> List(const std::string& folder) override {
    std::error_code failed;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end;
         entry.increment(failed)) {
      if (!entry->is_directory()) names.push_back(entry->path().filename().string());
    }
    if (failed) return FileError("list", folder, failed.value());
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<std::uint64_t> FreeBytes(const std::string& path) override {
    struct statvfs facts {};
    if (::statvfs(path.c_str(), &facts) != 0) return FileError("statvfs", path, errno);
    return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
  }

  Result<std::unique_ptr<File>> Lock(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return FileError("open", path, errno);
    auto file = std::make_unique<PosixFile>(fd, path);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      return Error{Code::kUnavailable, "store: " + path + " is locked by another process"};
    }
    return std::unique_ptr<File>(std::move(file));
  }
};

}  // namespace

FileSystem& PosixFiles() {
  static PosixFileSystem files;
  return files;
}

Result<std::string> ReadWholeFile(FileSystem& files, const std::string& path, std::uint64_t bytes_max) {
  auto file = files.Open(path, OpenMode::kRead);
  if (!file) return file.error();
  const auto size = (*file)->Size();
  if (!size) return size.error();
  if (*size > bytes_max) {
    return Error{Code::kCorrupt, path + ": " + std::to_string(*size) + " bytes, max " + std::to_string(bytes_max)};
  }
  std::string bytes(*size, '\0');
  const auto got = (*file)->ReadAt(0, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
  if (!got) return got.error();
  bytes.resize(*got);
  return bytes;
}

Status PrepareFile(FileSystem& files, const std::string& path, Bytes bytes) {
  auto file = files.Open(path + ".tmp", OpenMode::kCreate);
  if (!file) return file.error();
  if (auto done = (*file)->WriteAt(0, bytes); !done) return done;
  return (*file)->Sync();
}

Status ReplaceFile(FileSystem& files, const std::string& folder, const std::string& path) {
  if (auto done = files.Rename(path + ".tmp", path); !done) return done;
  return files.SyncFolder(folder);
}

}  // namespace wiregauge::store
