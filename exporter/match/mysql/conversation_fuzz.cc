// Fuzz target: records of one MySQL connection, in any order and with any sequence numbers. Checks that no request is
// told that did not begin, that times are in order, and that calls have their shape.
#include "exporter/match/mysql/conversation.h"

#include "exporter/match/conversation_fuzz.h"

namespace wiregauge::match::mysql {
namespace {

class Listener final : public FuzzListener {
 public:
  Listener() : FuzzListener(System::kMysql) {}
  void OnCall(const Call& call) override {
    FuzzListener::OnCall(call);
    FuzzCheck(call.operation.size() <= 32, "operation");
    FuzzCheck(call.destination.size() <= decode::sql::TableName::kTableBytesMax, "destination");
    FuzzCheck(call.error == call.code || (call.code.empty() && call.error == "_OTHER"), "an error, its number unseen");
    FuzzCheck(call.error.empty() || call.no_answer == NoAnswer::kNone, "an error without an answer");
  }
};

}  // namespace
}  // namespace wiregauge::match::mysql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::match;
  mysql::Listener listener;
  return FuzzConnection<mysql::Conversation>(wiregauge::Bytes(data, size), listener, FuzzServerIfOdd);
}
