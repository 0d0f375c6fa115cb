#include "exporter/decode/sql/summarize.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace wiregauge::decode::sql {

namespace {

enum Class : std::uint8_t { kPunct, kSpace, kWordByte, kDigit };

constexpr std::array<std::uint8_t, 256> MakeClasses() {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c >= 0x80;
    if (letter) classes[c] = kWordByte;
    if (c >= '0' && c <= '9') classes[c] = kDigit;
    if (c == ' ' || (c >= '\t' && c <= '\r')) classes[c] = kSpace;
  }
  return classes;
}
constexpr std::array<std::uint8_t, 256> kClasses = MakeClasses();

Class ClassOf(char c) { return static_cast<Class>(kClasses[static_cast<std::uint8_t>(c)]); }

char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; }

// `keyword` in capitals. ASCII letters differ from their capitals by one bit.
bool IsKeyword(std::string_view word, std::string_view keyword) {
  if (word.size() != keyword.size() || ((word[0] ^ keyword[0]) & 0xdf) != 0) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (Upper(word[i]) != keyword[i]) return false;
  }
  return true;
}

struct Token {
  enum class Kind : std::uint8_t {
    kEnd,     // of the statement, or of what is at hand of it
    kWord,    // a keyword, a bare name or a number
    kQuoted,  // in double or back quotes
    kString,
    kPunct,  // one byte
  };
  Kind kind = Kind::kEnd;
  bool plain = true;      // kQuoted: without a quote inside
  std::string_view text;  // without the quotes

  [[nodiscard]] bool Is(char punct) const { return kind == Kind::kPunct && text[0] == punct; }
  // `keyword` in capitals.
  [[nodiscard]] bool Is(std::string_view keyword) const { return kind == Kind::kWord && IsKeyword(text, keyword); }
  template <std::size_t N>
  [[nodiscard]] bool IsOneOf(const std::array<std::string_view, N>& keywords) const {
    return std::any_of(keywords.begin(), keywords.end(), [this](std::string_view keyword) { return Is(keyword); });
  }
};

// Words, quotes and punctuation of a statement, comments left out. A token that touches the end of a statement that
// was cut off is not given: it may be longer.
class Lexer {
 public:
  Lexer(std::string_view text, bool cut, Dialect dialect) : text_(text), cut_(cut), dialect_(dialect) {}

  Token Next();
  // Goes over words that do not begin with a letter of `letters` (capitals), commas and blanks.
  void SkipPlain(std::string_view letters);
  [[nodiscard]] std::size_t offset() const { return at_; }
  [[nodiscard]] Dialect dialect() const { return dialect_; }

 private:
  void SkipSpace();
  bool SkipComment();
  void SkipLine() { at_ = std::min(text_.find('\n', at_), text_.size()); }
  void SkipBlockComment();
  Token Quoted(char quote, bool backslash);
  Token Word();
  bool DollarString(Token& token);
  Token End() {
    at_ = text_.size();
    return {};
  }
  [[nodiscard]] char Peek(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  std::string_view text_;
  std::size_t at_ = 0;
  bool cut_;
  Dialect dialect_;
};

Token Lexer::Next() {
  SkipSpace();
  if (at_ >= text_.size()) return {};
  const char c = text_[at_];
  if (c == '$' && dialect_ == Dialect::kPostgresql) {
    Token token;
    if (DollarString(token)) return token;
  }
  if (ClassOf(c) == kWordByte || ClassOf(c) == kDigit) return Word();
  if (c == '\'' || c == '"') return Quoted(c, dialect_ == Dialect::kMysql);
  if (c == '`' && dialect_ == Dialect::kMysql) return Quoted(c, false);
  if (cut_ && at_ + 1 == text_.size()) return End();
  return {.kind = Token::Kind::kPunct, .text = text_.substr(at_++, 1)};
}

void Lexer::SkipPlain(std::string_view letters) {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == ' ' || c == ',' || c == '.') {
      ++at_;
      continue;
    }
    // A string may follow the prefix E; a dollar may quote.
    if (ClassOf(c) != kWordByte || c == '$' || Upper(c) == 'E' || letters.find(Upper(c)) != letters.npos) return;
    while (at_ < text_.size() && (ClassOf(text_[at_]) == kWordByte || ClassOf(text_[at_]) == kDigit)) ++at_;
  }
}

