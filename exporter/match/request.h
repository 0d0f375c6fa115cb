// What the match room gives: one request with its outcome. Views are valid only during the call that hands it over.
#pragma once

#include <cstdint>
#include <string_view>

#include "exporter/decode/trace_context.h"
#include "exporter/probe/record.h"

namespace wiregauge::match {

// Why a request has no answer. kNone: it was answered, whatever the answer said.
enum class NoAnswer : std::uint8_t { kNone, kTimeout, kReset, kConnectionClosed };

using decode::Trace;

// An HTTP request. `start_ns` is when its first byte passed the hook, `end_ns` when the last byte of its answer did (or
// when it was given up): CLOCK_MONOTONIC nanoseconds, end_ns >= start_ns.
struct HttpRequest {
  probe::ConnectionId connection = 0;
  probe::Role role = probe::Role::kUnknown;  // kServer: the observed socket answered it
  std::string_view method;                   // as sent, or "_OTHER" when it is no registered method
  std::string_view path;                     // the target without scheme, authority, query and fragment; "*" as sent;
                                             // empty for CONNECT. Cut at 1,024 bytes (path_cut).
  bool path_cut = false;
  std::uint16_t status = 0;              // 100 to 599; 0 when no answer began
  std::uint8_t major_version = 1;        // 1 or 2
  std::uint8_t minor_version = 1;        // of the answer, or of the request when there was none: 0 or 1; 0 for HTTP/2
  NoAnswer no_answer = NoAnswer::kNone;  // also set, beside its status, for an answer that was cut off
  std::string_view error;                // a protocol error that ended it ("CANCEL" of RST_STREAM); mostly empty
  const Trace* trace = nullptr;          // null when it carried none
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
};

// What a call was made to: the values of rpc_system_name, db_system_name, messaging_system, and DNS.
enum class System : std::uint8_t { kGrpc, kRedis, kMemcached, kMysql, kPostgresql, kKafka, kMqtt, kDns };

// A request of any other protocol. Times as in HttpRequest.
struct Call {
  probe::ConnectionId connection = 0;
  probe::Role role = probe::Role::kUnknown;  // kServer: the observed socket answered it
  System system = System::kRedis;
  // What was asked, from a small set: a command ("GET"), a statement's verb ("SELECT"), an API ("Produce"), an
  // operation
  // ("publish"), a method ("helloworld.Greeter/SayHello"). "_OTHER" when it is none that the protocol knows; a
  // connection joined in the middle that cannot tell says "_OTHER" too.
  std::string_view operation;
  // What it was asked of: topic, table, DNS question. Empty when unknown or not applicable.
  std::string_view destination;
  // The answer's own code as text: "OK", "WRONGTYPE", "1064", "42P01", "NXDOMAIN", "6". Empty when there is none.
  std::string_view code;
  // The error_type of an answer that was an error, else empty.
  std::string_view error;
  NoAnswer no_answer = NoAnswer::kNone;
  const Trace* trace = nullptr;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
};

}  // namespace wiregauge::match
