// What the match room gives: one request with its outcome. Views are valid only during the call that hands it over.
#pragma once

#include <cstdint>
#include <string_view>

#include "exporter/probe/record.h"

namespace wiregauge::match {

// Why a request has no answer. kNone: it was answered, whatever the answer said.
enum class NoAnswer : std::uint8_t { kNone, kTimeout, kReset, kConnectionClosed };

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
  std::uint8_t minor_version = 1;        // of the answer, or of the request when there was none: 0 or 1
  NoAnswer no_answer = NoAnswer::kNone;  // also set, beside its status, for an answer that was cut off
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
};

}  // namespace wiregauge::match
