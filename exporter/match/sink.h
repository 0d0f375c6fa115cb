// What every conversation shares: where its requests go, its deadlines, and what it counts beside them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "exporter/decode/unparsed.h"
#include "exporter/match/request.h"

namespace wiregauge::match {

struct Options {
  // From a request's last byte to the first byte of its answer. Proxies give up after 60 s (nginx, Envoy: 15 s).
  std::uint64_t answer_timeout_ns = 60'000'000'000;
  // How long a hole in the received direction may wait for a retransmission: several timeouts of TCP's 200 ms minimum.
  std::uint64_t hole_timeout_ns = 2'000'000'000;
  // How long an answer whose end was lost may stay silent before it is taken as ended.
  std::uint64_t lost_end_timeout_ns = 5'000'000'000;
  // Protocols that are not to be decoded: bit by index in Protocols().
  std::uint32_t protocols_off = 0;
};

// What happened on a connection, beyond the requests told: deltas.
struct ConnectionCounts {
  std::uint64_t parsed_bytes = 0;  // payload whose meaning is known, captured or not
  std::array<std::uint64_t, decode::kUnparsedReasons> unparsed_bytes{};  // by decode::Unparsed
  std::uint64_t unmatched_answers = 0;                                   // answers to no request that was seen
  std::uint64_t late_answers = 0;      // answers to requests that were told as timed out
  std::uint64_t evicted_requests = 0;  // requests over a limit on what waits: seen, not told
  std::uint64_t unpaired_requests =
      0;  // requests whose answer was lost or is uncertain, or that were cut off: not told
  std::uint64_t degraded_requests = 0;  // told, but a part of their name or status could not be known

  void Add(const ConnectionCounts& other) {
    parsed_bytes += other.parsed_bytes;
    for (std::size_t i = 0; i < unparsed_bytes.size(); ++i) unparsed_bytes[i] += other.unparsed_bytes[i];
    unmatched_answers += other.unmatched_answers;
    late_answers += other.late_answers;
    evicted_requests += other.evicted_requests;
    unpaired_requests += other.unpaired_requests;
    degraded_requests += other.degraded_requests;
  }
};

class Sink {
 public:
  // Requests in the order in which their outcome was known. Views are valid during the call.
  virtual void OnRequest(const HttpRequest& request) = 0;
  virtual void OnCall(const Call& call) = 0;
  // A DNS answer said that the name has these addresses (IPv6, or IPv4 as ::ffff:a.b.c.d), for so long.
  virtual void OnAddresses(std::string_view /*name*/, std::span<const std::array<std::uint8_t, 16>> /*addresses*/,
                           std::uint32_t /*ttl_s*/, std::uint64_t /*time_ns*/) {}

 protected:
  ~Sink() = default;
};

}  // namespace wiregauge::match
