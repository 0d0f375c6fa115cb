#include "daemon/pages.h"

#include <gtest/gtest.h>

namespace wiregauge::daemon {
namespace {

TEST(Pages, NothingGetsOutOfItsQuotes) {
  EXPECT_EQ(EscapeHtml("<a href=\"x\">&'</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;'&lt;/a&gt;");
  const auto page = LandingPage("1<2", {{"/a\"b", "<x>", "&"}});
  EXPECT_NE(page.body.find("<a href=\"/a&quot;b\">&lt;x&gt;</a></dt><dd>&amp;</dd>"), std::string::npos);
  EXPECT_NE(page.body.find("Version 1&lt;2."), std::string::npos);
}

}  // namespace
}  // namespace wiregauge::daemon
