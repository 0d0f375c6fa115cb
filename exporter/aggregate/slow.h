// From which duration on a call is slow, by protocol. A threshold is always a bound of its family's classic buckets, so
// that slow calls are counted exactly from the histogram: those that are not in the buckets up to it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "exporter/match/request.h"

namespace wiregauge::aggregate {

// HTTP, then the others in the order of match::System.
inline constexpr std::array<std::string_view, 9> kSlowProtocols = {"http",       "grpc",  "redis", "memcached", "mysql",
                                                                   "postgresql", "kafka", "mqtt",  "dns"};

struct SlowThresholds {
  // By kSlowProtocols; each a bucket bound already. Half a second is what a person notices in a page; caches answer a
  // hundred times faster than databases; a consumer's Fetch waits for 500 ms when there is nothing to read.
  std::array<std::uint64_t, kSlowProtocols.size()> ns = {500'000'000,   500'000'000,   10'000'000,
                                                         10'000'000,    100'000'000,   100'000'000,
                                                         1'000'000'000, 1'000'000'000, 100'000'000};

  bool operator==(const SlowThresholds&) const = default;

  static constexpr std::size_t IndexOf(match::System system) { return static_cast<std::size_t>(system) + 1; }
  static std::optional<std::size_t> IndexOf(std::string_view protocol) {
    for (std::size_t i = 0; i < kSlowProtocols.size(); ++i) {
      if (kSlowProtocols[i] == protocol) return i;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::span<const std::uint64_t> http() const { return std::span(ns).first(1); }
  // Of the systems from `first` to `last`.
  [[nodiscard]] std::span<const std::uint64_t> Of(match::System first, match::System last) const {
    return std::span(ns).subspan(IndexOf(first), IndexOf(last) - IndexOf(first) + 1);
  }
};

}  // namespace wiregauge::aggregate