void Lexer::SkipSpace() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (ClassOf(c) == kSpace) {
      ++at_;
    } else if ((c != '-' && c != '/' && c != '#' && c != '*') || !SkipComment()) {
      return;
    }
  }
}

// Also over the marks around MySQL's conditional code, which is taken as code: "/*!50001 ... */", "/*M! ... */".
bool Lexer::SkipComment() {
  const bool mysql = dialect_ == Dialect::kMysql;
  const char c = text_[at_];
  const char next = Peek(1);
  if (c == '#') {
    if (mysql) SkipLine();
    return mysql;
  }
  if (c == '-') {
    // MySQL: "a--1" subtracts.
    const bool comment = next == '-' && (!mysql || at_ + 2 >= text_.size() || ClassOf(Peek(2)) == kSpace);
    if (comment) SkipLine();
    return comment;
  }
  if (c == '*') {
    if (!mysql || next != '/') return false;
    at_ += 2;
    return true;
  }
  if (next != '*') return false;
  const std::size_t mark = mysql && Peek(2) == 'M' && Peek(3) == '!' ? 4 : mysql && Peek(2) == '!' ? 3 : 0;
  if (mark == 0) {
    SkipBlockComment();
  } else {
    at_ += mark;
    while (at_ < text_.size() && ClassOf(text_[at_]) == kDigit) ++at_;
  }
  return true;
}

void Lexer::SkipBlockComment() {
  at_ += 2;
  for (int depth = 1; depth > 0 && at_ < text_.size();) {
    if (text_[at_] == '*' && Peek(1) == '/') {
      --depth;
      at_ += 2;
    } else if (dialect_ == Dialect::kPostgresql && text_[at_] == '/' && Peek(1) == '*') {  // they nest there
      ++depth;
      at_ += 2;
    } else {
      ++at_;
    }
  }
}

Token Lexer::Quoted(char quote, bool backslash) {
  Token token;
  token.kind = quote == '\'' ? Token::Kind::kString : Token::Kind::kQuoted;
  const std::size_t begin = ++at_;
  for (; at_ < text_.size(); ++at_) {
    if (text_[at_] == '\\' && backslash) {
      token.plain = false;
      ++at_;
    } else if (text_[at_] == quote) {
      if (Peek(1) != quote) break;
      token.plain = false;
      ++at_;
    }
  }
  if (at_ >= text_.size() || (cut_ && at_ + 1 == text_.size())) return End();  // the quote may be the first of two
  token.text = text_.substr(begin, at_ - begin);
  ++at_;
  return token;
}

Token Lexer::Word() {
  const std::size_t begin = at_;
  while (at_ < text_.size() && (ClassOf(text_[at_]) == kWordByte || ClassOf(text_[at_]) == kDigit)) ++at_;
  if (cut_ && at_ == text_.size()) return {};
  const std::string_view word = text_.substr(begin, at_ - begin);
  if (dialect_ == Dialect::kPostgresql && Upper(word[0]) == 'E' && word.size() == 1 && Peek(0) == '\'') {
    return Quoted('\'', true);
  }
  return {.kind = Token::Kind::kWord, .text = word};
}

// PostgreSQL manual section 4.1.2.4: $tag$ ... $tag$. False when it is none, as in "$1".
bool Lexer::DollarString(Token& token) {
  if (ClassOf(Peek(1)) == kDigit) return false;
  const std::size_t tag_end = text_.find('$', at_ + 1);
  const std::string_view tag = text_.substr(at_ + 1, std::min(tag_end, text_.size()) - at_ - 1);
  if (std::any_of(tag.begin(), tag.end(), [](char c) { return ClassOf(c) == kPunct || ClassOf(c) == kSpace; })) {
    return false;
  }
  const std::size_t end =
      tag_end == text_.npos ? text_.npos : text_.find(text_.substr(at_, tag.size() + 2), tag_end + 1);
  if (end == text_.npos) {
    token = End();
    return true;
  }
  at_ = end + tag.size() + 2;
  token.kind = Token::Kind::kString;
  return true;
}

bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    const std::size_t size = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
    if (size == 0 || i + size > text.size()) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if ((static_cast<std::uint8_t>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    const auto second = size > 1 ? static_cast<std::uint8_t>(text[i + 1]) : std::uint8_t{0x80};
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    i += size;
  }
  return true;
}

// Words that cannot be a table's name without quotes, and stand in its place in statements that are wrong.
bool IsReserved(const Token& token) {
  static constexpr std::array<std::string_view, 14> kReserved = {"WHERE", "SELECT", "SET",   "VALUES", "FROM",
                                                                 "INTO",  "ON",     "GROUP", "ORDER",  "LIMIT",
                                                                 "JOIN",  "UNION",  "AS",    "USING"};
  return token.IsOneOf(kReserved);
}

bool IsName(const Token& token) {
  const std::string_view text = token.text;
  if (text.empty() || text.size() > TableName::kTableBytesMax) return false;
  if (token.kind == Token::Kind::kWord && (ClassOf(text[0]) == kDigit || text[0] == '$')) return false;
  if (token.kind == Token::Kind::kQuoted && !token.plain) return false;
  bool ascii = true;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte < 0x20 || byte == 0x7f) return false;
    ascii = ascii && byte < 0x80;
  }
  return ascii || IsUtf8(text);
}

// One statement.
class Reader {
 public:
  Reader(std::string_view text, bool cut, Dialect dialect) : text_(text), cut_(cut), lexer_(text, cut, dialect) {}

  Summary Read();

 private:
  // A common table expression: its name and where its body begins, behind the parenthesis.
  struct CommonTable {
    std::string_view name;
    std::size_t body;
  };

  void Advance() { token_ = lexer_.Next(); }
  [[nodiscard]] bool AtEnd() const { return token_.kind == Token::Kind::kEnd; }
  bool Skip(std::string_view keyword) {
    if (!token_.Is(keyword)) return false;
    Advance();
    return true;
  }
  template <std::size_t N>
  void SkipAll(const std::array<std::string_view, N>& keywords) {
    while (token_.IsOneOf(keywords)) Advance();
  }

  bool SkipParentheses();
  void ReadCommonTables();
  bool FindFrom();
  void ReadTable(Verb verb, TableName& table);
  void ReadTableOfDefinition(TableName& table);
  bool ReadName(TableName& table, bool may_be_function);
  void ReadFrom(TableName& table, int nesting);
  void EnterCommonTable(std::size_t index, TableName& table, int nesting);

  std::string_view text_;
  bool cut_;
  Lexer lexer_;
  Token token_;  // the next one
  std::array<CommonTable, kCommonTablesMax> common_tables_;
  std::size_t common_tables_count_ = 0;
  std::size_t visible_common_tables_ = 0;  // so many can be meant where the reader is
  bool recursive_ = false;                 // a body may mean itself and those behind it
  bool common_tables_missed_ = false;      // more than are remembered
};

Summary Reader::Read() {
  Summary summary;
  Advance();
  while (token_.Is('(') || token_.Is(';')) Advance();
  if (token_.Is("WITH")) ReadCommonTables();
  if (token_.kind != Token::Kind::kWord) return summary;
  summary.verb = FindVerb(token_.text);
  Advance();
  if (summary.verb == Verb::kStart) {
    if (AtEnd() && cut_) summary.verb = Verb::kOther;
    if (token_.Is("TRANSACTION")) summary.verb = Verb::kStartTransaction;
  }
  ReadTable(summary.verb, summary.table);
  return summary;
}

// At an opening parenthesis: goes behind the one that closes it. False when the statement ends first.
bool Reader::SkipParentheses() {
  for (int depth = 0; !AtEnd(); Advance()) {
    if (token_.Is('(')) ++depth;
    if (token_.Is(')') && --depth == 0) {
      Advance();
      return true;
    }
  }
  return false;
}

