// Fuzz target: one direction of an MQTT connection. Checks that packets are what they may be.
#include <cstdint>
#include <string>

#include "exporter/decode/decoder_fuzz.h"
#include "exporter/decode/mqtt/decoder.h"

namespace wiregauge::decode::mqtt {
namespace {

class Listener final : public Handler, public FuzzEvents {
 public:
  void OnPacket(const Packet& packet) override {
    FuzzCheck(packet.topic.size() <= kTopicBytesMax, "a topic's length");
    FuzzCheck(packet.qos <= 2 && packet.code <= 255, "a field out of its range");
    FuzzCheck(packet.last_byte_ns >= packet.first_byte_ns, "ends before it starts");
    events += "p" + std::to_string(static_cast<int>(packet.type)) + "," + std::to_string(packet.id) + "," +
              std::to_string(packet.code) + "," + std::to_string(packet.alias) + "," + std::string(packet.topic) + "," +
              std::to_string(static_cast<int>(packet.walk));
    if (packet.level != 0) decoder->SetLevel(packet.level);
  }
  void OnLost() override { lost = true; }
  void OnNotMqtt() override { events += "n"; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override { CountUnparsed(reason, bytes); }

  Decoder* decoder = nullptr;
};

struct Tested : FuzzedDirection<Decoder, Listener> {
  static constexpr bool kSplitsParseAlike = false;  // of a malformed message, what came before it showed

  explicit Tested(std::uint8_t setup)
      : FuzzedDirection((setup & 1) != 0 ? Side::kServer : Side::kClient, (setup & 4) != 0) {
    listener.decoder = &decoder;
    if ((setup & 2) != 0) decoder.ConfirmMqtt();
    decoder.SetLevel(static_cast<std::uint8_t>(setup >> 3 & 7));
  }
};

}  // namespace
}  // namespace wiregauge::decode::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode;
  return FuzzDecoder<mqtt::Tested>(wiregauge::Bytes(data, size), [](std::uint8_t setup) { return (setup & 4) != 0; });
}
