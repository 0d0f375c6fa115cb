// Fuzz target: one direction of a memcached connection. Checks that commands and answers are what they may be.
#include <cstdint>
#include <string>

#include "exporter/decode/decoder_fuzz.h"
#include "exporter/decode/memcached/decoder.h"

namespace wiregauge::decode::memcached {
namespace {

class Listener final : public RequestHandler, public AnswerHandler, public FuzzEvents {
 public:
  void OnRequest(const Request& request, std::uint64_t) override {
    events += "r" + std::string(CommandName(request.command)) + (request.noreply ? "n" : "") +
              (request.quiet ? "q" : "") + std::to_string(request.opaque) + "," + std::to_string(request.key);
  }
  void OnAnswer(const Answer& answer) override {
    events +=
        "a" + std::string(CodeName(answer.code)) + std::to_string(answer.opaque) + "," + std::to_string(answer.key);
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
}  // namespace wiregauge::decode::memcached

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode;
  return FuzzDecoder<memcached::Tested>(wiregauge::Bytes(data, size),
                                        [](std::uint8_t setup) { return (setup & 2) != 0; });
}