// WITH [RECURSIVE] name [(columns)] AS [[NOT] MATERIALIZED] (body) [SEARCH ... | CYCLE ...] [, ...]: goes to the main
// verb.
void Reader::ReadCommonTables() {
  Advance();
  recursive_ = Skip("RECURSIVE");
  while (!AtEnd()) {
    CommonTable common{token_.text, 0};
    Advance();
    if (token_.Is('(') && !SkipParentheses()) return;
    if (!Skip("AS")) break;
    Skip("NOT");
    Skip("MATERIALIZED");
    if (!token_.Is('(')) break;
    common.body = lexer_.offset();
    if (!SkipParentheses()) return;
    if (common_tables_count_ == common_tables_.size()) {
      common_tables_missed_ = true;
    } else {
      common_tables_[common_tables_count_++] = common;
      visible_common_tables_ = common_tables_count_;
    }
    static constexpr std::array<std::string_view, 5> kMainVerbs = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"};
    while (!AtEnd() && !token_.Is(',') && !token_.Is('(') && !token_.IsOneOf(kMainVerbs) && !token_.Is("VALUES") &&
           !token_.Is("TABLE")) {
      Advance();
    }
    if (!token_.Is(',')) {
      while (token_.Is('(')) Advance();
      return;
    }
    Advance();
  }
  token_ = {};
}

void Reader::ReadTable(Verb verb, TableName& table) {
  static constexpr std::array<std::string_view, 5> kPriorities = {"LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK",
                                                                  "IGNORE"};
  switch (verb) {
    case Verb::kSelect:
      if (FindFrom()) ReadFrom(table, 0);
      return;
    case Verb::kInsert:
    case Verb::kReplace:
    case Verb::kMerge:
      SkipAll(kPriorities);
      Skip("INTO");
      Skip("ONLY");
      ReadName(table, false);
      return;
    case Verb::kUpdate:
      SkipAll(kPriorities);
      Skip("ONLY");
      ReadName(table, true);
      return;
    case Verb::kDelete:
      if (!FindFrom()) return;
      Skip("ONLY");
      ReadName(table, true);
      // MySQL: "DELETE FROM alias, ... USING tables"
      if (lexer_.dialect() == Dialect::kMysql && (token_.Is("USING") || token_.Is(','))) table = {};
      return;
    case Verb::kCreate:
    case Verb::kAlter:
    case Verb::kDrop: return ReadTableOfDefinition(table);
    case Verb::kTruncate:
    case Verb::kTable:
      Skip("TABLE");
      Skip("ONLY");
      ReadName(table, false);
      return;
    case Verb::kCopy:
      if (token_.Is('(')) return ReadFrom(table, 0);
      ReadName(table, false);
      return;
    case Verb::kLoad:
      while (!AtEnd() && !token_.Is("INTO")) Advance();
      if (Skip("INTO") && Skip("TABLE")) ReadName(table, false);
      return;
    default: return;
  }
}

// CREATE, ALTER and DROP of tables: the words between are few, anything else is another object.
void Reader::ReadTableOfDefinition(TableName& table) {
  static constexpr std::array<std::string_view, 10> kBefore = {"OR",     "REPLACE", "TEMPORARY", "TEMP",   "UNLOGGED",
                                                               "GLOBAL", "LOCAL",   "FOREIGN",   "ONLINE", "IGNORE"};
  static constexpr std::array<std::string_view, 4> kBehind = {"IF", "NOT", "EXISTS", "ONLY"};
  SkipAll(kBefore);
  if (!Skip("TABLE")) return;
  SkipAll(kBehind);
  ReadName(table, false);
}

// Goes behind the FROM of the query that token_ is in. False when it has none or is cut off before.
bool Reader::FindFrom() {
  bool may_be_operator = false;  // the words so far could end in IS [NOT] DISTINCT
  bool distinct = false;
  for (int depth = 0; !AtEnd(); Advance()) {
    if (token_.kind == Token::Kind::kPunct) {
      if (token_.Is('(')) ++depth;
      if (token_.Is(';') || (token_.Is(')') && --depth < 0)) return false;
      may_be_operator = distinct = false;
    } else if (depth > 0 || token_.kind != Token::Kind::kWord) {
      may_be_operator = distinct = false;
    } else if (token_.Is("FROM")) {
      if (!distinct) {
        Advance();
        return true;
      }
      distinct = false;
    } else {
      distinct = may_be_operator && token_.Is("DISTINCT");
      may_be_operator = token_.Is("IS") || (may_be_operator && token_.Is("NOT"));
    }
    if (!may_be_operator && !distinct) lexer_.SkipPlain("FI");
  }
  return false;
}

