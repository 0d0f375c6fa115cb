#include "daemon/http/exchange.h"

#include <civetweb.h>
#include <strings.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/clock.h"
#include "daemon/http/status.h"

namespace wiregauge::http {
namespace {

constexpr std::size_t kReadSize = 16384;
// Of one full read, which civetweb waits five seconds for: 0.8 KB/s is slower than any link worth serving.
constexpr int kProgressBytesMin = 4096;
// Bodies of all requests under way: with the store's own memory this still fits a small machine.
constexpr std::size_t kBodyBytesBudget = 256U << 20U;
// Answers up to this size leave in one write with their header.
constexpr std::size_t kOneWriteSize = 16384;

bool SameText(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::size_t CountHeader(const Request& request, std::string_view name) {
  return static_cast<std::size_t>(std::count_if(request.headers.begin(), request.headers.end(),
                                                [&](const auto& header) { return SameText(header.first, name); }));
}

// civetweb takes the first of several; a proxy in front may take the last: request smuggling (RFC 9112 section 6.3).
Status CheckFraming(const Request& request) {
  const std::size_t lengths = CountHeader(request, "Content-Length");
  const std::size_t codings = CountHeader(request, "Transfer-Encoding");
  if (lengths > 1 || codings > 1 || (lengths == 1 && codings == 1)) {
    return Error{Code::kInvalidArgument, "more than one of Content-Length and Transfer-Encoding"};
  }
  const std::string_view length = request.Header("Content-Length");
  if (lengths == 1 && (length.empty() || length.find_first_not_of("0123456789") != std::string_view::npos)) {
    return Error{Code::kInvalidArgument, "Content-Length is not a number"};
  }
  return {};
}

void AppendHeader(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  // A value must not start another header, wherever it came from.
  for (const char c : value) out.push_back(c == '\r' || c == '\n' ? ' ' : c);
  out.append("\r\n");
}

std::string HeadOf(const Response& response, const Headers& headers, bool close) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, ReasonPhrase(response.status));
  std::array<char, 40> date{};
  const auto now = static_cast<time_t>(UnixMilliseconds() / 1000);
  tm parts{};
  gmtime_r(&now, &parts);
  const std::size_t size = strftime(date.data(), date.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  AppendHeader(out, "Date", {date.data(), size});
  if (response.status != 204 && response.status != 304) {
    AppendHeader(out, "Content-Length", std::to_string(response.body.size()));
    if (!response.content_type.empty()) AppendHeader(out, "Content-Type", response.content_type);
  }
  for (const auto& [name, value] : response.headers) AppendHeader(out, name, value);
  for (const auto& [name, value] : headers) AppendHeader(out, name, value);
  if (close) AppendHeader(out, "Connection", "close");
  out.append("\r\n");
  return out;
}

// Charges `bytes` to the budget unless that would go over it.
bool Charge(std::atomic<std::size_t>& budget, std::size_t bytes) {
  std::size_t used = budget.load();
  do {
    if (used + bytes > kBodyBytesBudget) return false;
  } while (!budget.compare_exchange_weak(used, used + bytes));
  return true;
}

Error TooLarge(const Route& route) {
  return Error{Code::kTooLarge, route.body_bytes_max == 0
                                    ? "this path takes no body"
                                    : fmt::format("the body is larger than {} bytes", route.body_bytes_max)};
}

}  // namespace

Result<Request> ReadHead(mg_connection* connection) {
  const mg_request_info* info = mg_get_request_info(connection);
  // civetweb drops what comes after its last place, a Content-Length for example, without a word.
  if (info->num_headers >= MG_MAX_HEADERS) {
    return Error{Code::kInvalidArgument, fmt::format("more than {} header lines", MG_MAX_HEADERS - 1)};
  }
  Request request{.method = info->request_method,
                  .path = info->local_uri_raw == nullptr ? "" : info->local_uri_raw,
                  .query = info->query_string == nullptr ? "" : info->query_string};
  request.headers.reserve(static_cast<std::size_t>(info->num_headers));
  for (int i = 0; i < info->num_headers; ++i) {
    request.headers.emplace_back(info->http_headers[i].name, info->http_headers[i].value);
  }
  if (const Status framing = CheckFraming(request); !framing) return framing.error();
  return request;
}

BodyLength DeclaredLength(const Request& request) {
  if (CountHeader(request, "Transfer-Encoding") > 0 && !SameText(request.Header("Transfer-Encoding"), "identity")) {
    return {.declared = true, .chunked = true};
  }
  if (CountHeader(request, "Content-Length") == 0) return {};
  BodyLength length{.declared = true};
  const std::string_view text = request.Header("Content-Length");
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), length.bytes);
  if (failure != std::errc{}) length.bytes = ~std::size_t{0};  // more digits than any limit
  return length;
}

