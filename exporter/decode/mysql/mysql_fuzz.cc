// Fuzz target: one direction of a MySQL connection, with splits and gaps chosen by the input. The first byte chooses
// the direction and how it began; each op is a byte and its bytes: see Play. Checks that every byte told is accounted
// for once, that events come in a possible order, and that a run means the same when it comes byte by byte.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "exporter/decode/mysql/answer_decoder.h"
#include "exporter/decode/mysql/request_decoder.h"

namespace wiregauge::decode::mysql {
namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

class Listener final : public RequestHandler, public AnswerHandler {
 public:
  void OnLogin(const Login& login, std::uint64_t) override {
    events += login.tls ? "t" : "l";
    if (login.tls) requests->StopDecoding(Unparsed::kEncrypted, *this);
  }
  void OnRequest(const Request& request, std::uint64_t) override {
    events += "[" + std::to_string(static_cast<int>(request.command)) + " " +
              std::string(VerbName(request.statement.verb)) + " " + std::string(request.statement.table.text()) + " " +
              std::to_string(request.statement_id) + "]";
  }
  void OnRequestsLost() override { lost = true; }
  void OnGreeting(const Greeting&) override { events += "g"; }  // what is known of it depends on splits
  Expected OnAnswer() override {
    Check(!open, "an answer begins inside another");
    const auto expected = static_cast<Expected>(next_expected++ % 9);
    open = expected != Expected::kNothing;
    events += "(" + std::to_string(static_cast<int>(expected));
    return expected;
  }
  void OnExchange() override {
    Check(open, "an exchange outside of an answer");
    events += "x";
  }
  void OnAnswerEnd(const Answer& answer) override {
    Check(open, "an end without a beginning");
    open = false;
    events += std::to_string(answer.error) + (answer.prepared ? "p" : "") + std::to_string(answer.statement_id) + ")";
  }
  void OnAnswersLost() override { Lose(); }
  bool OnEndLost() override {
    Check(open, "a lost end without a beginning");
    if (goes_on_without_end) return true;
    Lose();
    return false;
  }
  void OnNotMysql() override {
    events += "n";
    lost = true;
    open = false;
  }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    Check(static_cast<std::size_t>(reason) < kUnparsedReasons, "unknown reason");
    Check(bytes > 0, "zero unparsed bytes");
    unparsed += bytes;
  }

  RequestDecoder* requests = nullptr;
  std::string events;
  std::uint64_t unparsed = 0;
  unsigned next_expected = 0;
  bool goes_on_without_end = false;
  bool open = false;
  bool lost = false;

 private:
  void Lose() {
    events += "!";
    open = false;
    lost = true;
  }
};

// Decoders of both directions, one of which is fed by the ops. With `bytewise` each run comes byte by byte.
struct Player {
  Player(std::uint8_t setup, bool bytewise_runs)
      : bytewise(bytewise_runs), of_requests((setup & 1) != 0), requests((setup & 2) != 0), answers((setup & 2) != 0) {
    listener.requests = &requests;
    listener.goes_on_without_end = (setup & 4) != 0;
    listener.next_expected = setup >> 4;
    if ((setup & 8) != 0) {
      requests.Confirm();
      answers.Confirm();
    }
  }

  void Run(Bytes bytes) {
    if (!bytewise) return Feed(bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) Feed(bytes.subspan(i, 1));
  }
  void Feed(Bytes bytes) {
    told += bytes.size();
    if (of_requests) {
      requests.OnBytes(bytes, told, listener);
    } else {
      answers.OnBytes(bytes, listener);
    }
    Account();
  }
  void Gap(std::uint64_t length, Bytes tail) {
    told += length;
    if (of_requests) {
      requests.OnGap(length, listener);
    } else {
      answers.OnGap(length, tail, listener);
    }
    Account();
  }
  void Account() {
    parsed += requests.TakeParsedBytes() + answers.TakeParsedBytes();
    Check(parsed + listener.unparsed + Pending() == told, "bytes not accounted for");
  }
  std::uint64_t Pending() const { return requests.pending_bytes() + answers.pending_bytes(); }

  bool bytewise;
  bool of_requests;
  RequestDecoder requests;
  AnswerDecoder answers;
  Listener listener;
  std::uint64_t told = 0;
  std::uint64_t parsed = 0;
};

// Ops: 0xff length(2): a gap. 0xfe length(2) size: a gap with a tail of size % 9 bytes that follow. 0xfd: the peer goes
// on. 0xfc: an exchange begins, or ends. Else: a run of up to 8 * (op + 1) bytes. True when there were only runs.
bool Play(ByteReader reader, Player& player) {
  bool plain = true;
  bool exchange = false;
  while (reader.ok() && reader.remaining() > 0) {
    const auto op = reader.Read<std::uint8_t>();
    if (op >= 0xfe) {
      plain = false;
      const auto length = reader.Read<std::uint16_t>();
      const std::size_t tail_size = op == 0xfe ? reader.Read<std::uint8_t>() % 9u : 0;
      const Bytes tail = reader.Take(std::min<std::size_t>({tail_size, reader.remaining(), length}));
      if (reader.ok() && length > 0) player.Gap(length, tail);
    } else if (op == 0xfd) {
      plain = false;  // a request that is split may be told with less
      player.requests.TellBeginning(player.listener);
      player.requests.EndLostMessage();
      if (player.answers.end_lost()) player.answers.EndLostAnswer(player.listener);
      player.answers.Expect();
      player.Account();
    } else if (op == 0xfc) {
      exchange = !exchange;
      player.requests.SetExchange(exchange);
    } else {
      const Bytes run = reader.Take(std::min<std::size_t>(8u * (op + 1u), reader.remaining()));
      if (!run.empty()) player.Run(run);
    }
  }
  player.requests.OnClose(player.listener);
  player.answers.OnClose(player.listener);
  player.Account();
  Check(player.Pending() == 0, "bytes pending after the close");
  return plain;
}

}  // namespace
}  // namespace wiregauge::decode::mysql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode::mysql;
  if (size == 0) return 0;
  const wiregauge::Bytes ops = wiregauge::Bytes(data, size).subspan(1);
  Player whole(data[0], false);
  const bool plain = Play(wiregauge::ByteReader(ops), whole);
  const bool mid_stream = (data[0] & 2) != 0;
  // A search for a beginning sees only one run at a time.
  if (plain && !(mid_stream && whole.of_requests) && !whole.listener.lost) {
    Player bytewise(data[0], true);
    Play(wiregauge::ByteReader(ops), bytewise);
    Check(whole.listener.events == bytewise.listener.events, "a split changes what is decoded");
  }
  return 0;
}
