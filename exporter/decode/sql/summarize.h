// A SQL statement's verb and its first table, from its first bytes. Not a parser: it reads words, quotes, comments and
// parentheses, and where it is not sure of a table says none. Grammar: MariaDB 10.11 and PostgreSQL 15 manuals. Pure,
// no allocation; threads may share it.
#pragma once

#include <string_view>

#include "exporter/decode/sql/types.h"

namespace wiregauge::decode::sql {

// `cut`: the statement goes on behind `text`. Of several statements, the first that is not empty.
Summary Summarize(std::string_view text, bool cut, Dialect dialect);

// The verb that is exactly this word, in any case; else kOther.
Verb FindVerb(std::string_view word);

}  // namespace wiregauge::decode::sql
