// Fuzz target: one direction of an HTTP/2 connection, with splits and gaps chosen by the input. Each op is a byte and
// its bytes: see Play. Checks that every byte told is accounted for once, and that a run means the same when it comes
// byte by byte.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "exporter/decode/http2/decoder.h"

namespace wiregauge::decode::http2 {
namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

class Listener final : public Handler {
 public:
  void OnSection(Section& section) override {
    const Fields& fields = section.fields;
    Check(!section.lost || (!fields.path && !fields.has_method && fields.status == 0), "fields of a lost section");
    Check(fields.status == 0 || (fields.status >= 100 && fields.status <= 599), "status out of range");
    Check(fields.grpc_status < 17, "grpc-status out of range");
    Check(!fields.trace || fields.trace.text().size() == 24, "trace");
    Check(section.first_byte_ns > 0, "no time");
    Add("s", section.stream, section.end_stream);
    if (fields.path) {
      Check(fields.path.text().size() <= http1::kPathMax, "path over its limit");
      Check(fields.path.text().find('?') == std::string_view::npos, "query in a path");
      events += fields.path.text();
    }
    events += std::to_string(fields.status);
  }
  void OnData(const Data& data) override { Add("d", data.stream, data.end_stream); }
  void OnReset(std::uint32_t stream, std::uint32_t error) override {
    Check(stream != 0, "reset of no stream");
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
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    Check(static_cast<std::size_t>(reason) < kUnparsedReasons, "unknown reason");
    Check(bytes > 0, "zero unparsed bytes");
    unparsed += bytes;
  }
  [[nodiscard]] bool IsOpen(std::uint32_t stream) const override { return stream % 4 == 1; }

  std::string events;
  std::uint64_t unparsed = 0;
  bool lost = false;

 private:
  void Add(const char* what, std::uint32_t stream, bool end) {
    events += what + std::to_string(stream) + (end ? "e" : "");
  }
};

// One decoder fed by the ops.
struct Player {
  Player(std::uint8_t setup, bool bytewise_runs)
      : bytewise(bytewise_runs),
        budget((setup & 8) != 0 ? 500 : 1u << 20),
        decoder((setup & 1) != 0 ? From::kServer : From::kClient, (setup & 4) != 0, budget) {
    if ((setup & 2) != 0) decoder.ConfirmHttp2();
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
  MemoryBudget budget;
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
}  // namespace wiregauge::decode::http2

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode::http2;
  if (size == 0) return 0;
  const wiregauge::Bytes ops = wiregauge::Bytes(data, size).subspan(1);
  Player whole(data[0], false);
  const bool plain = Play(wiregauge::ByteReader(ops), whole);
  const bool mid_stream = (data[0] & 4) != 0;
  if (plain && !mid_stream && !whole.listener.lost) {  // a search sees only one run at a time
    Player bytewise(data[0], true);
    Play(wiregauge::ByteReader(ops), bytewise);
    Check(whole.listener.events == bytewise.listener.events, "a split changes what is decoded");
    Check(whole.parsed == bytewise.parsed, "a split changes what is parsed");
  }
  return 0;
}
