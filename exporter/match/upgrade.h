// A connection that goes on as HTTP/2 after an HTTP/1.1 request for it was answered with 101 (RFC 7540 section 3.2):
// what the conversation that takes it over needs. The answer to that request comes on stream 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "exporter/match/request.h"

namespace wiregauge::match {

struct UpgradeToHttp2 {
  // As it is told when nobody takes over: answered with 101. An empty method: the request was not seen. Its views
  // borrow from what follows.
  HttpRequest request;
  std::string path;
  std::optional<Trace> trace;
  // TCP sequence numbers of the first byte behind the 101 and behind the request.
  std::uint32_t sent_seq = 0;
  std::uint32_t received_seq = 0;
};

}  // namespace wiregauge::match
