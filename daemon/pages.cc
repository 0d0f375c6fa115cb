#include "daemon/pages.h"

#include <fmt/format.h>

namespace wiregauge::daemon {
namespace {

constexpr std::string_view kStyle =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#1c2733;"
    "background:#fff}h1{margin:0}p{margin:.2rem 0 1.2rem;color:#51606f}dt{font-weight:600}dd{margin:0 0 .8rem;"
    "color:#51606f}a{color:#0b5cad}@media(prefers-color-scheme:dark){body{background:#12181f;color:#e4eaf0}"
    "p,dd{color:#9fb0c0}a{color:#6cb2ff}}";

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

http::Response LandingPage(std::string_view version, const std::vector<PageLink>& links) {
  std::string list;
  for (const PageLink& link : links) {
    list += fmt::format("<dt><a href=\"{}\">{}</a></dt><dd>{}</dd>\n", EscapeHtml(link.path), EscapeHtml(link.text),
                        EscapeHtml(link.description));
  }
  http::Response response{.content_type = "text/html; charset=utf-8"};
  response.body = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>wiregauge</title><style>{}</style></head>\n"
      "<body><h1>wiregauge</h1><p>Network metrics of every service on this host. Version {}.</p>\n<dl>\n{}</dl>"
      "</body></html>\n",
      kStyle, EscapeHtml(version), list);
  return response;
}

}  // namespace wiregauge::daemon
