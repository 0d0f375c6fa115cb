// The L4 plane: what the kernel adds up itself and the probe drains. Each unit is reported exactly once, as a delta.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "exporter/probe/record.h"

namespace wiregauge::probe {

// Upper bounds in microseconds of the in-kernel histograms (connect duration, smoothed RTT); one more bucket for what
// is above the last. The kernel's copy is in bpf/wire.h; a test compares them.
inline constexpr std::array<std::uint32_t, 15> kTcpBucketBoundsUs = {100,     250,     500,       1'000,     2'500,
                                                                     5'000,   10'000,  25'000,    50'000,    100'000,
                                                                     250'000, 500'000, 1'000'000, 2'500'000, 5'000'000};

// Why nothing of a connection is captured: the kernel only counts its bytes. kPlaintext: ciphertext whose plaintext is
// told.
enum class Unread : std::uint8_t { kUnknownProtocol, kEncrypted, kUpgraded, kTunnel, kCompressed, kPlaintext, kReplication };

struct TcpHistogram {
  std::array<std::uint64_t, kTcpBucketBoundsUs.size() + 1> buckets{};  // not cumulative
  std::uint64_t sum_us = 0;
};

// Who talks to whom. `peer_owner` is set when the other end is on this host; else `peer` says which address class or
// rule the remote address fell in (identity's numbers).
struct TcpKey {
  OwnerId owner = 0;
  OwnerId peer_owner = 0;
  std::uint32_t peer = 0;
  Role role = Role::kUnknown;

  bool operator==(const TcpKey&) const = default;
};

// Deltas since the last drain, except `active`: connections open at this moment.
struct TcpCounters {
  std::uint64_t opened = 0;
  std::uint64_t closed = 0;
  std::uint64_t active = 0;
  std::uint64_t sent_bytes = 0;      // payload, acknowledged by the peer
  std::uint64_t received_bytes = 0;  // payload, received in order
  std::uint64_t sent_segments = 0;
  std::uint64_t received_segments = 0;
  std::uint64_t retransmitted_segments = 0;
  std::uint64_t retransmission_timeouts = 0;
  std::uint64_t out_of_order_segments = 0;
  std::uint64_t resets_sent = 0;
  std::uint64_t resets_received = 0;
  std::array<std::uint64_t, 8> unread_bytes{};  // payload that was not captured, by Unread
  TcpHistogram connect_duration;                // clients: SYN to established
  TcpHistogram rtt;                             // smoothed; at most one a second and connection
};

}  // namespace wiregauge::probe
