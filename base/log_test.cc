#include "base/log.h"

#include <gtest/gtest.h>

namespace wiregauge::log {
namespace {

constexpr std::string_view kTime = "2026-11-20T07:14:11.493Z";

TEST(Log, LogfmtQuotesTheMessageAndWhatNeedsIt) {
  EXPECT_EQ(Render(Format::kLogfmt, kTime, Level::kInfo, "daemon", "Listening on",
                   {{"address", "127.0.0.1:10420"}, {"note", "a b"}}),
            "time=2026-11-20T07:14:11.493Z level=info source=daemon msg=\"Listening on\" address=127.0.0.1:10420 "
            "note=\"a b\"");
}

TEST(Log, NoValueCanStartANewLine) {
  EXPECT_EQ(Render(Format::kLogfmt, kTime, Level::kWarn, "store", "x", {{"text", "a\nlevel=error \"q\""}}),
            "time=2026-11-20T07:14:11.493Z level=warn source=store msg=\"x\" text=\"a\\nlevel=error \\\"q\\\"\"");
}

TEST(Log, JsonIsOneObject) {
  EXPECT_EQ(
      Render(Format::kJson, kTime, Level::kError, "store", "disk \"full\"", {{"bytes", 12}}),
      R"({"time":"2026-11-20T07:14:11.493Z","level":"error","source":"store","msg":"disk \"full\"","bytes":"12"})");
}

TEST(Log, LevelFilters) {
  Configure(Level::kWarn, Format::kLogfmt);
  EXPECT_FALSE(Enabled(Level::kInfo));
  EXPECT_TRUE(Enabled(Level::kError));
  Configure(Level::kInfo, Format::kLogfmt);
}

}  // namespace
}  // namespace wiregauge::log
