#include "exporter/match/postgresql/statements.h"

namespace wiregauge::match::postgresql {

using decode::postgresql::kUnknownName;
using decode::postgresql::kUnnamed;
using decode::postgresql::NameId;

std::uint16_t Tables::NumberOf(std::string_view name) {
  if (name.empty()) return 0;
  const auto found = numbers_.find(name);
  if (found != numbers_.end()) return found->second;
  if (full()) return 0;
  if (names_.size() >= kTablesFree && !budget_.Take(kTableBytes)) return 0;
  names_.push_back(std::make_unique<const std::string>(name));
  const auto number = static_cast<std::uint16_t>(names_.size());
  numbers_.emplace(*names_.back(), number);
  return number;
}

void Tables::Clear() {
  if (names_.size() > kTablesFree) budget_.Give((names_.size() - kTablesFree) * kTableBytes);
  numbers_.clear();
  names_.clear();
}

void NamedStatements::Set(NameId name, Statement statement) {
  if (name == kUnknownName) return;
  if (name == kUnnamed) {
    unnamed_ = statement;
    unnamed_known_ = true;
    return;
  }
  const auto found = named_.find(name);
  if (found != named_.end()) {
    found->second = statement;
    return;
  }
  if (named_.size() >= kStatementsMax) return;
  if (named_.size() >= kStatementsFree) {
    if (!budget_.Take(kStatementBytes)) return;
    ++charged_;
  }
  named_.emplace(name, statement);
}

const Statement* NamedStatements::Find(NameId name) const {
  if (name == kUnnamed) return unnamed_known_ ? &unnamed_ : nullptr;
  const auto found = named_.find(name);
  return found == named_.end() ? nullptr : &found->second;
}

void NamedStatements::Erase(NameId name) {
  if (name == kUnnamed) {
    unnamed_known_ = false;
  } else if (named_.erase(name) != 0 && charged_ > 0) {
    budget_.Give(kStatementBytes);
    --charged_;
  }
}

void NamedStatements::Clear() {
  budget_.Give(charged_ * kStatementBytes);
  charged_ = 0;
  named_.clear();
  unnamed_known_ = false;
}

}  // namespace wiregauge::match::postgresql
