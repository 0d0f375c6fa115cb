// Fuzz target: a statement, whole and cut off at every byte of a choice. The first byte chooses the dialect and where
// it is cut. Checks that less is never something else, and that a table is part of the statement.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "exporter/decode/sql/summarize.h"

namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) wiregauge::Bug(what);
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode::sql;
  if (size == 0) return 0;
  const auto dialect = (data[0] & 1) == 0 ? Dialect::kMysql : Dialect::kPostgresql;
  const std::string_view text = wiregauge::AsText(wiregauge::Bytes(data, size).subspan(1));
  const Summary whole = Summarize(text, false, dialect);
  const std::string_view table = whole.table.text();
  Check(table.size() <= TableName::kTableBytesMax, "a table's name over its limit");
  Check(std::search(text.begin(), text.end(), table.begin(), table.end(),
                    [](char a, char b) { return Lower(a) == Lower(b); }) != text.end() ||
            table.empty(),
        "a table that was not named");
  Check(whole.verb != Verb::kOther || table.empty(), "a table without a verb");
  for (std::size_t cut_at = data[0] >> 1; cut_at < text.size(); cut_at += 7) {
    const std::string beginning(text.substr(0, cut_at));
    const Summary cut = Summarize(beginning, true, dialect);
    Check(cut.verb == Verb::kOther || cut.verb == whole.verb, "another verb when cut off");
    Check(cut.table.empty() || cut.table == whole.table, "another table when cut off");
  }
  return 0;
}
