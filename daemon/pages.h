// The few HTML pages that the daemon itself serves.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/http.h"

namespace wiregauge::daemon {

struct PageLink {
  std::string path;
  std::string text;
  std::string description;
};

// Text made safe for HTML content and double-quoted attributes.
std::string EscapeHtml(std::string_view text);

// The page at "/": name, version, links.
http::Response LandingPage(std::string_view version, const std::vector<PageLink>& links);

}  // namespace wiregauge::daemon
