#include "daemon/http/status.h"

namespace wiregauge::http {
namespace {

// Long enough for a restart or a full queue to pass, short enough that a sender's own queue holds.
constexpr std::string_view kRetryAfterSeconds = "5";

}  // namespace

int StatusOf(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return 400;
    case Code::kUnsupported: return 415;
    case Code::kTooLarge: return 413;
    case Code::kNotFound: return 404;
    case Code::kPermission: return 403;
    case Code::kResourceExhausted: return 429;
    case Code::kLimitExceeded: return 422;
    case Code::kUnavailable:
    case Code::kTimeout:
    case Code::kCanceled:
    case Code::kIo: return 503;
    case Code::kCorrupt:
    case Code::kInternal: return 500;
  }
  return 500;
}

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

Response PlainText(int status, std::string_view sentence) {
  Response response{.status = status, .body = std::string(sentence)};
  response.body.push_back('\n');
  return response;
}

Response ErrorResponse(const Error& error) {
  Response response = PlainText(StatusOf(error.code), error.message);
  if (response.status == 503 || response.status == 429) {
    response.headers.emplace_back("Retry-After", kRetryAfterSeconds);
  }
  return response;
}

}  // namespace wiregauge::http
