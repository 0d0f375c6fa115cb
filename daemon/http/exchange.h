// One request and its answer on civetweb's connection: what civetweb parsed becomes a Request, a Response becomes
// bytes. Runs on civetweb's threads (100 KiB of stack).
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/http.h"
#include "base/result.h"
#include "daemon/http/router.h"

struct mg_connection;

namespace wiregauge::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Method, path, query and headers; no body. kInvalidArgument for a header that would let two programs disagree about
// where the request ends.
Result<Request> ReadHead(mg_connection* connection);

// What the headers say of the body: Content-Length, or nothing for chunked coding.
struct BodyLength {
  bool declared = false;  // by Content-Length or Transfer-Encoding
  bool chunked = false;
  std::size_t bytes = 0;  // when not chunked
};
BodyLength DeclaredLength(const Request& request);

// The refusal that the headers alone decide (411, 413), or success.
Result<void> CheckLength(const Route& route, const BodyLength& length);

// Reads the body into request.body. `budget` counts the bytes of all bodies under way and is charged as they come; the
// caller gives request.body.size() back. kTooLarge, kUnavailable (budget), kTimeout (no progress), kInvalidArgument
// (ended early or malformed chunks).
Status ReadBody(mg_connection* connection, const Route& route, const BodyLength& length,
                std::atomic<std::size_t>& budget, Request& request);

// Reads and forgets what the client still sends, until it stops or the connection is shut down.
void DiscardBody(mg_connection* connection);

// The answer's bytes; the body is left out for HEAD. `close` announces the end of the connection.
bool Write(mg_connection* connection, const Response& response, const Headers& headers, bool head_only, bool close);

// Whether civetweb will close after this request whatever we say.
bool WantsClose(const Request& request, const char* http_version);

}  // namespace wiregauge::http
