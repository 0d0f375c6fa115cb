// Sums of TCP_INFO over sockets: the kernel's own account of a connection, read by the program that owns the socket.
#pragma once

#include <cstdint>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace wiregauge::tools {

// Raw kernel figures. bytes_acked counts the SYN as one byte, and bytes_received the peer's FIN once it has come.
struct TcpTotals {
  std::uint64_t sockets = 0;
  std::uint64_t bytes_acked = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;  // with retransmissions
  std::uint64_t bytes_retrans = 0;
  std::uint64_t segs_out = 0;
  std::uint64_t segs_in = 0;
  std::uint64_t data_segs_out = 0;
  std::uint64_t data_segs_in = 0;
  std::uint64_t total_retrans = 0;  // segments
  std::uint64_t rcv_ooopack = 0;
  std::uint64_t unacked = 0;  // segments; not 0: bytes_acked is about to grow

  // Adds the socket's figures as they are now. kIo when the kernel refuses.
  Status Add(int socket);
};

void to_json(nlohmann::json& json, const TcpTotals& totals);

}  // namespace wiregauge::tools
