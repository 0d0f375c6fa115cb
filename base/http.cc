#include "base/http.h"

#include <strings.h>

namespace wiregauge::http {
namespace {

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// application/x-www-form-urlencoded: "+" is a space; a "%" that no two hex digits follow stays as it is.
std::string FormDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

void Collect(std::string_view form, std::string_view name, std::vector<std::string>& out) {
  while (!form.empty()) {
    const std::size_t end = form.find('&');
    const std::string_view pair = form.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (FormDecode(pair.substr(0, equals)) == name) {
      out.push_back(equals == std::string_view::npos ? "" : FormDecode(pair.substr(equals + 1)));
    }
    if (end == std::string_view::npos) break;
    form.remove_prefix(end + 1);
  }
}

}  // namespace

std::string_view Request::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (SameName(key, name)) return value;
  }
  return {};
}

std::vector<std::string> Request::Parameters(std::string_view name) const {
  constexpr std::string_view kForm = "application/x-www-form-urlencoded";
  std::vector<std::string> out;
  Collect(query, name, out);
  if (SameName(Header("Content-Type").substr(0, kForm.size()), kForm)) Collect(body, name, out);
  return out;
}

}  // namespace wiregauge::http
