// A file system in memory for tests: it counts operations, fails the one it is told to, fills up, and forgets at a
// power cut what was not synced: pages sector by sector, names operation by operation. A failed sync loses the dirty
// pages for good, as Linux does. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "remote_write/store/files.h"

namespace wiregauge::store::testing {

class MemoryFiles final : public FileSystem {
 public:
  enum class Fault { kNone, kOnce, kForever, kDead };  // kDead: this and everything after fails, as if the power went

  // The n-th changing operation from now on (1 is the next) fails with `code`.
  void FailAt(std::uint64_t operation, Fault fault, Code code);
  [[nodiscard]] bool failed() const;  // whether the fault struck
  [[nodiscard]] std::uint64_t operations() const;
  void SetFreeBytes(std::uint64_t bytes);
  void SetCapacity(std::uint64_t bytes);  // writes that grow the sum of files above it fail as on a full disk

  // Every operation fails until PowerCut or Revive.
  void Die();
  // Without losing anything: what kill -9 leaves.
  void Revive();
  // Keeps what was synced and a random part of the rest.
  void PowerCut(std::mt19937_64& random);

  [[nodiscard]] std::vector<std::string> Paths() const;
  std::string& Content(const std::string& path);  // as stored; for damaging it while nothing runs

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status MakeFolder(const std::string& path) override;
  Status SyncFolder(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& folder) override;
  Result<std::uint64_t> FreeBytes(const std::string& path) override;
  Result<std::unique_ptr<File>> Lock(const std::string& path) override;

 private:
  friend class MemoryFile;
  struct Change {  // not yet synced
    bool resize = false;
    std::uint64_t offset = 0;  // or the new size
    std::string bytes;
  };
  struct Inode {
    std::string data;
    std::string durable;
    std::vector<Change> changes;
  };
  struct NameChange {  // not yet synced; an empty inode is a removal
    std::string folder;
    std::string name;
    std::shared_ptr<Inode> inode;
    std::string removed;  // by a rename
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  Status CountChange(const std::string& what);
  Status Grow(std::uint64_t bytes, const std::string& what);
  static void Apply(const NameChange& change, Names& names);
  static void Lose(Inode& inode, std::mt19937_64& random);

  mutable std::mutex mutex_;
  Names names_;
  Names durable_names_;
  std::vector<NameChange> name_changes_;
  std::set<std::string> locked_;
  std::uint64_t operations_ = 0;
  std::uint64_t fail_at_ = 0;
  Fault fault_ = Fault::kNone;
  Code code_ = Code::kIo;
  bool failed_ = false;
  bool dead_ = false;
  std::uint64_t free_bytes_ = UINT64_MAX;
  std::uint64_t capacity_ = UINT64_MAX;
};

}  // namespace wiregauge::store::testing
