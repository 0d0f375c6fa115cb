// Fuzz target: one direction of an HTTP/1 connection, with splits and gaps chosen by the input. Each op is a byte and
// its bytes: see Play. Checks that every byte told is accounted for once, that events come in a possible order, and
// that a run means the same when it comes byte by byte.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "exporter/decode/http1/decoder.h"

namespace wiregauge::decode::http1 {
namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

class Listener final : public Handler {
 public:
  explicit Listener(Method answered) : answered_(answered) {}

  void OnRequestLine(const RequestLine& line, std::uint64_t) override {
    Check(line.path.size() <= kPathMax, "path over its limit");
    Check(line.path.find('?') == std::string_view::npos, "query in a path");
    events += "r" + std::string(MethodName(line.method)) + std::string(line.path);
    Begin();
  }
  void OnTrace(const Trace& trace) override {
    Check(open_ && events.find('s') == std::string::npos, "a trace outside a request's head");
    events += "t" + std::to_string(trace.trace_id[0]);
  }
  Method OnStatusLine(const StatusLine& line) override {
    Check(line.status >= 100 && line.status <= 599, "status out of range");
    events += "s" + std::to_string(line.status);
    Begin();
    return answered_;
  }
  void OnMessageEnd() override {
    events += "e";
    Check(open_, "an end without a beginning");
    open_ = false;
  }
  void OnLost(Loss loss) override {
    if (loss != Loss::kPerhaps) events += "l";
    if (loss == Loss::kMessageOpen) Check(open_, "lost a message that is not open");
  }
  void OnNotHttp() override { events += "n"; }
  void OnSwitch(Unparsed reason) override {
    events += "w";
    decoder->StopDecoding(reason, *this);
  }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    Check(static_cast<std::size_t>(reason) < kUnparsedReasons, "unknown reason");
    Check(bytes > 0, "zero unparsed bytes");
    unparsed += bytes;
  }

  Decoder* decoder = nullptr;
  std::string events;
  std::uint64_t unparsed = 0;

 private:
  void Begin() {
    Check(!open_, "a beginning inside a message");
    open_ = true;
  }

  Method answered_;
  bool open_ = false;
};

// One decoder fed by the ops. With `bytewise` each run comes byte by byte; only said of inputs without gaps.
struct Player {
  Player(std::uint8_t setup, bool bytewise_runs)
      : bytewise(bytewise_runs),
        decoder(static_cast<Kind>(setup % 3), (setup & 4) != 0),
        listener(static_cast<Method>((setup >> 3) % kMethodNames.size())) {
    listener.decoder = &decoder;
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

// Ops: 0xff length(2): a gap. 0xfe length(2) size: a gap with a tail of size % 9 bytes that follow. 0xfd: the CONNECT
// was refused. 0xfc: the peer went on after a lost end. Else: a run of up to 8 * (op + 1) bytes. True when there were
// no gaps or signals.
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
      player.decoder.OnConnectRefused();
    } else if (op == 0xfc) {
      player.decoder.EndLostMessage(player.listener);
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
}  // namespace wiregauge::decode::http1

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode::http1;
  if (size == 0) return 0;
  const wiregauge::Bytes ops = wiregauge::Bytes(data, size).subspan(1);
  Player whole(data[0], false);
  const bool plain = Play(wiregauge::ByteReader(ops), whole);
  const bool mid_stream = (data[0] & 4) != 0;
  const bool searched = whole.listener.events.find('l') != std::string::npos;
  if (plain && !mid_stream && !searched) {  // a search sees only one run at a time
    Player bytewise(data[0], true);
    Play(wiregauge::ByteReader(ops), bytewise);
    Check(whole.listener.events == bytewise.listener.events, "a split changes what is decoded");
    Check(whole.parsed == bytewise.parsed, "a split changes what is parsed");
  }
  return 0;
}
