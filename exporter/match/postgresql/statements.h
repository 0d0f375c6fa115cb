// What a connection's prepared statements and portals do, and the tables that they name: bounded, without their names
// or texts. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "exporter/decode/budget.h"
#include "exporter/decode/postgresql/types.h"

namespace wiregauge::match::postgresql {

// An operation and its table, as a number of Tables.
struct Statement {
  decode::postgresql::Operation operation = decode::postgresql::Operation::kOther;
  std::uint16_t table = 0;

  bool operator==(const Statement&) const = default;
};

// The names of the tables that a connection uses, as numbers from 1; 0 is none.
class Tables {
 public:
  // Applications use tens to hundreds. Names beyond it are not told.
  static constexpr std::size_t kTablesMax = 1'024;
  // What a name takes, with its places in the map and the list; so many are not charged to the budget.
  static constexpr std::size_t kTableBytes = 160;
  static constexpr std::size_t kTablesFree = 4;

  explicit Tables(decode::MemoryBudget& budget) : budget_(budget) {}
  ~Tables() { Clear(); }
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;

  // 0 for an empty name and when there is no room.
  std::uint16_t NumberOf(std::string_view name);
  [[nodiscard]] std::string_view NameOf(std::uint16_t number) const {
    return number == 0 ? std::string_view() : std::string_view(*names_[number - 1u]);
  }
  // Numbers given before are no longer valid.
  void Clear();
  [[nodiscard]] bool full() const { return names_.size() >= kTablesMax; }

 private:
  decode::MemoryBudget& budget_;
  std::vector<std::unique_ptr<const std::string>> names_;
  absl::flat_hash_map<std::string_view, std::uint16_t> numbers_;  // keys borrow from names_
};

// Statements by name, or portals by name.
class NamedStatements {
 public:
  // pgJDBC keeps 256 a connection, pgx 512, Rails 1,000.
  static constexpr std::size_t kStatementsMax = 4'096;
  static constexpr std::size_t kStatementBytes = 32;  // with its share of the map
  static constexpr std::size_t kStatementsFree = 8;   // not charged to the budget

  explicit NamedStatements(decode::MemoryBudget& budget) : budget_(budget) {}
  ~NamedStatements() { Clear(); }
  NamedStatements(const NamedStatements&) = delete;
  NamedStatements& operator=(const NamedStatements&) = delete;

  // Without room it is not kept.
  void Set(decode::postgresql::NameId name, Statement statement);
  // Null when it is not known.
  [[nodiscard]] const Statement* Find(decode::postgresql::NameId name) const;
  void Erase(decode::postgresql::NameId name);
  void Clear();
  [[nodiscard]] bool has_names() const { return !named_.empty(); }

 private:
  decode::MemoryBudget& budget_;
  absl::flat_hash_map<decode::postgresql::NameId, Statement> named_;
  std::size_t charged_ = 0;  // entries
  Statement unnamed_;
  bool unnamed_known_ = false;
};

}  // namespace wiregauge::match::postgresql
