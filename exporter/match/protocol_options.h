// The options of each protocol: the common ones, with a deadline of its own where one is set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "exporter/match/protocols.h"
#include "exporter/match/sink.h"

namespace wiregauge::match {

// Immutable once connections use it: they keep references.
class ProtocolOptions {
 public:
  explicit ProtocolOptions(const Options& common = {}) : common_(common), each_(Protocols().size(), common) {}

  // See Options::answer_timeout_ns; `protocol` is an index in Protocols().
  void SetAnswerTimeout(std::size_t protocol, std::uint64_t timeout_ns) {
    each_[protocol].answer_timeout_ns = timeout_ns;
  }

  [[nodiscard]] const Options& common() const { return common_; }
  [[nodiscard]] const Options& Of(std::size_t protocol) const { return each_[protocol]; }

 private:
  Options common_;
  std::vector<Options> each_;
};

}  // namespace wiregauge::match
