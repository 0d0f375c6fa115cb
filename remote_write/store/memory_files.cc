#include "remote_write/store/memory_files.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace wiregauge::store::testing {
namespace {

constexpr std::size_t kSectorBytes = 512;  // what a disk writes whole

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

void Put(std::string& data, std::uint64_t offset, std::string_view bytes) {
  if (data.size() < offset + bytes.size()) data.resize(offset + bytes.size());
  data.replace(offset, bytes.size(), bytes);
}

}  // namespace

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryFiles& files, std::shared_ptr<MemoryFiles::Inode> inode, std::string path, std::string lock)
      : files_(files), inode_(std::move(inode)), path_(std::move(path)), lock_(std::move(lock)) {}
  ~MemoryFile() override {
    const std::lock_guard guard(files_.mutex_);
    if (!lock_.empty()) files_.locked_.erase(lock_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  Status WriteAt(std::uint64_t offset, Bytes bytes) override {
    const std::lock_guard guard(files_.mutex_);
    const std::uint64_t grown =
        offset + bytes.size() > inode_->data.size() ? offset + bytes.size() - inode_->data.size() : 0;
    Status done = files_.CountChange("write " + path_);
    if (done) done = files_.Grow(grown, "write " + path_);
    if (!done) bytes = bytes.first(bytes.size() / 2);  // a failed write leaves a part behind
    if (!bytes.empty() && !files_.dead_) {
      Put(inode_->data, offset, AsText(bytes));
      inode_->changes.push_back({false, offset, std::string(AsText(bytes))});
    }
    return done;
  }
  Status Sync() override {
    const std::lock_guard guard(files_.mutex_);
    Status done = files_.CountChange("fdatasync " + path_);
    if (done) inode_->durable = inode_->data;
    if (!files_.dead_) inode_->changes.clear();
    return done;
  }
  Status Truncate(std::uint64_t size) override { return Resize(size, "truncate "); }
  // Reserves less than asked, as it may: tests scan what was reserved often.
  Status Allocate(std::uint64_t size) override {
    constexpr std::uint64_t kReservedMax = 16 * 1024;
    return Resize(std::min(size, kReservedMax), "allocate ");
  }
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) const override {
    const std::lock_guard guard(files_.mutex_);
    if (offset >= inode_->data.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(out.size(), inode_->data.size() - offset);
    std::memcpy(out.data(), inode_->data.data() + offset, count);
    return count;
  }
  Result<std::uint64_t> Size() const override {
    const std::lock_guard guard(files_.mutex_);
    return std::uint64_t{inode_->data.size()};
  }

 private:
  Status Resize(std::uint64_t size, const std::string& what) {
    const std::lock_guard guard(files_.mutex_);
    if (auto done = files_.CountChange(what + path_); !done) return done;
    if (size > inode_->data.size()) {
      if (auto done = files_.Grow(size - inode_->data.size(), what + path_); !done) return done;
    }
    inode_->data.resize(size);
    inode_->changes.push_back({true, size, {}});
    return {};
  }

  MemoryFiles& files_;
  const std::shared_ptr<MemoryFiles::Inode> inode_;
  const std::string path_;
  const std::string lock_;
};

void MemoryFiles::FailAt(std::uint64_t operation, Fault fault, Code code) {
  const std::lock_guard guard(mutex_);
  fail_at_ = operations_ + operation;
  fault_ = fault;
  code_ = code;
  failed_ = false;
}

bool MemoryFiles::failed() const {
  const std::lock_guard guard(mutex_);
  return failed_;
}

std::uint64_t MemoryFiles::operations() const {
  const std::lock_guard guard(mutex_);
  return operations_;
}

void MemoryFiles::SetFreeBytes(std::uint64_t bytes) {
  const std::lock_guard guard(mutex_);
  free_bytes_ = bytes;
}

void MemoryFiles::SetCapacity(std::uint64_t bytes) {
  const std::lock_guard guard(mutex_);
  capacity_ = bytes;
}

void MemoryFiles::Die() {
  const std::lock_guard guard(mutex_);
  dead_ = true;
}

void MemoryFiles::Revive() {
  const std::lock_guard guard(mutex_);
  dead_ = false;
  fault_ = Fault::kNone;
}

void MemoryFiles::PowerCut(std::mt19937_64& random) {
  const std::lock_guard guard(mutex_);
  dead_ = false;
  fault_ = Fault::kNone;
  for (const NameChange& change : name_changes_) {
    if (random() % 2 == 0) Apply(change, durable_names_);
  }
  name_changes_.clear();
  names_ = durable_names_;
  for (auto& [name, inode] : names_) Lose(*inode, random);
}

void MemoryFiles::Lose(Inode& inode, std::mt19937_64& random) {
  const bool keep_all = random() % 4 == 0;
  for (const Change& change : inode.changes) {
    if (change.resize) {
      if (keep_all || random() % 2 == 0) inode.durable.resize(change.offset);
      continue;
    }
    for (std::size_t at = 0; at < change.bytes.size();) {
      const std::size_t count = std::min(change.bytes.size() - at, kSectorBytes - (change.offset + at) % kSectorBytes);
      if (keep_all || random() % 2 == 0) {
        Put(inode.durable, change.offset + at, std::string_view(change.bytes).substr(at, count));
      }
      at += count;
    }
  }
  inode.changes.clear();
  inode.data = inode.durable;
}

std::vector<std::string> MemoryFiles::Paths() const {
  const std::lock_guard guard(mutex_);
  std::vector<std::string> paths;
  for (const auto& [name, inode] : names_) paths.push_back(name);
  return paths;
}

std::string& MemoryFiles::Content(const std::string& path) {
  const std::lock_guard guard(mutex_);
  return names_.at(path)->data;
}

Status MemoryFiles::CountChange(const std::string& what) {
  ++operations_;
  if (dead_) return Error{Code::kIo, what + ": dead"};
  const bool strikes =
      fault_ != Fault::kNone && (operations_ == fail_at_ || (fault_ == Fault::kForever && operations_ > fail_at_));
  if (!strikes) return {};
  failed_ = true;
  if (fault_ == Fault::kDead) dead_ = true;
  return Error{code_, what + ": injected fault"};
}

Status MemoryFiles::Grow(std::uint64_t bytes, const std::string& what) {
  if (capacity_ == UINT64_MAX || bytes == 0) return {};
  std::uint64_t used = bytes;
  for (const auto& [name, inode] : names_) used += inode->data.size();
  if (used <= capacity_) return {};
  return Error{Code::kUnavailable, what + ": No space left on device"};
}

void MemoryFiles::Apply(const NameChange& change, Names& names) {
  if (!change.removed.empty()) names.erase(change.removed);
  if (change.inode == nullptr) {
    names.erase(change.name);
  } else {
    names[change.name] = change.inode;
  }
}

Result<std::unique_ptr<File>> MemoryFiles::Open(const std::string& path, OpenMode mode) {
  const std::lock_guard guard(mutex_);
  if (dead_) return Error{Code::kIo, "open " + path + ": dead"};
  auto found = names_.find(path);
  if (mode == OpenMode::kCreate) {
    if (auto done = CountChange("open " + path); !done) return done.error();
    if (found == names_.end()) {
      name_changes_.push_back({FolderOf(path), path, std::make_shared<Inode>(), {}});
      Apply(name_changes_.back(), names_);
      found = names_.find(path);
    } else {
      found->second->data.clear();
      found->second->changes.push_back({true, 0, {}});
    }
  }
  if (found == names_.end()) return Error{Code::kNotFound, "open " + path + ": No such file or directory"};
  return std::unique_ptr<File>(std::make_unique<MemoryFile>(*this, found->second, path, ""));
}

Status MemoryFiles::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard guard(mutex_);
  if (auto done = CountChange("rename " + from); !done) return done;
  const auto found = names_.find(from);
  if (found == names_.end()) return Error{Code::kNotFound, "rename " + from + ": No such file or directory"};
  name_changes_.push_back({FolderOf(to), to, found->second, from});
  Apply(name_changes_.back(), names_);
  return {};
}

