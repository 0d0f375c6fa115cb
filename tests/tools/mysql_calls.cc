// mysql_calls: uses a MariaDB server in the ways that its C library has, and says what it did, for tests that compare
// an observer's counts. The tables are those of tests/tools/mariadb.py. Prints one JSON object: "calls" (operation,
// table, error, count and seconds of each kind of call, as it should be told) and "elapsed_seconds".
#include <mariadb/mysql.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::string host;
  unsigned port = 3306;
  std::string user = "tester";
  std::string password = "secret";
  std::string database = "test";
  std::string file;  // for LOAD DATA LOCAL: lines of a number, a tab and a word
  unsigned rounds = 1;
  unsigned large_rows = 0;
  unsigned large_insert_bytes = 0;
  unsigned long_data_bytes = 10'000;  // of each of three parts
  bool tls = false;
};

[[noreturn]] void Fail(const std::string& what, const char* why) {
  std::fprintf(stderr, "mysql_calls: %s: %s\n", what.c_str(), why);
  std::exit(1);
}

struct Done {
  std::uint64_t count = 0;
  double seconds = 0;
};

class Client {
 public:
  explicit Client(Settings settings) : settings_(std::move(settings)) {}
  ~Client() { Close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Connect(const std::string& password, unsigned expected_error = 0);
  void Round();
  [[nodiscard]] nlohmann::json Report() const;
  void Close() {
    if (mysql_ != nullptr) mysql_close(mysql_);
    mysql_ = nullptr;
  }

 private:
  using Statement = std::unique_ptr<MYSQL_STMT, decltype(&mysql_stmt_close)>;

  // Runs `call`, which gives the library's error number, and counts it.
  template <typename Call>
  void Count(std::string_view operation, std::string_view table, unsigned expected_error, Call call) {
    const auto begin = Clock::now();
    const unsigned error = call();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (error != expected_error) {
      Fail(std::string(operation) + " " + std::string(table) + ": error " + std::to_string(error),
           mysql_ != nullptr ? mysql_error(mysql_) : "");
    }
    Add(operation, table, error, 1, seconds);
  }
  void Add(std::string_view operation, std::string_view table, unsigned error, std::uint64_t count, double seconds) {
    Done& done = done_[{std::string(operation), std::string(table), error}];
    done.count += count;
    done.seconds += seconds;
  }
  // A statement with all its results.
  void Query(std::string_view operation, std::string_view table, const std::string& text, unsigned expected_error = 0);
  Statement Prepare(std::string_view table, const std::string& text, unsigned expected_error = 0);
  void Prepared();
  void Cursor();
  void LongData();
  void Direct();

  Settings settings_;
  MYSQL* mysql_ = nullptr;
  std::map<std::tuple<std::string, std::string, unsigned>, Done> done_;
};

void Client::Connect(const std::string& password, unsigned expected_error) {
  Close();
  mysql_ = mysql_init(nullptr);
  const unsigned local_infile = 1;
  mysql_options(mysql_, MYSQL_OPT_LOCAL_INFILE, &local_infile);
  const my_bool tls = settings_.tls ? 1 : 0;
  mysql_options(mysql_, MYSQL_OPT_SSL_ENFORCE, &tls);
  Count("CONNECT", "", expected_error, [&] {
    const bool connected =
        mysql_real_connect(mysql_, settings_.host.c_str(), settings_.user.c_str(), password.c_str(),
                           settings_.database.c_str(), settings_.port, nullptr, CLIENT_MULTI_STATEMENTS) != nullptr;
    return connected ? 0 : mysql_errno(mysql_);
  });
}

void Client::Query(std::string_view operation, std::string_view table, const std::string& text,
                   unsigned expected_error) {
  Count(operation, table, expected_error, [&] {
    if (mysql_real_query(mysql_, text.data(), text.size()) != 0) return mysql_errno(mysql_);
    for (;;) {
      if (MYSQL_RES* result = mysql_store_result(mysql_)) mysql_free_result(result);
      const int next = mysql_next_result(mysql_);
      if (next != 0) return next > 0 ? mysql_errno(mysql_) : 0U;
    }
  });
}

Client::Statement Client::Prepare(std::string_view table, const std::string& text, unsigned expected_error) {
  Statement statement(mysql_stmt_init(mysql_), mysql_stmt_close);
  Count("PREPARE", table, expected_error, [&] {
    return mysql_stmt_prepare(statement.get(), text.data(), text.size()) == 0 ? 0U : mysql_stmt_errno(statement.get());
  });
  return statement;
}

void Client::Prepared() {
  const Statement select = Prepare("words", "SELECT word FROM words WHERE id = ?");
  int id = 1;
  MYSQL_BIND bind = {};
  bind.buffer_type = MYSQL_TYPE_LONG;
  bind.buffer = &id;
  mysql_stmt_bind_param(select.get(), &bind);
  for (; id <= 5; ++id) {
    Count("SELECT", "words", 0, [&] {
      if (mysql_stmt_execute(select.get()) != 0) return mysql_stmt_errno(select.get());
      while (mysql_stmt_fetch(select.get()) == 0) {
      }
      mysql_stmt_free_result(select.get());
      return 0U;
    });
  }
  const Statement duplicate = Prepare("words", "INSERT INTO words VALUES (?, 'twice')");
  id = 1;
  mysql_stmt_bind_param(duplicate.get(), &bind);
  Count("INSERT", "words", 1'062,
        [&] { return mysql_stmt_execute(duplicate.get()) == 0 ? 0U : mysql_stmt_errno(duplicate.get()); });
  Prepare("", "SELECT FROM WHERE", 1'064);
}

// One row a kStmtFetch: so many as there are rows, and one that finds the end.
void Client::Cursor() {
  const Statement select = Prepare("words", "SELECT id FROM words WHERE id <= 3");
  const unsigned long type = CURSOR_TYPE_READ_ONLY;
  mysql_stmt_attr_set(select.get(), STMT_ATTR_CURSOR_TYPE, &type);
  Count("SELECT", "words", 0,
        [&] { return mysql_stmt_execute(select.get()) == 0 ? 0U : mysql_stmt_errno(select.get()); });
  for (int fetch = 0; fetch < 4; ++fetch) {
    Count("FETCH", "words", 0, [&] {
      const int got = mysql_stmt_fetch(select.get());
      return got == 1 ? mysql_stmt_errno(select.get()) : 0U;
    });
  }
  Count("STMT_RESET", "", 0, [&] { return mysql_stmt_reset(select.get()) == 0 ? 0U : 1U; });
}

void Client::LongData() {
  const Statement insert = Prepare("texts", "INSERT INTO texts VALUES (?)");
  MYSQL_BIND bind = {};
  bind.buffer_type = MYSQL_TYPE_STRING;
  mysql_stmt_bind_param(insert.get(), &bind);
  const std::string part(settings_.long_data_bytes, 'p');
  for (int i = 0; i < 3; ++i) mysql_stmt_send_long_data(insert.get(), 0, part.data(), part.size());
  Count("INSERT", "texts", 0,
        [&] { return mysql_stmt_execute(insert.get()) == 0 ? 0U : mysql_stmt_errno(insert.get()); });
}

// MariaDB: PREPARE and EXECUTE go at once, the latter with the id -1.
void Client::Direct() {
  const Statement update(mysql_stmt_init(mysql_), mysql_stmt_close);
  const std::string text = "UPDATE words SET word = 'changed' WHERE id = 2";
  Count("UPDATE", "words", 0, [&] {
    return mariadb_stmt_execute_direct(update.get(), text.data(), text.size()) == 0 ? 0U
                                                                                    : mysql_stmt_errno(update.get());
  });
  Add("PREPARE", "words", 0, 1, 0);
}

void Client::Round() {
  Connect("wrong", 1'045);
  Connect(settings_.password);
  Query("SELECT", "words", "SELECT * FROM words");
  Query("SELECT", "words", "/* a comment */ SELECT w.id FROM test.words AS w");
  Query("SELECT", "", "SELECT 1");
  Query("SELECT", "missing", "SELECT * FROM missing", 1'146);
  Query("SELECT", "words", "SELECT nothing FROM words", 1'054);
  Query("_OTHER", "", "SELEC 1", 1'064);
  Query("INSERT", "words", "INSERT INTO words VALUES (1, 'twice')", 1'062);
  Query("UPDATE", "words", "UPDATE words SET word = 'one' WHERE id = 1");
  Query("SELECT", "", "SELECT 1; SELECT * FROM words; SELECT 3");
  Query("SELECT", "", "SELECT 1; SELECT * FROM missing", 1'146);
  Query("CALL", "", "CALL results()");
  Query("START TRANSACTION", "", "START TRANSACTION");
  Query("DELETE", "words", "DELETE FROM words WHERE id > 100");
  Query("ROLLBACK", "", "ROLLBACK");
  Query("LOAD", "loaded", "LOAD DATA LOCAL INFILE '" + settings_.file + "' INTO TABLE loaded");
  Prepared();
  Cursor();
  LongData();
  Direct();
  Count("PING", "", 0, [&] { return mysql_ping(mysql_) == 0 ? 0U : mysql_errno(mysql_); });
  Count("STATISTICS", "", 0, [&] { return mysql_stat(mysql_) != nullptr ? 0U : mysql_errno(mysql_); });
  Count("USE", "", 0, [&] { return mysql_select_db(mysql_, "test") == 0 ? 0U : mysql_errno(mysql_); });
  Count("USE", "", 1'049, [&] { return mysql_select_db(mysql_, "missing") == 0 ? 0U : mysql_errno(mysql_); });
  if (settings_.large_rows > 0) {
    const std::string limit = std::to_string(settings_.large_rows);
    Query("SELECT", "seq_1_to_1000000", "SELECT seq, repeat('r', seq % 200) FROM seq_1_to_1000000 LIMIT " + limit);
    Query("CALL", "", "CALL rows_then_error(" + limit + ")", 1'644);
  }
  if (settings_.large_insert_bytes > 0) {
    Query("INSERT", "texts", "INSERT INTO texts VALUES ('" + std::string(settings_.large_insert_bytes, 'i') + "')");
  }
  Count("RESET_CONNECTION", "", 0, [&] { return mysql_reset_connection(mysql_) == 0 ? 0U : mysql_errno(mysql_); });
  Count("CHANGE_USER", "", 0, [&] {
    return mysql_change_user(mysql_, settings_.user.c_str(), settings_.password.c_str(), "test") == 0
               ? 0U
               : mysql_errno(mysql_);
  });
}

nlohmann::json Client::Report() const {
  nlohmann::json calls = nlohmann::json::array();
  for (const auto& [key, done] : done_) {
    const auto& [operation, table, error] = key;
    calls.push_back({{"operation", operation},
                     {"table", table},
                     {"error", error == 0 ? "" : std::to_string(error)},
                     {"count", done.count},
                     {"seconds", done.seconds}});
  }
  return calls;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Uses a MySQL server in many ways and says what it did.");
  app.add_option("--host", settings.host)->required();
  app.add_option("--port", settings.port);
  app.add_option("--file", settings.file)->required();
  app.add_option("--rounds", settings.rounds);
  app.add_option("--large-rows", settings.large_rows);
  app.add_option("--large-insert-bytes", settings.large_insert_bytes);
  app.add_option("--long-data-bytes", settings.long_data_bytes);
  app.add_flag("--tls", settings.tls);
  CLI11_PARSE(app, argc, argv);

  Client client(settings);
  const auto begin = Clock::now();
  for (unsigned round = 0; round < settings.rounds; ++round) client.Round();
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
  std::printf("%s\n", nlohmann::json({{"calls", client.Report()}, {"elapsed_seconds", elapsed}}).dump().c_str());
  std::fflush(stdout);
  client.Close();
  return 0;
}
