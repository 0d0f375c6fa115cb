#include "tests/tools/tcp_totals.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include <nlohmann/json.hpp>

namespace wiregauge::tools {

Status TcpTotals::Add(int socket) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return SystemError("TCP_INFO", errno);
  ++sockets;
  bytes_acked += info.tcpi_bytes_acked;
  bytes_received += info.tcpi_bytes_received;
  bytes_sent += info.tcpi_bytes_sent;
  bytes_retrans += info.tcpi_bytes_retrans;
  segs_out += info.tcpi_segs_out;
  segs_in += info.tcpi_segs_in;
  data_segs_out += info.tcpi_data_segs_out;
  data_segs_in += info.tcpi_data_segs_in;
  total_retrans += info.tcpi_total_retrans;
  rcv_ooopack += info.tcpi_rcv_ooopack;
  unacked += info.tcpi_unacked;
  return {};
}

void to_json(nlohmann::json& json, const TcpTotals& totals) {
  json = {{"sockets", totals.sockets},
          {"bytes_acked", totals.bytes_acked},
          {"bytes_received", totals.bytes_received},
          {"bytes_sent", totals.bytes_sent},
          {"bytes_retrans", totals.bytes_retrans},
          {"segs_out", totals.segs_out},
          {"segs_in", totals.segs_in},
          {"data_segs_out", totals.data_segs_out},
          {"data_segs_in", totals.data_segs_in},
          {"total_retrans", totals.total_retrans},
          {"rcv_ooopack", totals.rcv_ooopack},
          {"unacked", totals.unacked}};
}

}  // namespace wiregauge::tools
