// Label sets: from the raw bytes of a request to canonical (name, value) pairs, or the reason why not.
// Rules: remote write 1.0 specification, "Labels"; the data model's empty-value rule. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "remote_write/receive/verdicts.h"

namespace wiregauge::receive {

// Labels of one series. Twice what Mimir takes (30) and above VictoriaMetrics' 40: Kubernetes labels joined to a
// metric reach the forties.
inline constexpr std::size_t kMaxLabels = 64;
// Bytes of a label name: Mimir's and Cortex' limit.
inline constexpr std::size_t kMaxLabelNameBytes = 1024;
// Bytes of a label value: VictoriaMetrics' limit; URLs and image digests fit, payloads do not.
inline constexpr std::size_t kMaxLabelValueBytes = 4096;

inline constexpr std::string_view kMetricName = "__name__";

// Both borrowed.
struct Label {
  std::string_view name;
  std::string_view value;
  bool operator==(const Label&) const = default;
};

// Why a label set is refused; `detail` as Verdicts::Refuse takes it.
struct Refusal {
  Reason reason = Reason::kMissingMetricName;
  std::string detail;
};

// Splits raw labels (write_request.h) into pairs, in the order they came; replaces `out`, whose views borrow `raw`.
// kInvalidArgument when the bytes are no protobuf: then the whole request is corrupt.
Status ParseLabels(Bytes raw, std::vector<Label>& out);

// Sorts by name, drops pairs with an empty value (they mean "no such label"), and checks all rules. With a Refusal the
// order and number of `labels` is unspecified.
std::optional<Refusal> Canonicalise(std::vector<Label>& labels);

// Appends one pair in raw form: how tests and other protocols make what ParseLabels reads.
void AppendRawLabel(std::string& raw, std::string_view name, std::string_view value);

// Whether canonical set `a` comes before `b`: by first differing pair, name before value; a prefix comes first.
bool LabelsBefore(const std::vector<Label>& a, const std::vector<Label>& b);

bool IsValidUtf8(std::string_view text);
bool IsValidMetricName(std::string_view name);  // [a-zA-Z_:][a-zA-Z0-9_:]*
bool IsValidLabelName(std::string_view name);   // [a-zA-Z_][a-zA-Z0-9_]*

}  // namespace wiregauge::receive
