// What is kept of a SQL statement: its verb and the first table that it names. No literal leaves the room.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wiregauge::decode::sql {

// How the server reads what differs: which quotes are strings, backslashes, comments, the case of names.
enum class Dialect : std::uint8_t { kMysql, kPostgresql };

// The first words of statements of MySQL 8, MariaDB 11 and PostgreSQL 15. kOther is every other word, and a statement
// that was cut off before its verb.
// clang-format off: one name a line would be a page
enum class Verb : std::uint8_t {
  kOther,
  kAbort,
  kAlter,
  kAnalyze,
  kBackup,
  kBegin,
  kBinlog,
  kCache,
  kCall,
  kChange,
  kCheck,
  kCheckpoint,
  kChecksum,
  kClose,
  kCluster,
  kComment,
  kCommit,
  kCopy,
  kCreate,
  kDeallocate,
  kDeclare,
  kDelete,
  kDescribe,
  kDiscard,
  kDo,
  kDrop,
  kEnd,
  kExecute,
  kExplain,
  kFetch,
  kFlush,
  kGet,
  kGrant,
  kHandler,
  kHelp,
  kImport,
  kInsert,
  kInstall,
  kKill,
  kListen,
  kLoad,
  kLock,
  kMerge,
  kMove,
  kNotify,
  kOptimize,
  kPrepare,
  kPurge,
  kReassign,
  kRefresh,
  kReindex,
  kRelease,
  kRename,
  kRepair,
  kReplace,
  kReset,
  kResignal,
  kRestart,
  kRevoke,
  kRollback,
  kSavepoint,
  kSecurity,
  kSelect,
  kSet,
  kShow,
  kShutdown,
  kSignal,
  kStart,
  kStartTransaction,
  kStop,
  kTable,
  kTruncate,
  kUninstall,
  kUnlisten,
  kUnlock,
  kUpdate,
  kUse,
  kVacuum,
  kValues,
  kXa,
};

inline constexpr std::array<std::string_view, 80> kVerbNames = {
    "_OTHER",    "ABORT",      "ALTER",
    "ANALYZE",   "BACKUP",     "BEGIN",
    "BINLOG",    "CACHE",      "CALL",
    "CHANGE",    "CHECK",      "CHECKPOINT",
    "CHECKSUM",  "CLOSE",      "CLUSTER",
    "COMMENT",   "COMMIT",     "COPY",
    "CREATE",    "DEALLOCATE", "DECLARE",
    "DELETE",    "DESCRIBE",   "DISCARD",
    "DO",        "DROP",       "END",
    "EXECUTE",   "EXPLAIN",    "FETCH",
    "FLUSH",     "GET",        "GRANT",
    "HANDLER",   "HELP",       "IMPORT",
    "INSERT",    "INSTALL",    "KILL",
    "LISTEN",    "LOAD",       "LOCK",
    "MERGE",     "MOVE",       "NOTIFY",
    "OPTIMIZE",  "PREPARE",    "PURGE",
    "REASSIGN",  "REFRESH",    "REINDEX",
    "RELEASE",   "RENAME",     "REPAIR",
    "REPLACE",   "RESET",      "RESIGNAL",
    "RESTART",   "REVOKE",     "ROLLBACK",
    "SAVEPOINT", "SECURITY",   "SELECT",
    "SET",       "SHOW",       "SHUTDOWN",
    "SIGNAL",    "START",      "START TRANSACTION",
    "STOP",      "TABLE",      "TRUNCATE",
    "UNINSTALL", "UNLISTEN",   "UNLOCK",
    "UPDATE",    "USE",        "VACUUM",
    "VALUES",    "XA",
};
// clang-format on
static_assert(kVerbNames[static_cast<std::size_t>(Verb::kXa)] == "XA");

constexpr std::string_view VerbName(Verb verb) { return kVerbNames[static_cast<std::size_t>(verb)]; }

// A table's name, without its schema: a schema for each tenant must not make a table for each. Longer names than
// kTableBytesMax are unknown rather than cut: two tables must not become one.
class TableName {
 public:
  // PostgreSQL's names have 63 bytes, MySQL's 64 characters.
  static constexpr std::size_t kTableBytesMax = 64;

  [[nodiscard]] std::string_view text() const { return {bytes_.data(), size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // `name` has at most kTableBytesMax bytes.
  void Set(std::string_view name) {
    size_ = static_cast<std::uint8_t>(std::min(name.size(), kTableBytesMax));
    std::copy_n(name.data(), size_, bytes_.data());
  }
  // As PostgreSQL reads a name without quotes.
  void ToLower() {
    for (std::size_t i = 0; i < size_; ++i) {
      if (bytes_[i] >= 'A' && bytes_[i] <= 'Z') bytes_[i] = static_cast<char>(bytes_[i] + ('a' - 'A'));
    }
  }
  bool operator==(const TableName& other) const { return text() == other.text(); }

 private:
  std::uint8_t size_ = 0;
  std::array<char, kTableBytesMax> bytes_;  // the first size_ of them
};

struct Summary {
  Verb verb = Verb::kOther;
  TableName table;  // empty: none, not known, or not a plain name
};

// How far a statement is read. Long ones are lists of rows, whose table stands at the beginning.
inline constexpr std::size_t kStatementBytesRead = 4'096;
// Subqueries in FROM and common table expressions that are followed down to a table.
inline constexpr int kNestingMax = 8;
// Common table expressions that are remembered, to not take one for a table.
inline constexpr std::size_t kCommonTablesMax = 16;

}  // namespace wiregauge::decode::sql
