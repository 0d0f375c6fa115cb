// Fuzz target: records of one HTTP/2 connection, begun by itself or by an upgrade, in any order and with any sequence
// numbers. Checks that what is told is possible.
#include "exporter/match/conversation_fuzz.h"
#include "exporter/match/http2/conversation.h"

namespace wiregauge::match::http2 {
namespace {

constexpr std::uint8_t kUpgraded = 32;

class Listener final : public Sink {
 public:
  void OnRequest(const HttpRequest& request) override {
    FuzzCheck(request.end_ns >= request.start_ns, "ends before it starts");
    FuzzCheck(request.status <= 599, "status out of range");
    FuzzCheck(request.major_version == 2 && request.minor_version == 0, "version");
    FuzzCheck(!request.method.empty() && request.path.size() <= 1'024, "shape");
    FuzzCheck(request.error.empty() || request.no_answer == NoAnswer::kReset, "an error that ended nothing");
  }
  void OnCall(const Call& call) override {
    FuzzCheck(call.end_ns >= call.start_ns, "a call ends before it starts");
    FuzzCheck(call.system == System::kGrpc && call.operation.size() <= 1'024, "shape of a call");
    FuzzCheck(call.error.empty() || call.error == call.code, "an error without its code");
    FuzzCheck(call.code.empty() || call.no_answer == NoAnswer::kNone, "a code without an answer");
  }
};

void Make(std::optional<Conversation>& made, std::uint8_t setup, const probe::OpenRecord& open, const Options& options,
          decode::MemoryBudget& budget) {
  if ((setup & kUpgraded) == 0) {
    made.emplace(open, options, budget);
    return;
  }
  HttpRequest upgraded;
  upgraded.path = "/upgraded";
  made.emplace(open, options, budget, upgraded);
}

}  // namespace
}  // namespace wiregauge::match::http2

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::match;
  http2::Listener listener;
  return FuzzConnection<http2::Conversation>(wiregauge::Bytes(data, size), listener, FuzzClientIfOdd, http2::Make);
}
