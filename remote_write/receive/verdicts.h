// What a write request's parts were refused for: one bad series never costs its neighbours, and never goes unsaid.
// The rooms after this one (encode) add to the same object. One thread; plain data.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace wiregauge::receive {

enum class Reason : std::uint8_t {
  kDuplicateLabel,
  kMissingMetricName,
  kInvalidMetricName,
  kEmptyLabelName,
  kInvalidLabelName,
  kInvalidUtf8,
  kTooManyLabels,
  kLabelNameTooLong,
  kLabelValueTooLong,
  kTooOld,
  kTooFarInFuture,
  kSeriesLimit,
  kDictionaryLimit,
  kExemplarUnsupported,
  kHistogramUnsupported,
};
inline constexpr std::size_t kReasonCount = 15;

// The reason as the metric label `reason` and the answer's first line carry it, e.g. "duplicate_label". Static storage.
std::string_view ReasonName(Reason reason);

class Verdicts {
 public:
  // How many offenders the answer names: senders log the body, and the same fault tends to repeat.
  static constexpr std::size_t kMaxOffenders = 3;
  // Bytes of one offender's line; Prometheus reads at most 1,024 bytes of the body.
  static constexpr std::size_t kMaxOffenderBytes = 240;

  // `count` samples (exemplars, histograms) of the series with these raw labels (write_request.h) were refused;
  // `detail` is a short phrase: "label \"a\" twice".
  void Refuse(Reason reason, std::uint64_t count, Bytes raw_labels, std::string_view detail);

  [[nodiscard]] std::uint64_t Count(Reason reason) const { return counts_[static_cast<std::size_t>(reason)]; }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] bool empty() const { return total_ == 0; }

  // The body of a 400: the first line counts what was refused and why, and what is stored; then up to kMaxOffenders
  // lines. Valid printable ASCII whatever the labels were.
  [[nodiscard]] std::string Report(std::uint64_t samples_written) const;

  void Clear();

 private:
  std::array<std::uint64_t, kReasonCount> counts_{};
  std::uint64_t total_ = 0;
  std::vector<std::string> offenders_;
};

// Raw labels as `{a="b", c="d"}` for a person to read: not printable or not ASCII bytes as \xNN, cut at `max_bytes`
// with "...".
std::string DescribeLabels(Bytes raw_labels, std::size_t max_bytes);

}  // namespace wiregauge::receive
