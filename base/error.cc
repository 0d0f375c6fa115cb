#include "base/error.h"

#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace wiregauge {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return "invalid argument";
    case Code::kUnsupported: return "unsupported";
    case Code::kTooLarge: return "too large";
    case Code::kNotFound: return "not found";
    case Code::kPermission: return "permission denied";
    case Code::kResourceExhausted: return "resource exhausted";
    case Code::kLimitExceeded: return "limit exceeded";
    case Code::kUnavailable: return "unavailable";
    case Code::kTimeout: return "timeout";
    case Code::kCanceled: return "canceled";
    case Code::kIo: return "I/O error";
    case Code::kCorrupt: return "corrupt";
    case Code::kInternal: return "internal";
  }
  return "unknown";
}

Error Error::Within(std::string_view context) const { return Error{code, std::string(context) + ": " + message}; }

Error SystemError(std::string_view what, int error_number) {
  return Error{Code::kIo, std::string(what) + ": " + std::generic_category().message(error_number)};
}

void Bug(std::string_view message) {
  std::fprintf(stderr, "BUG: %.*s\n", static_cast<int>(message.size()), message.data());
  std::abort();
}

}  // namespace wiregauge
