#include "exporter/probe/record.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "bpf/wire.h"

namespace wiregauge::probe {
namespace {

Error Corrupt(std::string message) { return Error{Code::kCorrupt, "ring record: " + std::move(message)}; }

Endpoint ToEndpoint(const wg_endpoint& raw) {
  Endpoint endpoint;
  std::copy(std::begin(raw.address), std::end(raw.address), endpoint.address.begin());
  endpoint.port = raw.port;
  return endpoint;
}

Result<Record> DecodeOpen(Bytes bytes) {
  if (bytes.size() < sizeof(wg_open))
    return Corrupt(fmt::format("open of {} bytes, want {}", bytes.size(), sizeof(wg_open)));
  wg_open raw{};
  std::memcpy(&raw, bytes.data(), sizeof(raw));
  if (raw.role > WG_ROLE_SERVER) return Corrupt(fmt::format("open with role {}", raw.role));
  OpenRecord open;
  open.connection = raw.header.connection;
  open.time_ns = raw.header.time_ns;
  open.local = ToEndpoint(raw.local);
  open.remote = ToEndpoint(raw.remote);
  open.role = static_cast<Role>(raw.role);
  open.encrypted = (raw.header.flags & WG_OPEN_ENCRYPTED) != 0;
  open.mid_stream = (raw.header.flags & WG_OPEN_MID_STREAM) != 0;
  open.sent_seq = raw.sent_seq;
  open.received_seq = raw.received_seq;
  open.owner = raw.owner;
  open.cgroup_id = raw.cgroup_id;
  open.netns = raw.netns;
  open.both_ends = (raw.header.flags & WG_OPEN_BOTH_ENDS) != 0;
  open.twin = raw.twin;
  open.twin_owner = raw.twin_owner;
  std::copy(std::begin(raw.comm), std::end(raw.comm), open.comm.begin());
  return Record(open);
}

Result<Record> DecodeData(Bytes bytes) {
  if (bytes.size() < sizeof(wg_data)) {
    return Corrupt(fmt::format("data of {} bytes, want {}", bytes.size(), sizeof(wg_data)));
  }
  wg_data raw{};
  std::memcpy(&raw, bytes.data(), sizeof(wg_data));
  Bytes room = bytes.subspan(sizeof(wg_data));
  DataRecord data;
  data.connection = raw.header.connection;
  data.time_ns = raw.header.time_ns - raw.header.age_ns;
  data.plaintext = (raw.header.flags & WG_DATA_PLAINTEXT) != 0;
  data.mid_stream = (raw.header.flags & WG_DATA_MID_STREAM) != 0;
  data.direction = (raw.header.flags & WG_DATA_SENT) != 0 ? Direction::kSent : Direction::kReceived;
  data.seq = raw.seq;
  data.length = raw.length;
  data.before_accept = (raw.header.flags & WG_DATA_BEFORE_ACCEPT) != 0;
  const bool has_tail = (raw.header.flags & WG_DATA_TAIL) != 0;
  const std::size_t before = (has_tail ? WG_TAIL_BYTES : 0) + (data.before_accept ? sizeof(wg_before_accept) : 0);
  if (raw.header.captured > raw.length || raw.header.captured > WG_CAPTURE_LARGE ||
      before + raw.header.captured > room.size()) {
    return Corrupt(fmt::format("{} bytes captured of {}, after {} in a room of {}, max {}", raw.header.captured,
                               raw.length, before, room.size(), WG_CAPTURE_LARGE));
  }
  if (has_tail && raw.length < WG_TAIL_BYTES) {
    return Corrupt(fmt::format("tail of {} bytes in a segment of {}", WG_TAIL_BYTES, raw.length));
  }
  if (has_tail) {
    data.tail = room.first(WG_TAIL_BYTES);
    room = room.subspan(WG_TAIL_BYTES);
  }
  if (data.before_accept) {
    wg_before_accept where{};
    std::memcpy(&where, room.data(), sizeof(where));
    data.local = ToEndpoint(where.local);
    data.remote = ToEndpoint(where.remote);
    room = room.subspan(sizeof(where));
  }
  data.captured = room.first(raw.header.captured);
  return Record(data);
}

Result<Record> DecodeDatagram(Bytes bytes) {
  if (bytes.size() < sizeof(wg_datagram)) {
    return Corrupt(fmt::format("datagram of {} bytes, want {}", bytes.size(), sizeof(wg_datagram)));
  }
  wg_datagram raw{};
  std::memcpy(&raw, bytes.data(), sizeof(raw));
  const Bytes room = bytes.subspan(sizeof(raw));
  if (raw.header.captured > raw.length || raw.header.captured > WG_CAPTURE_LARGE || raw.header.captured > room.size()) {
    return Corrupt(fmt::format("{} bytes captured of a datagram of {} in a room of {}, max {}", raw.header.captured,
                               raw.length, room.size(), WG_CAPTURE_LARGE));
  }
  DatagramRecord datagram;
  datagram.socket = raw.header.connection;
  datagram.time_ns = raw.header.time_ns;
  datagram.direction = (raw.header.flags & WG_DATA_SENT) != 0 ? Direction::kSent : Direction::kReceived;
  datagram.local = ToEndpoint(raw.local);
  datagram.remote = ToEndpoint(raw.remote);
  datagram.owner = raw.owner;
  datagram.cgroup_id = raw.cgroup_id;
  std::copy(std::begin(raw.comm), std::end(raw.comm), datagram.comm.begin());
  datagram.length = raw.length;
  datagram.captured = room.first(raw.header.captured);
  return Record(datagram);
}

}  // namespace

Result<Record> DecodeRecord(Bytes bytes) {
  if (bytes.size() < sizeof(wg_header)) {
    return Corrupt(fmt::format("{} bytes, a header has {}", bytes.size(), sizeof(wg_header)));
  }
  wg_header header{};
  std::memcpy(&header, bytes.data(), sizeof(header));
  switch (header.kind) {
    case WG_RECORD_OPEN: return DecodeOpen(bytes);
    case WG_RECORD_DATA: return DecodeData(bytes);
    case WG_RECORD_DATAGRAM: return DecodeDatagram(bytes);
    case WG_RECORD_CLOSE:
      return Record(CloseRecord{header.connection, header.time_ns, (header.flags & WG_CLOSE_RESET_SENT) != 0,
                                (header.flags & WG_CLOSE_RESET_RECEIVED) != 0, (header.flags & WG_CLOSE_TWIN) != 0});
    default: return Corrupt(fmt::format("kind {}", header.kind));
  }
}

}  // namespace wiregauge::probe
