// Fuzz target: records of one PostgreSQL connection, in any order and with any sequence numbers. Checks that times are
// in order and that calls have their shape.
#include "exporter/match/postgresql/conversation.h"

#include "exporter/match/conversation_fuzz.h"

namespace wiregauge::match::postgresql {
namespace {

class Listener final : public FuzzListener {
 public:
  Listener() : FuzzListener(System::kPostgresql) {}
  void OnCall(const Call& call) override {
    FuzzListener::OnCall(call);
    FuzzCheck(call.destination.size() <= decode::sql::TableName::kTableBytesMax, "table");
    FuzzCheck(call.code.empty() || (call.code.size() == 5 && call.error == call.code), "code");
    FuzzCheck(call.no_answer == NoAnswer::kNone || call.error.empty(), "an error without an answer");
  }
};

}  // namespace
}  // namespace wiregauge::match::postgresql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::match;
  postgresql::Listener listener;
  return FuzzConnection<postgresql::Conversation>(wiregauge::Bytes(data, size), listener, FuzzServerIfOdd);
}
