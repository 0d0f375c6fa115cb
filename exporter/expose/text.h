// A Snapshot as text: the Prometheus text format 0.0.4 (and 1.0.0, the same bytes for our names) and OpenMetrics 1.0.0.
// Pure and deterministic: families by name, points by labels.
#pragma once

#include <string>
#include <string_view>

#include "exporter/aggregate/snapshot.h"

namespace wiregauge::expose {

enum class Dialect { kText, kOpenMetrics };

// Appends the whole exposition. Metric and label names are ours and taken as valid; help texts and label values may be
// any bytes: what is not UTF-8 becomes U+FFFD. Families of the same name are told as one; of different types, that is a
// bug of ours and aborts.
void AppendText(const aggregate::Snapshot& snapshot, Dialect dialect, std::string& out);

// Appends a label value or (with `escape_quotes` as the dialect says) help text: backslash and newline escaped, invalid
// UTF-8 replaced, one U+FFFD a maximal ill-formed piece (Unicode 15, section 3.9, table 3-8).
void AppendEscaped(std::string_view text, bool escape_quotes, std::string& out);

}  // namespace wiregauge::expose
