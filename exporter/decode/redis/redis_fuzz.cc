// Fuzz target: one direction of a Redis connection. Checks that commands and answers are what they may be.
#include <cstdint>
#include <string>

#include "exporter/decode/decoder_fuzz.h"
#include "exporter/decode/redis/decoder.h"

namespace wiregauge::decode::redis {
namespace {

class Listener final : public RequestHandler, public AnswerHandler, public FuzzEvents {
 public:
  void OnRequest(const Request& request, std::uint64_t) override {
    FuzzCheck(request.command < kCommands.size(), "no such command");
    events += "r" + std::string(InfoOf(request.command).name) + std::to_string(request.arguments) + "," +
              std::to_string(request.blocks_ns) + "," + std::to_string(static_cast<int>(request.reply_mode));
  }
  void OnAnswer(const Answer& answer) override {
    FuzzCheck(answer.error.size() <= kErrorWordBytesMax, "a long word");
    events += std::string("a") + answer.type + std::to_string(static_cast<int>(answer.pubsub)) + "," +
              std::to_string(answer.subscriptions) + std::string(answer.error) + std::string(answer.element_error);
    events += answer.queued ? "q" : "";
    events += answer.no_channel ? "n" : "";
  }
  void OnLost(const Request*, std::uint64_t) override { lost = true; }
  void OnLost(bool) override { lost = true; }
  void OnMalformed() override { events += "m"; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override { CountUnparsed(reason, bytes); }
};

struct Tested : FuzzedDirections<RequestDecoder, AnswerDecoder, Listener> {
  static constexpr std::uint8_t kSignals = 0xfd;

  explicit Tested(std::uint8_t setup) : FuzzedDirections((setup & 1) != 0, (setup & 2) != 0) {}

  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t told) {
    of_requests ? requests.OnGap(length, tail, told, listener) : answers.OnGap(length, tail, listener);
  }
  void OnClose() { of_requests ? requests.OnClose(listener) : answers.OnClose(listener); }
  // The client went on.
  bool Signal(std::uint8_t) {
    answers.RequestPassed();
    return false;
  }
};

}  // namespace
}  // namespace wiregauge::decode::redis

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode;
  return FuzzDecoder<redis::Tested>(wiregauge::Bytes(data, size), [](std::uint8_t setup) { return (setup & 2) != 0; });
}
