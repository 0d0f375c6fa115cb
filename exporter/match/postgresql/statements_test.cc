#include "exporter/match/postgresql/statements.h"

#include <string>

#include <gtest/gtest.h>

namespace wiregauge::match::postgresql {
namespace {

using decode::postgresql::kUnknownName;
using decode::postgresql::kUnnamed;
using decode::postgresql::Operation;

TEST(PostgresqlTables, NumbersStand) {
  decode::MemoryBudget budget;
  Tables tables(budget);
  EXPECT_EQ(tables.NumberOf(""), 0);
  EXPECT_EQ(tables.NameOf(0), "");
  const std::uint16_t first = tables.NumberOf("first");
  for (std::size_t i = 1; i < Tables::kTablesMax; ++i) EXPECT_NE(tables.NumberOf("t" + std::to_string(i)), 0);
  EXPECT_TRUE(tables.full());
  EXPECT_EQ(tables.NumberOf("one more"), 0);
  EXPECT_EQ(tables.NumberOf("first"), first);
  EXPECT_EQ(tables.NameOf(first), "first");
  tables.Clear();
  EXPECT_EQ(budget.used(), 0u);
  EXPECT_NE(tables.NumberOf("one more"), 0);
}

TEST(PostgresqlStatements, LimitAndBudget) {
  decode::MemoryBudget budget;
  NamedStatements statements(budget);
  const Statement select{.operation = Operation::kConnect, .table = 3};
  statements.Set(kUnknownName, select);
  EXPECT_EQ(statements.Find(kUnknownName), nullptr);
  statements.Set(kUnnamed, select);
  ASSERT_NE(statements.Find(kUnnamed), nullptr);
  EXPECT_FALSE(statements.has_names());
  for (std::size_t i = 0; i <= NamedStatements::kStatementsMax; ++i) statements.Set(10 + i, select);
  EXPECT_NE(statements.Find(10 + NamedStatements::kStatementsMax - 1), nullptr);
  EXPECT_EQ(statements.Find(10 + NamedStatements::kStatementsMax), nullptr);
  statements.Erase(10);
  statements.Set(10 + NamedStatements::kStatementsMax, select);
  EXPECT_NE(statements.Find(10 + NamedStatements::kStatementsMax), nullptr);
  EXPECT_GT(budget.used(), 0u);
  statements.Clear();
  EXPECT_EQ(statements.Find(kUnnamed), nullptr);
  EXPECT_EQ(budget.used(), 0u);
}

TEST(PostgresqlStatements, WithoutBudgetNothingIsKept) {
  decode::MemoryBudget budget(0);
  NamedStatements statements(budget);
  for (std::size_t i = 0; i < 100; ++i) statements.Set(10 + i, {});
  EXPECT_NE(statements.Find(10 + NamedStatements::kStatementsFree - 1), nullptr);
  EXPECT_EQ(statements.Find(10 + NamedStatements::kStatementsFree), nullptr);
  Tables tables(budget);
  for (std::size_t i = 0; i < Tables::kTablesFree; ++i) EXPECT_NE(tables.NumberOf(std::to_string(i)), 0);
  EXPECT_EQ(tables.NumberOf("one more"), 0);
}

}  // namespace
}  // namespace wiregauge::match::postgresql
