#include "remote_write/query/json.h"

#include <fmt/format.h>

namespace wiregauge::query {
namespace {

constexpr const char* kJson = "application/json";

http::Response Failure(int status, std::string_view type, std::string_view error) {
  std::string body = fmt::format(R"({{"status":"error","errorType":"{}","error":)", type);
  AppendJsonString(body, error);
  body += "}";
  return {.status = status, .content_type = kJson, .headers = {}, .body = std::move(body)};
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  out.push_back('"');
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&') {
      out += fmt::format("\\u{:04x}", byte);
    } else if (byte == 0xe2 && i + 2 < text.size() && text[i + 1] == '\x80' &&
               (text[i + 2] == '\xa8' || text[i + 2] == '\xa9')) {
      out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

http::Response Success(std::string_view data) {
  return {.status = 200,
          .content_type = kJson,
          .headers = {},
          .body = fmt::format(R"({{"status":"success","data":{}}})", data)};
}

http::Response BadData(std::string_view error) { return Failure(400, "bad_data", error); }
http::Response ExecutionError(std::string_view error) { return Failure(422, "execution", error); }
http::Response InternalError(std::string_view error) { return Failure(500, "internal", error); }

}  // namespace wiregauge::query
