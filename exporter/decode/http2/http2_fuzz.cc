// Fuzz target: one direction of an HTTP/2 connection. Checks that sections are what they may be.
#include <cstdint>
#include <string>

#include "exporter/decode/decoder_fuzz.h"
#include "exporter/decode/http2/decoder.h"

namespace wiregauge::decode::http2 {
namespace {

class Listener final : public Handler, public FuzzEvents {
 public:
  void OnSection(Section& section) override {
    const Fields& fields = section.fields;
    FuzzCheck(!section.lost || (!fields.path && !fields.has_method && fields.status == 0), "fields of a lost section");
    FuzzCheck(fields.status == 0 || (fields.status >= 100 && fields.status <= 599), "status out of range");
    FuzzCheck(fields.grpc_status < 17, "grpc-status out of range");
    FuzzCheck(!fields.trace || fields.trace.text().size() == 24, "trace");
    FuzzCheck(section.first_byte_ns > 0, "no time");
    Add("s", section.stream, section.end_stream);
    if (fields.path) {
      FuzzCheck(fields.path.text().size() <= http1::kPathMax, "path over its limit");
      FuzzCheck(fields.path.text().find('?') == std::string_view::npos, "query in a path");
      events += fields.path.text();
    }
    events += std::to_string(fields.status);
  }
  void OnData(const Data& data) override { Add("d", data.stream, data.end_stream); }
  void OnReset(std::uint32_t stream, std::uint32_t error) override {
    FuzzCheck(stream != 0, "reset of no stream");
    Add("r", stream, false);
    events += ErrorName(error);
  }
  void OnGoAway(std::uint32_t last_stream, std::uint32_t) override { Add("g", last_stream, false); }
  void OnLost() override {
    events += "l";
    lost = true;
  }
  void OnNotHttp2() override { events += "n"; }
  void OnHttp2() override {}
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override { CountUnparsed(reason, bytes); }
  [[nodiscard]] bool IsOpen(std::uint32_t stream) const override { return stream % 4 == 1; }

 private:
  void Add(const char* what, std::uint32_t stream, bool end) {
    events += what + std::to_string(stream) + (end ? "e" : "");
  }
};

struct Budget {
  explicit Budget(std::uint8_t setup) : budget((setup & 8) != 0 ? 500 : 1u << 20) {}
  MemoryBudget budget;
};

struct Tested : Budget, FuzzedDirection<Decoder, Listener> {  // in this order: the decoder gives back what it took
  explicit Tested(std::uint8_t setup)
      : Budget(setup), FuzzedDirection((setup & 1) != 0 ? From::kServer : From::kClient, (setup & 4) != 0, budget) {
    if ((setup & 2) != 0) decoder.ConfirmHttp2();
  }
};

}  // namespace
}  // namespace wiregauge::decode::http2

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode;
  return FuzzDecoder<http2::Tested>(wiregauge::Bytes(data, size), [](std::uint8_t setup) { return (setup & 4) != 0; });
}
