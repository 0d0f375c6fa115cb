// What went wrong, as a value. Rooms return an Error inside a Result (result.h); only the daemon maps a Code to an
// HTTP status (daemon/http) or an exit code. Immutable after construction; thread-safe as any value.
#pragma once

#include <string>
#include <string_view>

namespace wiregauge {

enum class Code {
  kInvalidArgument,    // the caller's data is wrong for good: HTTP 400
  kUnsupported,        // a media type, encoding or feature that is not built in: HTTP 415
  kTooLarge,           // over a named size limit: HTTP 413
  kNotFound,           // HTTP 404
  kPermission,         // a right or a capability is missing: HTTP 403
  kResourceExhausted,  // a rate limit of the tenant: HTTP 429
  kLimitExceeded,      // a query over its budget: HTTP 422
  kUnavailable,        // overloaded, starting, stopping, disk full; try again: HTTP 503
  kTimeout,            // a deadline passed: HTTP 503
  kCanceled,           // the client went away: HTTP 503
  kIo,                 // the operating system refused a file or socket operation: HTTP 503
  kCorrupt,            // stored bytes fail their checksum or grammar: HTTP 500
  kInternal,           // none of the above; a defect: HTTP 500
};

// The code's name as logged and as tests print it, for example "invalid argument". Static storage.
std::string_view CodeName(Code code);

// `message` is one sentence without a full stop that says what, which, got, limit:
// "write request: 41 labels in series 3, max 40".
struct Error {
  Code code = Code::kInternal;
  std::string message;

  // The same error with "context: " before the message; callers add what they were doing.
  [[nodiscard]] Error Within(std::string_view context) const;
};

// An Error of kIo with strerror(error_number) after "what: ".
Error SystemError(std::string_view what, int error_number);

// Ends the program with "BUG: message" on stderr. For broken invariants of our own, never for outside input.
[[noreturn]] void Bug(std::string_view message);

}  // namespace wiregauge
