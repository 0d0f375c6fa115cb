// Fuzz target: a DNS message, and the same bytes as a stream with splits and gaps. Checks that names keep their limits,
// that every byte is accounted for, and that search steps need two different names.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "exporter/decode/dns/decoder.h"
#include "exporter/decode/dns/parse.h"

namespace wiregauge::decode::dns {
namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

class Listener final : public Handler {
 public:
  void OnMessage(Bytes message, std::uint64_t first_byte_ns) override {
    Check(message.size() <= Decoder::kMessageKept && first_byte_ns > 0, "message");
  }
  void OnLost() override {}
  void OnUnparsed(Unparsed /*reason*/, std::uint64_t bytes) override { unparsed += bytes; }
  std::uint64_t unparsed = 0;
};

void CheckMessage(Bytes bytes) {
  const auto message = ParseMessage(bytes);
  if (!message) return;
  Check(message->question.size <= kNameMax && message->address_count <= kAddressesMax, "limits");
  for (const char c : message->question.view()) Check(c > ' ' && c < 0x7f && !(c >= 'A' && c <= 'Z'), "masked");
  Check(!IsSearchStep(message->question.view(), message->question.view()), "a step from a name to itself");
}

// Each op: a byte (its lowest bit: a gap) and a length.
void CheckStream(Bytes bytes) {
  Listener listener;
  Decoder decoder;
  std::uint64_t told = 0, parsed = 0;
  ByteReader reader(bytes);
  while (reader.remaining() >= 2) {
    const auto op = reader.Read<std::uint8_t>();
    const auto length = reader.Read<std::uint8_t>();
    if ((op & 1) != 0) {
      decoder.OnGap(1u + length * 3u, listener);
      told += 1u + length * 3u;
    } else {
      const Bytes run = reader.Take(std::min<std::size_t>(length, reader.remaining()));
      if (!run.empty()) decoder.OnBytes(run, 1, listener);
      told += run.size();
    }
    parsed += decoder.TakeParsedBytes();
    Check(parsed + listener.unparsed + decoder.pending_bytes() == told, "bytes not accounted for");
  }
  decoder.OnClose(listener);
  Check(parsed + listener.unparsed == told, "bytes not accounted for at the close");
}

}  // namespace
}  // namespace wiregauge::decode::dns

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode::dns;
  const wiregauge::Bytes bytes(data, size);
  CheckMessage(bytes);
  LooksLikeRequests(bytes, false);
  LooksLikeAnswers(bytes, true);
  CheckStream(bytes);
  return 0;
}
