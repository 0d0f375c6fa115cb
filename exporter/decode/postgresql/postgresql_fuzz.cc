// Fuzz target: one direction of a PostgreSQL connection. Checks that messages have their shape.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "exporter/decode/decoder_fuzz.h"
#include "exporter/decode/postgresql/decoder.h"

namespace wiregauge::decode::postgresql {
namespace {

class Listener final : public Handler, public FuzzEvents {
 public:
  void OnClientMessage(const ClientMessage& message) override {
    events += message.type == '\0' ? 'o' : message.type;
    events += OperationName(message.operation);
    events += message.table.text();
    events += std::to_string(message.statement) + "," + std::to_string(message.portal);
    FuzzCheck((message.type == '\0') == (message.opening != Opening::kNone), "a message without a type");
  }
  void OnServerMessage(const ServerMessage& message) override {
    events += message.type;
    events += message.code;
    events += message.command_tag;
    FuzzCheck(message.code.empty() || message.code.size() == 5, "code");
    FuzzCheck(message.command_tag.size() < kCommandTagBytesMax, "tag");
    FuzzCheck(!message.after_loss || lost, "found without a loss");
    OperationOfCommandTag(message.command_tag);
  }
  void OnEncryptionAnswer(char answer) override {
    events += answer;
    if (answer != 'N') decoder->StopDecoding(Unparsed::kEncrypted, *this);
  }
  bool OnLost(Unparsed) override {
    lost = true;
    return holds;
  }
  void OnNotPostgresql() override { events += "no"; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override { CountUnparsed(reason, bytes); }

  Decoder* decoder = nullptr;
  bool holds = false;
};

struct Tested : FuzzedDirection<Decoder, Listener> {
  static constexpr std::uint8_t kSignals = 0xfc;

  explicit Tested(std::uint8_t setup)
      : FuzzedDirection((setup & 1) != 0 ? Sender::kServer : Sender::kClient, (setup & 2) != 0) {
    listener.decoder = &decoder;
    listener.lost = (setup & 2) != 0;
    listener.holds = (setup & 16) != 0;
    if ((setup & 4) != 0) decoder.Confirm();
    if ((setup & 8) != 0) decoder.ExpectEncryptionAnswer();
  }

  // 0xfd: a message is due. 0xfc: a loss that is held was known.
  bool Signal(std::uint8_t op) {
    op == 0xfd ? decoder.ExpectMessage() : decoder.EndLoss(true, listener);
    return false;
  }
};

void Guess(Bytes first) {
  for (const bool mid_stream : {false, true}) {
    LooksLikeRequests(first, mid_stream);
    LooksLikeAnswers(first, mid_stream);
  }
}

}  // namespace
}  // namespace wiregauge::decode::postgresql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode;
  if (size > 1) postgresql::Guess(wiregauge::Bytes(data, size).subspan(1, std::min<std::size_t>(size - 1, 256)));
  return FuzzDecoder<postgresql::Tested>(wiregauge::Bytes(data, size), [](std::uint8_t) { return false; });
}
