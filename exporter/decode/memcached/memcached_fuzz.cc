// Fuzz target: one direction of a memcached connection, with splits and gaps chosen by the input. Each op is a byte and
// its bytes: see Play. Checks that every byte told is accounted for once, and that a run means the same when it comes
// byte by byte.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "exporter/decode/memcached/decoder.h"

namespace wiregauge::decode::memcached {
namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

class Listener final : public RequestHandler, public AnswerHandler {
 public:
  void OnRequest(const Request& request, std::uint64_t) override {
    events += "r" + std::string(CommandName(request.command)) + (request.noreply ? "n" : "") +
              (request.quiet ? "q" : "") + std::to_string(request.opaque) + "," + std::to_string(request.key);
  }
  void OnAnswer(const Answer& answer) override {
    events +=
        "a" + std::string(CodeName(answer.code)) + std::to_string(answer.opaque) + "," + std::to_string(answer.key);
  }
  void OnLost(const Request*, std::uint64_t) override { events += "l"; }
  void OnLost(bool) override { events += "l"; }
  void OnMalformed() override { events += "m"; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    Check(static_cast<std::size_t>(reason) < kUnparsedReasons, "unknown reason");
    Check(bytes > 0, "zero unparsed bytes");
    unparsed += bytes;
  }

  std::string events;
  std::uint64_t unparsed = 0;
};

// One decoder fed by the ops. With `bytewise` each run comes byte by byte; only said of inputs without gaps.
struct Player {
  Player(std::uint8_t setup, bool bytewise_runs)
      : bytewise(bytewise_runs), of_requests((setup & 1) != 0), requests((setup & 2) != 0), answers((setup & 2) != 0) {}

  void Run(Bytes bytes) {
    told += bytes.size();
    if (!bytewise) return Feed(bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) Feed(bytes.subspan(i, 1));
  }
  void Feed(Bytes bytes) {
    of_requests ? requests.OnBytes(bytes, told, listener) : answers.OnBytes(bytes, listener);
    Account();
  }
  void Gap(std::uint64_t length, Bytes tail) {
    told += length;
    of_requests ? requests.OnGap(length, tail, told, listener) : answers.OnGap(length, tail, listener);
    Account();
  }
  void Close() {
    of_requests ? requests.OnClose(listener) : answers.OnClose(listener);
    Account();
    Check(pending() == 0, "bytes pending after the close");
  }
  std::uint64_t pending() const { return of_requests ? requests.pending_bytes() : answers.pending_bytes(); }
  void Account() {
    parsed += requests.TakeParsedBytes() + answers.TakeParsedBytes();
    if (!bytewise) Check(parsed + listener.unparsed + pending() == told, "bytes not accounted for");
  }

  bool bytewise;
  bool of_requests;
  RequestDecoder requests;
  AnswerDecoder answers;
  Listener listener;
  std::uint64_t told = 0;
  std::uint64_t parsed = 0;
};

// Ops: 0xff length(2): a gap. 0xfe length(2) size: a gap with a tail of size % 9 bytes that follow. 0xfd: the client
// went on. Else: a run of up to 8 * (op + 1) bytes. True when there were no gaps or signals.
bool Play(ByteReader reader, Player& player) {
  bool plain = true;
  while (reader.ok() && reader.remaining() > 0) {
    const auto op = reader.Read<std::uint8_t>();
    if (op >= 0xfd) plain = false;
    if (op >= 0xfe) {
      const auto length = reader.Read<std::uint16_t>();
      const std::size_t tail_size = op == 0xfe ? reader.Read<std::uint8_t>() % 9u : 0;
      const Bytes tail = reader.Take(std::min<std::size_t>({tail_size, reader.remaining(), length}));
      if (reader.ok() && length > 0) player.Gap(length, tail);
    } else if (op == 0xfd) {
      player.answers.RequestPassed();
    } else {
      const Bytes run = reader.Take(std::min<std::size_t>(8u * (op + 1u), reader.remaining()));
      if (!run.empty()) player.Run(run);
    }
  }
  player.Close();
  return plain;
}

}  // namespace
}  // namespace wiregauge::decode::memcached

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode::memcached;
  if (size == 0) return 0;
  const wiregauge::Bytes ops = wiregauge::Bytes(data, size).subspan(1);
  Player whole(data[0], false);
  const bool plain = Play(wiregauge::ByteReader(ops), whole);
  const bool mid_stream = (data[0] & 2) != 0;
  const bool searched = whole.listener.events.find('l') != std::string::npos;
  if (plain && !mid_stream && !searched) {  // a search sees only one run at a time
    Player bytewise(data[0], true);
    Play(wiregauge::ByteReader(ops), bytewise);
    Check(whole.listener.events == bytewise.listener.events, "a split changes what is decoded");
    Check(whole.parsed == bytewise.parsed, "a split changes what is parsed");
  }
  return 0;
}
