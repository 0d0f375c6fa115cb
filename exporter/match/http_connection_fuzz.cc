// Fuzz target: records of one HTTP/1 connection, in any order and with any sequence numbers. Checks that no request is
// told that did not begin, that times are in order, and that requests have their shape.
#include "exporter/match/conversation_fuzz.h"
#include "exporter/match/http_connection.h"

namespace wiregauge::match {
namespace {

class Listener final : public Sink {
 public:
  void OnRequest(const HttpRequest& request) override {
    FuzzCheck(request.end_ns >= request.start_ns, "ends before it starts");
    FuzzCheck(request.status <= 599, "status out of range");
    FuzzCheck(request.no_answer != NoAnswer::kNone || request.status >= 100, "an answer without a status");
    FuzzCheck(request.role != probe::Role::kUnknown, "a request without a role");
    FuzzCheck(!request.method.empty() && request.path.size() <= 1'024, "shape");
  }
  void OnCall(const Call&) override { FuzzCheck(false, "HTTP tells no calls"); }
};

probe::Role RoleOf(std::uint8_t setup) { return static_cast<probe::Role>(setup % 3); }

}  // namespace
}  // namespace wiregauge::match

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::match;
  Listener listener;
  return FuzzConnection<HttpConnection>(wiregauge::Bytes(data, size), listener, RoleOf);
}
