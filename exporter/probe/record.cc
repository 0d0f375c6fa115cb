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
  open.mid_stream = (raw.header.flags & WG_OPEN_MID_STREAM) != 0;
  open.sent_seq = raw.sent_seq;
  open.received_seq = raw.received_seq;
  open.owner = raw.owner;
  open.cgroup_id = raw.cgroup_id;
  open.netns = raw.netns;
  std::copy(std::begin(raw.comm), std::end(raw.comm), open.comm.begin());
  return Record(open);
}

Result<Record> DecodeData(Bytes bytes) {
  if (bytes.size() < sizeof(wg_data))
    return Corrupt(fmt::format("data of {} bytes, want {}", bytes.size(), sizeof(wg_data)));
  wg_data raw{};
  std::memcpy(&raw, bytes.data(), sizeof(wg_data));
  const std::size_t room = bytes.size() - sizeof(wg_data);
  if (raw.header.captured > room || raw.header.captured > raw.length || raw.header.captured > WG_CAPTURE_LARGE) {
    return Corrupt(fmt::format("{} bytes captured of {}, room {}, max {}", raw.header.captured, raw.length, room,
                               WG_CAPTURE_LARGE));
  }
  if (raw.tail_size > sizeof(raw.tail) || raw.tail_size > raw.length) {
    return Corrupt(fmt::format("tail of {} bytes in a segment of {}", raw.tail_size, raw.length));
  }
  DataRecord data;
  data.connection = raw.header.connection;
  data.time_ns = raw.header.time_ns;
  data.direction = (raw.header.flags & WG_DATA_SENT) != 0 ? Direction::kSent : Direction::kReceived;
  data.seq = raw.seq;
  data.length = raw.length;
  data.captured = bytes.subspan(sizeof(wg_data), raw.header.captured);
  if ((raw.header.flags & WG_DATA_TAIL) != 0) data.tail = bytes.subspan(offsetof(wg_data, tail), raw.tail_size);
  data.before_accept = (raw.header.flags & WG_DATA_BEFORE_ACCEPT) != 0;
  if (data.before_accept) {
    data.local = ToEndpoint(raw.local);
    data.remote = ToEndpoint(raw.remote);
  }
  return Record(data);
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
    case WG_RECORD_CLOSE:
      return Record(CloseRecord{header.connection, header.time_ns, (header.flags & WG_CLOSE_RESET_SENT) != 0,
                                (header.flags & WG_CLOSE_RESET_RECEIVED) != 0});
    default: return Corrupt(fmt::format("kind {}", header.kind));
  }
}

}  // namespace wiregauge::probe
