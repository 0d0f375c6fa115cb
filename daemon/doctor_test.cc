#include "daemon/doctor.h"

#include <gtest/gtest.h>

namespace wiregauge::daemon {
namespace {

TEST(Doctor, ColumnsAreAligned) {
  EXPECT_EQ(RenderReport({{.name = "tap", .ok = true},
                          {.name = "longer", .ok = false, .wanted = true, .detail = "CAP_BPF is missing"},
                          {.name = "x", .ok = false, .wanted = false, .detail = "no TLS library"}}),
            "ok       tap\n"
            "MISSING  longer  CAP_BPF is missing\n"
            "off      x       no TLS library\n");
}

TEST(Doctor, ValidateSeesBadAddressesAndWebConfigs) {
  EXPECT_TRUE(Validate({}));
  EXPECT_FALSE(Validate({.listen_addresses = {"nowhere"}}));
  const auto missing = Validate({.web_config_file = "/nonexistent.yml"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "--web.config.file: open /nonexistent.yml: No such file or directory");
}

}  // namespace
}  // namespace wiregauge::daemon