// The first table of a FROM clause: a name, or that of a subquery or common table expression.
void Reader::ReadFrom(TableName& table, int nesting) {
  if (nesting > kNestingMax) return;
  bool in_parentheses = false;
  while (token_.Is('(') || token_.Is("LATERAL") || token_.Is("ONLY")) {
    in_parentheses = in_parentheses || token_.Is('(');
    Advance();
  }
  if (in_parentheses && token_.Is("SELECT")) {
    Advance();
    if (FindFrom()) ReadFrom(table, nesting + 1);
    return;
  }
  if (in_parentheses && (token_.Is("WITH") || token_.Is("VALUES") || token_.Is("TABLE"))) return;
  const bool bare = ReadName(table, true);
  if (token_.Is("FROM")) table = {};  // ROWS FROM (function(), ...)
  if (!bare || table.empty()) return;
  const auto begin = common_tables_.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(common_tables_count_);
  const auto found = std::find_if(begin, end, [&](const CommonTable& common) {
    return std::ranges::equal(table.text(), common.name, {}, Upper, Upper);
  });
  const auto index = static_cast<std::size_t>(found - begin);
  const bool is_table = found == end ? !common_tables_missed_ : !recursive_ && index >= visible_common_tables_;
  if (is_table) return;
  table = {};
  if (index < visible_common_tables_) EnterCommonTable(index, table, nesting);
}

// The first table of a common table expression's body.
void Reader::EnterCommonTable(std::size_t index, TableName& table, int nesting) {
  lexer_ = Lexer(text_.substr(common_tables_[index].body), cut_, lexer_.dialect());
  visible_common_tables_ = index;
  Advance();
  while (token_.Is('(')) Advance();
  if (Skip("SELECT") && FindFrom()) ReadFrom(table, nesting + 1);
}

// [[catalog.]schema.]table. Left empty when it is none, or what follows shows that it is none. True for a table that
// was named without a schema.
bool Reader::ReadName(TableName& table, bool may_be_function) {
  Token name;
  bool bare = true;
  for (;; bare = false) {
    if (token_.kind != Token::Kind::kWord && token_.kind != Token::Kind::kQuoted) return false;
    name = token_;
    Advance();
    if (!token_.Is('.')) break;
    Advance();
  }
  if (AtEnd() && cut_) return false;  // a name of several parts may go on
  const bool fits = token_.kind != Token::Kind::kPunct || token_.Is(',') || token_.Is(')') || token_.Is(';') ||
                    token_.Is('*') || (token_.Is('(') && !may_be_function);
  if (!fits || !IsName(name) || IsReserved(name) || name.Is("DUAL")) return false;
  table.Set(name.text);
  if (name.kind == Token::Kind::kWord && lexer_.dialect() == Dialect::kPostgresql) table.ToLower();
  return bare;
}

}  // namespace

Verb FindVerb(std::string_view word) {
  // Most statements of all.
  for (const Verb verb : {Verb::kSelect, Verb::kInsert, Verb::kUpdate, Verb::kDelete, Verb::kCommit, Verb::kBegin}) {
    if (IsKeyword(word, VerbName(verb))) return verb;
  }
  std::array<char, 16> upper{};
  if (word.size() >= upper.size()) return Verb::kOther;
  std::transform(word.begin(), word.end(), upper.begin(), Upper);
  const std::string_view wanted(upper.data(), word.size());
  if (wanted == "DESC") return Verb::kDescribe;
  if (wanted == "ANALYSE") return Verb::kAnalyze;
  static_assert(std::is_sorted(kVerbNames.begin() + 1, kVerbNames.end()));
  const auto found = std::lower_bound(kVerbNames.begin() + 1, kVerbNames.end(), wanted);
  if (found == kVerbNames.end() || *found != wanted) return Verb::kOther;
  return static_cast<Verb>(found - kVerbNames.begin());
}

Summary Summarize(std::string_view text, bool cut, Dialect dialect) {
  if (text.size() > kStatementBytesRead) {
    text = text.substr(0, kStatementBytesRead);
    cut = true;
  }
  return Reader(text, cut, dialect).Read();
}

}  // namespace wiregauge::decode::sql
