#include "daemon/security/gatekeeper.h"

#include <gtest/gtest.h>

namespace wiregauge::security {
namespace {

int StatusFor(Gatekeeper& gatekeeper, bool loopback, const http::Route* route) {
  const auto admission = gatekeeper.Admit({.method = "GET"}, {.loopback_listener = loopback}, route);
  return admission.refusal ? admission.refusal->status : 200;
}

TEST(Gatekeeper, BeyondLoopbackOnlyOpenRoutes) {
  const http::Route open{.open = true};
  const http::Route closed{.open = false};
  Gatekeeper gatekeeper(nullptr, false);
  EXPECT_EQ(StatusFor(gatekeeper, true, &closed), 200);
  EXPECT_EQ(StatusFor(gatekeeper, true, nullptr), 200);  // the router's 404
  EXPECT_EQ(StatusFor(gatekeeper, false, &open), 200);
  EXPECT_EQ(StatusFor(gatekeeper, false, &closed), 403);
  EXPECT_EQ(StatusFor(gatekeeper, false, nullptr), 403);
  gatekeeper.AllowUnauthenticated(true);
  EXPECT_EQ(StatusFor(gatekeeper, false, &closed), 200);
}

}  // namespace
}  // namespace wiregauge::security
