#include "remote_write/receive/verdicts.h"

#include <algorithm>

#include <fmt/format.h>

#include "remote_write/receive/labels.h"

namespace wiregauge::receive {
namespace {

constexpr std::array<std::string_view, kReasonCount> kNames = {
    "duplicate_label",   "missing_metric_name", "invalid_metric_name", "empty_label_name",     "invalid_label_name",
    "invalid_utf8",      "too_many_labels",     "label_name_too_long", "label_value_too_long", "too_old",
    "too_far_in_future", "series_limit",        "dictionary_limit",    "exemplar_unsupported", "histogram_unsupported",
};

void AppendPrintable(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c >= 0x20 && c < 0x7f) {
      out.push_back(c);
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
}

}  // namespace

std::string_view ReasonName(Reason reason) { return kNames[static_cast<std::size_t>(reason)]; }

std::string DescribeLabels(Bytes raw_labels, std::size_t max_bytes) {
  std::vector<Label> labels;
  if (!ParseLabels(raw_labels, labels)) return "{malformed labels}";
  std::string out = "{";
  for (const Label& label : labels) {
    if (out.size() > 1) out += ", ";
    AppendPrintable(label.name.substr(0, max_bytes), out);
    out += "=\"";
    AppendPrintable(label.value.substr(0, max_bytes), out);
    out += "\"";
    if (out.size() > max_bytes) break;
  }
  out += "}";
  if (out.size() > max_bytes) {
    out.resize(max_bytes);
    out += "...";
  }
  return out;
}

void Verdicts::Refuse(Reason reason, std::uint64_t count, Bytes raw_labels, std::string_view detail) {
  if (count == 0) return;
  counts_[static_cast<std::size_t>(reason)] += count;
  total_ += count;
  if (offenders_.size() >= kMaxOffenders) return;
  std::string line = std::string(ReasonName(reason)) + ": ";
  AppendPrintable(detail.substr(0, kMaxOffenderBytes), line);
  line.resize(std::min(line.size(), kMaxOffenderBytes / 2));
  offenders_.push_back(line + ": " + DescribeLabels(raw_labels, kMaxOffenderBytes - line.size()));
}

std::string Verdicts::Report(std::uint64_t samples_written) const {
  std::string reasons;
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    if (counts_[i] == 0) continue;
    if (!reasons.empty()) reasons += ", ";
    reasons += fmt::format("{} {}", counts_[i], kNames[i]);
  }
  std::string out = fmt::format("refused {} ({}), stored {} samples\n", total_, reasons, samples_written);
  for (const std::string& offender : offenders_) out += offender + "\n";
  return out;
}

void Verdicts::Clear() {
  counts_.fill(0);
  total_ = 0;
  offenders_.clear();
}

}  // namespace wiregauge::receive
