#include "daemon/http/status.h"

#include <gtest/gtest.h>

namespace wiregauge::http {
namespace {

TEST(Status, EveryCodeHasItsStatusAndPhrase) {
  const std::pair<Code, int> table[] = {
      {Code::kInvalidArgument, 400}, {Code::kUnsupported, 415}, {Code::kTooLarge, 413},
      {Code::kNotFound, 404},        {Code::kPermission, 403},  {Code::kResourceExhausted, 429},
      {Code::kLimitExceeded, 422},   {Code::kUnavailable, 503}, {Code::kTimeout, 503},
      {Code::kCanceled, 503},        {Code::kIo, 503},          {Code::kCorrupt, 500},
      {Code::kInternal, 500},
  };
  for (const auto& [code, status] : table) {
    EXPECT_EQ(StatusOf(code), status) << CodeName(code);
    EXPECT_NE(ReasonPhrase(status), "Unknown") << status;
  }
}

TEST(Status, TheSentenceIsTheBody) {
  const Response response = ErrorResponse({Code::kTooLarge, "write request: 9 bytes, max 8"});
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body, "write request: 9 bytes, max 8\n");
  EXPECT_TRUE(response.headers.empty());
}

TEST(Status, SendersAreToldWhenToComeBack) {
  EXPECT_EQ(ErrorResponse({Code::kUnavailable, "stopping"}).headers.at(0).first, "Retry-After");
  EXPECT_EQ(ErrorResponse({Code::kResourceExhausted, "rate"}).headers.at(0).first, "Retry-After");
}

}  // namespace
}  // namespace wiregauge::http
