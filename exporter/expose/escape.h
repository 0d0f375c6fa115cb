// Label values and help texts as the formats carry them: valid UTF-8, whatever the bytes were.
#pragma once

#include <string>
#include <string_view>

namespace wiregauge::expose {

// What is not UTF-8 becomes U+FFFD, one a maximal ill-formed piece (Unicode 15, section 3.9, table 3-8).
void AppendUtf8(std::string_view text, std::string& out);

// The same, and backslash, newline and (with `escape_quotes`) quotes are escaped, as in label values or, as the dialect
// says, help texts.
void AppendEscaped(std::string_view text, bool escape_quotes, std::string& out);

}  // namespace wiregauge::expose
