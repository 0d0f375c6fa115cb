// Fuzz target: one direction of an HTTP/1 connection. Checks that events come in a possible order and are what they may
// be.
#include <cstdint>
#include <string>

#include "exporter/decode/decoder_fuzz.h"
#include "exporter/decode/http1/decoder.h"

namespace wiregauge::decode::http1 {
namespace {

class Listener final : public Handler, public FuzzEvents {
 public:
  void OnRequestLine(const RequestLine& line, std::uint64_t) override {
    FuzzCheck(line.path.size() <= kPathMax, "path over its limit");
    FuzzCheck(line.path.find('?') == std::string_view::npos, "query in a path");
    events += "r" + std::string(MethodName(line.method)) + std::string(line.path);
    Begin();
  }
  void OnTrace(const Trace& trace) override {
    FuzzCheck(open_ && events.find('s') == std::string::npos, "a trace outside a request's head");
    events += "t" + std::to_string(trace.trace_id[0]);
  }
  Method OnStatusLine(const StatusLine& line) override {
    FuzzCheck(line.status >= 100 && line.status <= 599, "status out of range");
    events += "s" + std::to_string(line.status);
    Begin();
    return answered;
  }
  void OnMessageEnd() override {
    events += "e";
    FuzzCheck(open_, "an end without a beginning");
    open_ = false;
  }
  void OnLost(Loss loss) override {
    lost = lost || loss != Loss::kPerhaps;
    if (loss == Loss::kMessageOpen) FuzzCheck(open_, "lost a message that is not open");
  }
  void OnNotHttp() override { events += "n"; }
  void OnSwitch(Unparsed reason) override {
    events += "w";
    decoder->StopDecoding(reason, *this);
  }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override { CountUnparsed(reason, bytes); }

  Decoder* decoder = nullptr;
  Method answered{};

 private:
  void Begin() {
    FuzzCheck(!open_, "a beginning inside a message");
    open_ = true;
  }

  bool open_ = false;
};

struct Tested : FuzzedDirection<Decoder, Listener> {
  static constexpr std::uint8_t kSignals = 0xfc;

  explicit Tested(std::uint8_t setup) : FuzzedDirection(static_cast<Kind>(setup % 3), (setup & 4) != 0) {
    listener.answered = static_cast<Method>((setup >> 3) % kMethodNames.size());
    listener.decoder = &decoder;
  }

  // 0xfd: the CONNECT was refused. 0xfc: the peer went on after a lost end.
  bool Signal(std::uint8_t op) {
    op == 0xfd ? decoder.OnConnectRefused() : decoder.EndLostMessage(listener);
    return false;
  }
};

}  // namespace
}  // namespace wiregauge::decode::http1

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode;
  return FuzzDecoder<http1::Tested>(wiregauge::Bytes(data, size), [](std::uint8_t setup) { return (setup & 4) != 0; });
}