Status MemoryFiles::Remove(const std::string& path) {
  const std::lock_guard guard(mutex_);
  if (auto done = CountChange("remove " + path); !done) return done;
  if (!names_.contains(path)) return Error{Code::kNotFound, "remove " + path + ": No such file or directory"};
  name_changes_.push_back({FolderOf(path), path, nullptr, {}});
  Apply(name_changes_.back(), names_);
  return {};
}

Status MemoryFiles::MakeFolder(const std::string& path) {
  const std::lock_guard guard(mutex_);
  return CountChange("make folder " + path);
}

Status MemoryFiles::SyncFolder(const std::string& path) {
  const std::lock_guard guard(mutex_);
  if (auto done = CountChange("fsync folder " + path); !done) return done;
  std::vector<NameChange> later;
  for (const NameChange& change : name_changes_) {
    if (change.folder == path) {
      Apply(change, durable_names_);
    } else {
      later.push_back(change);
    }
  }
  name_changes_ = std::move(later);
  return {};
}

Result<std::vector<std::string>> MemoryFiles::List(const std::string& folder) {
  const std::lock_guard guard(mutex_);
  if (dead_) return Error{Code::kIo, "list " + folder + ": dead"};
  std::vector<std::string> names;
  for (const auto& [name, inode] : names_) {
    if (FolderOf(name) == folder) names.push_back(name.substr(folder.size() + 1));
  }
  return names;
}

Result<std::uint64_t> MemoryFiles::FreeBytes(const std::string& /*path*/) {
  const std::lock_guard guard(mutex_);
  return free_bytes_;
}

Result<std::unique_ptr<File>> MemoryFiles::Lock(const std::string& path) {
  const std::lock_guard guard(mutex_);
  if (dead_) return Error{Code::kIo, "lock " + path + ": dead"};
  if (!locked_.insert(path).second) return Error{Code::kUnavailable, path + " is locked by another process"};
  return std::unique_ptr<File>(std::make_unique<MemoryFile>(*this, std::make_shared<Inode>(), path, path));
}

}  // namespace wiregauge::store::testing
