// Fuzz target: one direction of an MQTT connection, with splits and gaps chosen by the input. Each op is a byte and its
// bytes: see Play. Checks that every byte told is accounted for once and that a run means the same when it comes byte
// by byte.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "exporter/decode/mqtt/decoder.h"

namespace wiregauge::decode::mqtt {
namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

class Listener final : public Handler {
 public:
  void OnPacket(const Packet& packet) override {
    Check(packet.topic.size() <= kTopicBytesMax, "a topic's length");
    Check(packet.qos <= 2 && packet.code <= 255, "a field out of its range");
    Check(packet.last_byte_ns >= packet.first_byte_ns, "ends before it starts");
    events += "p" + std::to_string(static_cast<int>(packet.type)) + "," + std::to_string(packet.id) + "," +
              std::to_string(packet.code) + "," + std::to_string(packet.alias) + "," + std::string(packet.topic) + "," +
              std::to_string(static_cast<int>(packet.walk));
    if (packet.level != 0) decoder->SetLevel(packet.level);
  }
  void OnLost() override { events += "l"; }
  void OnNotMqtt() override { events += "n"; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    Check(static_cast<std::size_t>(reason) < kUnparsedReasons, "unknown reason");
    Check(bytes > 0, "zero unparsed bytes");
    unparsed += bytes;
  }

  Decoder* decoder = nullptr;
  std::string events;
  std::uint64_t unparsed = 0;
};

// One decoder fed by the ops. With `bytewise` each run comes byte by byte; only said of inputs without gaps.
struct Player {
  Player(std::uint8_t setup, bool bytewise_runs)
      : bytewise(bytewise_runs), decoder((setup & 1) != 0 ? Side::kServer : Side::kClient, (setup & 4) != 0) {
    listener.decoder = &decoder;
    if ((setup & 2) != 0) decoder.ConfirmMqtt();
    decoder.SetLevel(static_cast<std::uint8_t>(setup >> 3 & 7));
  }

  void Run(Bytes bytes) {
    if (!bytewise) return Feed(bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) Feed(bytes.subspan(i, 1));
  }
  void Feed(Bytes bytes) {
    told += bytes.size();
    decoder.OnBytes(bytes, told, listener);
    Account();
  }
  void Gap(std::uint64_t length, Bytes tail) {
    told += length;
    decoder.OnGap(length, tail, told, listener);
    Account();
  }
  void Account() {
    parsed += decoder.TakeParsedBytes();
    Check(parsed + listener.unparsed + decoder.pending_bytes() == told, "bytes not accounted for");
  }

  bool bytewise;
  Decoder decoder;
  Listener listener;
  std::uint64_t told = 0;
  std::uint64_t parsed = 0;
};

// Ops: 0xff length(2): a gap. 0xfe length(2) size: a gap with a tail of size % 9 bytes that follow. Else: a run of up
// to 8 * (op + 1) bytes. True when there were no gaps.
bool Play(ByteReader reader, Player& player) {
  bool plain = true;
  while (reader.ok() && reader.remaining() > 0) {
    const auto op = reader.Read<std::uint8_t>();
    if (op >= 0xfe) {
      plain = false;
      const auto length = reader.Read<std::uint16_t>();
      const std::size_t tail_size = op == 0xfe ? reader.Read<std::uint8_t>() % 9u : 0;
      const Bytes tail = reader.Take(std::min<std::size_t>({tail_size, reader.remaining(), length}));
      if (reader.ok() && length > 0) player.Gap(length, tail);
    } else {
      const Bytes run = reader.Take(std::min<std::size_t>(8u * (op + 1u), reader.remaining()));
      if (!run.empty()) player.Run(run);
    }
  }
  player.decoder.OnClose(player.listener);
  player.Account();
  Check(player.decoder.pending_bytes() == 0, "bytes pending after the close");
  return plain;
}

}  // namespace
}  // namespace wiregauge::decode::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode::mqtt;
  if (size == 0) return 0;
  const wiregauge::Bytes ops = wiregauge::Bytes(data, size).subspan(1);
  Player whole(data[0], false);
  const bool plain = Play(wiregauge::ByteReader(ops), whole);
  const bool searched = (data[0] & 4) != 0 || whole.listener.events.find('l') != std::string::npos;
  if (plain && !searched) {  // a search sees only one run at a time
    Player bytewise(data[0], true);
    Play(wiregauge::ByteReader(ops), bytewise);
    Check(whole.listener.events == bytewise.listener.events, "a split changes what is decoded");
  }
  return 0;
}
