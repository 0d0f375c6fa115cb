// What the probe gives to the rooms after it: connections and their bytes, as the kernel saw them, one record an
// event. Plain data; `captured` and `tail` borrow from the ring buffer and are valid only during the call that
// hands the record over. The kernel's layout is bpf/wire.h; DecodeRecord is the only place that knows both.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"

namespace wiregauge::probe {

// The kernel's socket cookie: unique while the host is up, also what SO_COOKIE and `ss -e` print.
using ConnectionId = std::uint64_t;

// A process as the kernel names it for good: thread-group id in the upper half, start time (10 ms units since boot,
// truncated) in the lower, so that a reused pid is another owner. 0 = unknown.
using OwnerId = std::uint64_t;

// Who an owner was when it made its latest socket. Empty or zero: not known.
struct OwnerInfo {
  std::uint64_t cgroup_id = 0;
  std::string comm;        // of the process
  std::string executable;  // file name, at most 127 bytes
};

enum class Role : std::uint8_t { kUnknown, kClient, kServer };
enum class Direction : std::uint8_t { kReceived, kSent };  // as seen by the socket that is observed

// IPv6, or IPv4 as ::ffff:a.b.c.d; the port in host order.
struct Endpoint {
  std::array<std::uint8_t, 16> address{};
  std::uint16_t port = 0;

  bool operator==(const Endpoint&) const = default;
};

// A connection, told before its first DataRecord. All times are CLOCK_MONOTONIC nanoseconds.
struct OpenRecord {
  ConnectionId connection = 0;
  std::uint64_t time_ns = 0;
  Endpoint local;
  Endpoint remote;
  Role role = Role::kUnknown;
  bool encrypted = false;          // began with a TLS hello: no DataRecord but of plaintext follows
  bool mid_stream = false;         // older than the tap, or its beginning was lost: the streams start anywhere
  std::uint32_t sent_seq = 0;      // TCP sequence number of the first byte of each direction that will be told;
  std::uint32_t received_seq = 0;  // meaningless when mid_stream
  OwnerId owner = 0;
  std::uint64_t cgroup_id = 0;
  std::uint32_t netns = 0;      // inode of the network namespace
  std::array<char, 16> comm{};  // of the owner, zero-padded
  // A server's, over loopback: what is told is told for the client's end too, which is observed and tells nothing.
  bool both_ends = false;
  ConnectionId twin = 0;  // the client's connection, and its owner
  OwnerId twin_owner = 0;
};

// `length` payload bytes of one segment, beginning at TCP sequence number `seq`, of which the first captured.size()
// are here. One segment may come as several records. May overlap bytes told before (retransmission) or arrive out of
// order (Direction::kReceived).
//
// Of plaintext (what a TLS library was given or gave) the sequence numbers count its own bytes, from 0 in each
// direction; it is told in order, and once.
struct DataRecord {
  ConnectionId connection = 0;
  std::uint64_t time_ns = 0;
  Direction direction = Direction::kReceived;
  std::uint32_t seq = 0;
  std::uint32_t length = 0;
  Bytes captured;  // 0 to 4,096 bytes
  Bytes tail;      // when captured.size() < length: the last min(8, length) bytes of the segment, else empty
  // Set when the kernel saw the segment while it still belonged to the listening socket (deferred accept, a lost
  // third ACK): then `connection` is the listener's and these name the connection to come.
  bool before_accept = false;
  bool plaintext = false;
  bool mid_stream = false;  // with plaintext: not all from the session's beginning is told
  Endpoint local;
  Endpoint remote;
};

struct CloseRecord {
  ConnectionId connection = 0;
  std::uint64_t time_ns = 0;
  bool reset_sent = false;
  bool reset_received = false;
  bool twin = false;  // not the connection is closed but the client's end, which it tells for
};

// A UDP datagram that looks like DNS. Each stands for itself: a socket is neither opened nor closed here, and may talk
// to many.
struct DatagramRecord {
  ConnectionId socket = 0;
  std::uint64_t time_ns = 0;
  Direction direction = Direction::kReceived;
  Endpoint local;
  Endpoint remote;
  OwnerId owner = 0;  // of the socket
  std::uint64_t cgroup_id = 0;
  std::array<char, 16> comm{};  // of the owner, zero-padded; empty when it is not known
  std::uint32_t length = 0;     // of the payload
  Bytes captured;               // the first 0 to 4,096 bytes
};

using Record = std::variant<OpenRecord, DataRecord, CloseRecord, DatagramRecord>;

// One ring-buffer record. Views in the result borrow `bytes`. kCorrupt when the size, kind or a length field does not
// fit the contract, with the offending figures.
Result<Record> DecodeRecord(Bytes bytes);

}  // namespace wiregauge::probe