Status CheckLength(const Route& route, const BodyLength& length) {
  if (length.chunked) {
    if (route.body_bytes_max == 0) return TooLarge(route);
    return {};
  }
  if (length.bytes > route.body_bytes_max) return TooLarge(route);
  return {};
}

Status ReadBody(mg_connection* connection, const Route& route, const BodyLength& length,
                std::atomic<std::size_t>& budget, Request& request) {
  if (SameText(request.Header("Expect"), "100-continue")) mg_printf(connection, "HTTP/1.1 100 Continue\r\n\r\n");
  std::array<char, kReadSize> buffer;
  while (length.chunked || request.body.size() < length.bytes) {
    const int count = mg_read(connection, buffer.data(), buffer.size());
    if (count < 0) return Error{Code::kInvalidArgument, "the body ended early or its chunks are malformed"};
    if (count == 0) break;
    const auto bytes = static_cast<std::size_t>(count);
    if (request.body.size() + bytes > route.body_bytes_max) return TooLarge(route);
    if (!Charge(budget, bytes)) {
      return Error{Code::kUnavailable, fmt::format("overloaded: {} bytes of requests under way", budget.load())};
    }
    request.body.append(buffer.data(), bytes);
    const bool whole = !length.chunked && request.body.size() >= length.bytes;
    if (count < kProgressBytesMin && !length.chunked && !whole) {
      return Error{Code::kInvalidArgument, "the body came too slowly or ended early"};
    }
  }
  if (!length.chunked && request.body.size() < length.bytes) {
    return Error{Code::kInvalidArgument,
                 fmt::format("the body ended after {} of {} bytes", request.body.size(), length.bytes)};
  }
  return {};
}

void DiscardBody(mg_connection* connection) {
  std::array<char, kReadSize> buffer;
  while (mg_read(connection, buffer.data(), buffer.size()) > 0) {
  }
}

bool Write(mg_connection* connection, const Response& response, const Headers& headers, bool head_only, bool close) {
  std::string out = HeadOf(response, headers, close);
  const bool with_body = !head_only && response.status != 204 && response.status != 304;
  const bool together = with_body && response.body.size() <= kOneWriteSize;
  if (together) out += response.body;
  if (mg_write(connection, out.data(), out.size()) != static_cast<int>(out.size())) return false;
  std::string_view rest = with_body && !together ? std::string_view(response.body) : std::string_view();
  while (!rest.empty()) {
    constexpr std::size_t kPiece = 1U << 20U;  // civetweb's lengths are int
    const int written = mg_write(connection, rest.data(), std::min(rest.size(), kPiece));
    if (written <= 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool WantsClose(const Request& request, const char* http_version) {
  const std::string_view connection = request.Header("Connection");
  if (connection.empty()) return std::string_view(http_version == nullptr ? "" : http_version) != "1.1";
  return strcasestr(std::string(connection).c_str(), "keep-alive") == nullptr;
}

}  // namespace wiregauge::http
