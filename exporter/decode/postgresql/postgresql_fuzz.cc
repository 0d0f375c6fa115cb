// Fuzz target: one direction of a PostgreSQL connection, with splits and gaps chosen by the input. Each op is a byte
// and its bytes: see Play. Checks that every byte told is accounted for once, that what is told has its shape, and that
// a run means the same when it comes byte by byte.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "exporter/decode/postgresql/decoder.h"

namespace wiregauge::decode::postgresql {
namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

class Listener final : public Handler {
 public:
  void OnClientMessage(const ClientMessage& message) override {
    events += message.type == '\0' ? 'o' : message.type;
    events += OperationName(message.operation);
    events += message.table.text();
    events += std::to_string(message.statement) + "," + std::to_string(message.portal);
    Check((message.type == '\0') == (message.opening != Opening::kNone), "a message without a type");
  }
  void OnServerMessage(const ServerMessage& message) override {
    events += message.type;
    events += message.code;
    events += message.command_tag;
    Check(message.code.empty() || message.code.size() == 5, "code");
    Check(message.command_tag.size() < kCommandTagBytesMax, "tag");
    Check(!message.after_loss || lost, "found without a loss");
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
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    Check(static_cast<std::size_t>(reason) < kUnparsedReasons, "unknown reason");
    Check(bytes > 0, "zero unparsed bytes");
    unparsed += bytes;
  }

  Decoder* decoder = nullptr;
  std::string events;
  std::uint64_t unparsed = 0;
  bool lost = false;
  bool holds = false;
};

// One decoder fed by the ops. With `bytewise` each run comes byte by byte; only said of inputs without gaps.
struct Player {
  Player(std::uint8_t setup, bool bytewise_runs)
      : bytewise(bytewise_runs), decoder((setup & 1) != 0 ? Sender::kServer : Sender::kClient, (setup & 2) != 0) {
    listener.decoder = &decoder;
    listener.lost = (setup & 2) != 0;
    listener.holds = (setup & 16) != 0;
    if ((setup & 4) != 0) decoder.Confirm();
    if ((setup & 8) != 0) decoder.ExpectEncryptionAnswer();
  }

  void Run(Bytes bytes) {
    told += bytes.size();
    if (!bytewise) return Feed(bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) Feed(bytes.subspan(i, 1));
  }
  void Feed(Bytes bytes) {
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
    if (!bytewise) Check(parsed + listener.unparsed + decoder.pending_bytes() == told, "bytes not accounted for");
  }

  bool bytewise;
  Decoder decoder;
  Listener listener;
  std::uint64_t told = 0;
  std::uint64_t parsed = 0;
};

// Ops: 0xff length(2): a gap. 0xfe length(2) size: a gap with a tail of size % 9 bytes that follow. 0xfd: a message is
// due. 0xfc: a loss that is held was known. Else: a run of up to 8 * (op + 1) bytes. True when there were no gaps.
bool Play(ByteReader reader, Player& player) {
  bool plain = true;
  while (reader.ok() && reader.remaining() > 0) {
    const auto op = reader.Read<std::uint8_t>();
    if (op >= 0xfc) plain = false;
    if (op >= 0xfe) {
      const auto length = reader.Read<std::uint16_t>();
      const std::size_t tail_size = op == 0xfe ? reader.Read<std::uint8_t>() % 9u : 0;
      const Bytes tail = reader.Take(std::min<std::size_t>({tail_size, reader.remaining(), length}));
      if (reader.ok() && length > 0) player.Gap(length, tail);
    } else if (op == 0xfd) {
      player.decoder.ExpectMessage();
    } else if (op == 0xfc) {
      player.decoder.EndLoss(true, player.listener);
    } else {
      const Bytes run = reader.Take(std::min<std::size_t>(8u * (op + 1u), reader.remaining()));
      if (!run.empty()) player.Run(run);
    }
  }
  player.decoder.OnClose(player.listener);
  player.Account();
  Check(player.bytewise || player.decoder.pending_bytes() == 0, "bytes pending after the close");
  return plain;
}

}  // namespace
}  // namespace wiregauge::decode::postgresql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode::postgresql;
  if (size == 0) return 0;
  const wiregauge::Bytes ops = wiregauge::Bytes(data, size).subspan(1);
  Player whole(data[0], false);
  const bool plain = Play(wiregauge::ByteReader(ops), whole);
  if (plain && !whole.listener.lost) {  // a search sees only one run at a time
    Player bytewise(data[0], true);
    Play(wiregauge::ByteReader(ops), bytewise);
    Check(whole.listener.events == bytewise.listener.events, "a split changes what is decoded");
    Check(whole.parsed == bytewise.parsed, "a split changes what is parsed");
  }
  const wiregauge::Bytes first = ops.first(std::min<std::size_t>(ops.size(), 256));
  if (!first.empty()) {
    for (const bool mid_stream : {false, true}) {
      LooksLikeRequests(first, mid_stream);
      LooksLikeAnswers(first, mid_stream);
    }
  }
  return 0;
}
