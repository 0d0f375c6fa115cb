#include "exporter/decode/sql/summarize.h"

#include <ostream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace wiregauge::decode::sql {
namespace {

std::string Text(const Summary& summary) {
  const std::string verb(VerbName(summary.verb));
  return summary.table.empty() ? verb : verb + " " + std::string(summary.table.text());
}

// "VERB table". Every beginning of the statement gives less or the same, never something else.
std::string Check(std::string_view statement, Dialect dialect) {
  const Summary whole = Summarize(statement, false, dialect);
  for (std::size_t size = 0; size <= statement.size(); ++size) {
    const std::string beginning(statement.substr(0, size));  // a copy, so that a sanitizer sees what reads too far
    const Summary cut = Summarize(beginning, true, dialect);
    EXPECT_TRUE(cut.verb == Verb::kOther || cut.verb == whole.verb) << beginning;
    EXPECT_TRUE(cut.table.empty() || cut.table == whole.table) << beginning;
  }
  return Text(whole);
}
std::string Mysql(std::string_view statement) { return Check(statement, Dialect::kMysql); }
std::string Postgresql(std::string_view statement) { return Check(statement, Dialect::kPostgresql); }
// For what both read the same.
std::string Both(std::string_view statement) {
  const std::string mysql = Mysql(statement);
  EXPECT_EQ(Postgresql(statement), mysql) << statement;
  return mysql;
}

TEST(Summarize, StatementsWithATable) {
  EXPECT_EQ(Both("SELECT a, b FROM t WHERE c = 'FROM u'"), "SELECT t");
  EXPECT_EQ(Both("select\n*\tfrom t;"), "SELECT t");
  EXPECT_EQ(Both("SELECT DISTINCT a FROM t"), "SELECT t");
  EXPECT_EQ(Both("INSERT INTO t (a, b) VALUES (1, 'x')"), "INSERT t");
  EXPECT_EQ(Both("INSERT INTO t(a) SELECT a FROM u"), "INSERT t");
  EXPECT_EQ(Both("UPDATE t SET a = 1"), "UPDATE t");
  EXPECT_EQ(Both("DELETE FROM t"), "DELETE t");
  EXPECT_EQ(Both("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DO NOTHING"), "MERGE t");
  EXPECT_EQ(Both("CREATE TABLE IF NOT EXISTS t (a int)"), "CREATE t");
  EXPECT_EQ(Both("CREATE OR REPLACE TEMPORARY TABLE t (a int)"), "CREATE t");
  EXPECT_EQ(Both("ALTER TABLE t ADD COLUMN b int"), "ALTER t");
  EXPECT_EQ(Both("DROP TABLE IF EXISTS t, u"), "DROP t");
  EXPECT_EQ(Both("TRUNCATE TABLE t"), "TRUNCATE t");
  EXPECT_EQ(Both("TRUNCATE t"), "TRUNCATE t");
  EXPECT_EQ(Both("TABLE t"), "TABLE t");
}

TEST(Summarize, StatementsWithoutATable) {
  EXPECT_EQ(Both("SELECT 1"), "SELECT");
  EXPECT_EQ(Both("SELECT now(), 'x from y'"), "SELECT");
  EXPECT_EQ(Both("SELECT 1 FROM dual"), "SELECT");
  EXPECT_EQ(Both("CREATE INDEX i ON t (a)"), "CREATE");
  EXPECT_EQ(Both("DROP VIEW v"), "DROP");
  EXPECT_EQ(Both("CALL p(1, 'x')"), "CALL");
  EXPECT_EQ(Both("BEGIN"), "BEGIN");
  EXPECT_EQ(Both("START TRANSACTION READ ONLY"), "START TRANSACTION");
  EXPECT_EQ(Both("START REPLICA"), "START");
  EXPECT_EQ(Both("COMMIT"), "COMMIT");
  EXPECT_EQ(Both("ROLLBACK TO SAVEPOINT s"), "ROLLBACK");
  EXPECT_EQ(Both("SAVEPOINT s"), "SAVEPOINT");
  EXPECT_EQ(Both("SET NAMES utf8mb4"), "SET");
  EXPECT_EQ(Both("SHOW TABLES FROM d"), "SHOW");
  EXPECT_EQ(Both("USE d"), "USE");
  EXPECT_EQ(Both("EXPLAIN SELECT * FROM t"), "EXPLAIN");
  EXPECT_EQ(Both("desc t"), "DESCRIBE");
  EXPECT_EQ(Both("VACUUM ANALYZE t"), "VACUUM");
  EXPECT_EQ(Both("VALUES (1), (2)"), "VALUES");
  EXPECT_EQ(Both(""), "_OTHER");
  EXPECT_EQ(Both(" ;; "), "_OTHER");
  EXPECT_EQ(Both("secret literal"), "_OTHER");
  EXPECT_EQ(Both("'SELECT' FROM t"), "_OTHER");
  EXPECT_EQ(Both("SELECTED FROM t"), "_OTHER");
  EXPECT_EQ(Both("12 FROM t"), "_OTHER");
}

TEST(Summarize, Names) {
  EXPECT_EQ(Both("SELECT * FROM s.t"), "SELECT t");
  EXPECT_EQ(Both("SELECT * FROM c . s . t AS x"), "SELECT t");
  EXPECT_EQ(Both("SELECT * FROM t1, t2"), "SELECT t1");
  EXPECT_EQ(Both("SELECT * FROM t_2024_01 x"), "SELECT t_2024_01");
  EXPECT_EQ(Mysql("SELECT * FROM `a b`.`c-d` WHERE 1"), "SELECT c-d");
  EXPECT_EQ(Mysql("INSERT INTO `t`VALUES(1)"), "INSERT t");
  EXPECT_EQ(Both("SELECT \"x\" FROM \"My Table\""), "SELECT My Table");
  EXPECT_EQ(Both("SELECT * FROM \"a\"\"b\""), "SELECT");
  EXPECT_EQ(Mysql("SELECT * FROM Users"), "SELECT Users");
  EXPECT_EQ(Postgresql("SELECT * FROM Users"), "SELECT users");
  EXPECT_EQ(Postgresql("SELECT * FROM \"Users\""), "SELECT Users");
  EXPECT_EQ(Both("SELECT * FROM t\xc3\xa9"), "SELECT t\xc3\xa9");
  for (const std::string_view bad :
       {"t\xe9", "t\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xff"}) {
    EXPECT_EQ(Both("SELECT * FROM " + std::string(bad)), "SELECT") << "no UTF-8";
  }
  EXPECT_EQ(Both("SELECT * FROM \"a\nb\""), "SELECT");
  for (const std::string_view bad :
       {"?", "$1", ":name", "@v", "'t'", "1", "12t", "%s", "f(1)", "f (1)", "[t]", "{t}"}) {
    EXPECT_EQ(Both("SELECT * FROM " + std::string(bad)), "SELECT") << bad;
  }
  for (const std::string_view wrong : {"SELECT FROM WHERE", "SELECT 1 FROM from", "UPDATE SET a = 1"}) {
    EXPECT_EQ(Both(wrong).find(' '), std::string::npos) << wrong;
  }
  EXPECT_EQ(Both("SELECT 1 FROM \"where\""), "SELECT where");
  const std::string longest(TableName::kTableBytesMax, 'n');
  EXPECT_EQ(Both("DELETE FROM " + longest.substr(1)), "DELETE " + longest.substr(1));
  EXPECT_EQ(Both("DELETE FROM " + longest), "DELETE " + longest);
  EXPECT_EQ(Both("DELETE FROM " + longest + "n"), "DELETE");
}

TEST(Summarize, Comments) {
  EXPECT_EQ(Both("/* SELECT * FROM u */ DELETE /* x */ FROM -- u\n t"), "DELETE t");
  EXPECT_EQ(Both("-- hello\nSELECT 1 FROM t"), "SELECT t");
  EXPECT_EQ(Both("SELECT/**/1/**/FROM/**/t"), "SELECT t");
  EXPECT_EQ(Mysql("# hello\nSELECT 1 FROM t # end"), "SELECT t");
  EXPECT_EQ(Mysql("/*!40101 SET NAMES utf8 */"), "SET");
  EXPECT_EQ(Mysql("/*!50003 CREATE*/ /*M!100100 OR REPLACE */ TABLE t (a int)"), "CREATE t");
  EXPECT_EQ(Mysql("SELECT /*+ MAX_EXECUTION_TIME(1) */ a FROM t"), "SELECT t");
  EXPECT_EQ(Mysql("SELECT 5--1 FROM t"), "SELECT t");
  EXPECT_EQ(Postgresql("SELECT 5--1 FROM t"), "SELECT");
  EXPECT_EQ(Postgresql("SELECT 5 # 1 FROM t"), "SELECT t");
  EXPECT_EQ(Postgresql("/* a /* nested */ b */ SELECT 1 FROM t"), "SELECT t");
  EXPECT_EQ(Both("SELECT 1 /* FROM t"), "SELECT");
}

TEST(Summarize, Strings) {
  EXPECT_EQ(Both("SELECT 'it''s FROM u' FROM t"), "SELECT t");
  EXPECT_EQ(Mysql("SELECT 'it\\'s FROM u' FROM t"), "SELECT t");
  EXPECT_EQ(Mysql("SELECT \"a \\\" FROM u\" FROM t"), "SELECT t");
  EXPECT_EQ(Postgresql("SELECT 'a\\' FROM t"), "SELECT t");
  EXPECT_EQ(Postgresql("SELECT E'it\\'s FROM u' FROM t"), "SELECT t");
  EXPECT_EQ(Postgresql("SELECT $$ FROM u $$, $a$ $$ FROM v $a$ FROM t"), "SELECT t");
  EXPECT_EQ(Postgresql("SELECT $1 FROM t WHERE a = $2"), "SELECT t");
  EXPECT_EQ(Both("SELECT 'open FROM t"), "SELECT");
}

TEST(Summarize, Nesting) {
  EXPECT_EQ(Both("(SELECT a FROM t) UNION (SELECT b FROM u)"), "SELECT t");
  EXPECT_EQ(Both("SELECT 1 UNION SELECT a FROM t"), "SELECT t");
  EXPECT_EQ(Both("SELECT (SELECT max(a) FROM u), extract(year FROM d) FROM t"), "SELECT t");
  EXPECT_EQ(Both("SELECT * FROM (SELECT a FROM t WHERE b) x"), "SELECT t");
  EXPECT_EQ(Both("SELECT * FROM ((SELECT a FROM t) UNION (SELECT 1)) x"), "SELECT t");
  EXPECT_EQ(Both("SELECT * FROM (SELECT 1) x, t"), "SELECT");
  EXPECT_EQ(Both("SELECT * FROM (t JOIN u ON 1)"), "SELECT t");
  EXPECT_EQ(Both("SELECT * FROM (VALUES (1)) x"), "SELECT");
  EXPECT_EQ(Both("SELECT a IS NOT DISTINCT FROM b, a IS DISTINCT FROM c FROM t"), "SELECT t");
  EXPECT_EQ(Postgresql("SELECT * FROM ONLY t"), "SELECT t");
  EXPECT_EQ(Postgresql("SELECT * FROM LATERAL (SELECT * FROM t) x"), "SELECT t");
  EXPECT_EQ(Postgresql("SELECT * FROM ROWS FROM (f(), g())"), "SELECT");
  std::string deep = "SELECT * FROM ";
  for (int i = 0; i < kNestingMax; ++i) deep += "(SELECT * FROM ";
  EXPECT_EQ(Both(deep + "t"), "SELECT t");
  EXPECT_EQ(Both(deep + "(SELECT * FROM t"), "SELECT");
  EXPECT_EQ(Both("SELECT 1; SELECT a FROM t"), "SELECT");
}

TEST(Summarize, CommonTables) {
  EXPECT_EQ(Both("WITH a AS (SELECT * FROM t) SELECT * FROM a"), "SELECT t");
  EXPECT_EQ(Both("WITH a (x, y) AS (SELECT * FROM t), b AS (SELECT 1 FROM A) SELECT * FROM b"), "SELECT t");
  EXPECT_EQ(Both("WITH a AS (SELECT 1) SELECT * FROM t, a"), "SELECT t");
  EXPECT_EQ(Both("WITH t AS (SELECT * FROM t) SELECT * FROM t"), "SELECT t");
  EXPECT_EQ(Both("WITH a AS (SELECT 1) SELECT * FROM s.a"), "SELECT a");
  EXPECT_EQ(Both("WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r"), "SELECT");
  EXPECT_EQ(Both("WITH RECURSIVE r AS (SELECT a FROM t UNION ALL SELECT n + 1 FROM r) SELECT * FROM r"), "SELECT t");
  EXPECT_EQ(Both("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM a"), "SELECT");
  EXPECT_EQ(Both("WITH a AS (SELECT * FROM u) UPDATE t SET x = 1"), "UPDATE t");
  EXPECT_EQ(Both("WITH a AS (SELECT * FROM u) DELETE FROM t"), "DELETE t");
  EXPECT_EQ(Postgresql("WITH a AS NOT MATERIALIZED (DELETE FROM u RETURNING *) INSERT INTO t SELECT * FROM a"),
            "INSERT t");
  EXPECT_EQ(Postgresql("WITH RECURSIVE a AS (SELECT * FROM u) SEARCH DEPTH FIRST BY x SET o SELECT * FROM a"),
            "SELECT u");
  EXPECT_EQ(Both("WITH a AS (SELECT 1) (SELECT * FROM t)"), "SELECT t");
  EXPECT_EQ(Both("WITH a"), "_OTHER");
  std::string many = "WITH ";
  for (std::size_t i = 1; i < kCommonTablesMax; ++i) many += "c" + std::to_string(i) + " AS (SELECT 1), ";
  EXPECT_EQ(Mysql(many + "d AS (SELECT 2 FROM t) SELECT * FROM d"), "SELECT t");
  EXPECT_EQ(Mysql(many + "c0 AS (SELECT 1), d AS (SELECT 2 FROM t) SELECT * FROM d"), "SELECT");
}

TEST(Summarize, OfOneServer) {
  EXPECT_EQ(Mysql("INSERT LOW_PRIORITY IGNORE t VALUES (1)"), "INSERT t");
  EXPECT_EQ(Mysql("REPLACE DELAYED INTO t VALUES (1)"), "REPLACE t");
  EXPECT_EQ(Mysql("UPDATE LOW_PRIORITY IGNORE t SET a = 1"), "UPDATE t");
  EXPECT_EQ(Mysql("DELETE QUICK FROM t"), "DELETE t");
  EXPECT_EQ(Mysql("DELETE a, b FROM t AS a JOIN u AS b"), "DELETE t");
  EXPECT_EQ(Mysql("DELETE FROM a USING t AS a"), "DELETE");
  EXPECT_EQ(Mysql("ALTER ONLINE IGNORE TABLE t FORCE"), "ALTER t");
  EXPECT_EQ(Mysql("LOAD DATA LOCAL INFILE 'INTO TABLE u' REPLACE INTO TABLE d.t FIELDS TERMINATED BY ','"), "LOAD t");
  EXPECT_EQ(Mysql("SELECT * FROM t PARTITION (p0)"), "SELECT t");
  EXPECT_EQ(Mysql("SELECT a INTO OUTFILE 'x' FROM t"), "SELECT t");
  EXPECT_EQ(Mysql("XA START 'x'"), "XA");
  EXPECT_EQ(Postgresql("UPDATE ONLY t SET a = 1"), "UPDATE t");
  EXPECT_EQ(Postgresql("DELETE FROM ONLY t USING u"), "DELETE t");
  EXPECT_EQ(Postgresql("CREATE UNLOGGED TABLE t (a int)"), "CREATE t");
  EXPECT_EQ(Postgresql("COPY s.t (a, b) FROM STDIN"), "COPY t");
  EXPECT_EQ(Postgresql("COPY (SELECT * FROM t) TO STDOUT"), "COPY t");
  EXPECT_EQ(Postgresql("DECLARE c CURSOR FOR SELECT * FROM t"), "DECLARE");
  EXPECT_EQ(Postgresql("analyse t"), "ANALYZE");
  EXPECT_EQ(Postgresql("DISCARD ALL"), "DISCARD");
}

TEST(Summarize, ReadsABoundedBeginning) {
  const std::string text = "SELECT '" + std::string(kStatementBytesRead, 'x') + "' FROM t";
  EXPECT_EQ(Text(Summarize(text, false, Dialect::kMysql)), "SELECT");
  for (const std::size_t beyond : {0u, 1u}) {  // "WHERE " ends at the limit, or behind it
    const std::string fill(kStatementBytesRead - 23 + beyond, 'x');
    const Summary summary = Summarize("SELECT '" + fill + "' FROM t WHERE a", false, Dialect::kMysql);
    EXPECT_EQ(Text(summary), beyond == 0 ? "SELECT t" : "SELECT");
  }
}

TEST(FindVerb, EveryName) {
  for (std::size_t i = 1; i < kVerbNames.size(); ++i) {
    const auto verb = static_cast<Verb>(i);
    EXPECT_EQ(FindVerb(kVerbNames[i]), verb == Verb::kStartTransaction ? Verb::kOther : verb) << kVerbNames[i];
  }
  EXPECT_EQ(FindVerb("Select"), Verb::kSelect);
  EXPECT_EQ(FindVerb("_OTHER"), Verb::kOther);
  EXPECT_EQ(FindVerb("SELEC"), Verb::kOther);
  EXPECT_EQ(FindVerb("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), Verb::kOther);
}

}  // namespace
}  // namespace wiregauge::decode::sql
