// Fuzz target: one direction of a MySQL connection. Checks that events come in a possible order.
#include <cstdint>
#include <string>

#include "exporter/decode/decoder_fuzz.h"
#include "exporter/decode/mysql/answer_decoder.h"
#include "exporter/decode/mysql/request_decoder.h"

namespace wiregauge::decode::mysql {
namespace {

class Listener final : public RequestHandler, public AnswerHandler, public FuzzEvents {
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
    FuzzCheck(!open, "an answer begins inside another");
    const auto expected = static_cast<Expected>(next_expected++ % 9);
    open = expected != Expected::kNothing;
    events += "(" + std::to_string(static_cast<int>(expected));
    return expected;
  }
  void OnExchange() override {
    FuzzCheck(open, "an exchange outside of an answer");
    events += "x";
  }
  void OnAnswerEnd(const Answer& answer) override {
    FuzzCheck(open, "an end without a beginning");
    open = false;
    events += std::to_string(answer.error) + (answer.prepared ? "p" : "") + std::to_string(answer.statement_id) + ")";
  }
  void OnAnswersLost() override { Lose(); }
  bool OnEndLost() override {
    FuzzCheck(open, "a lost end without a beginning");
    if (goes_on_without_end) return true;
    Lose();
    return false;
  }
  void OnNotMysql() override {
    events += "n";
    lost = true;
    open = false;
  }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override { CountUnparsed(reason, bytes); }

  RequestDecoder* requests = nullptr;
  unsigned next_expected = 0;
  bool goes_on_without_end = false;
  bool open = false;

 private:
  void Lose() {
    events += "!";
    open = false;
    lost = true;
  }
};

struct Tested : FuzzedDirections<RequestDecoder, AnswerDecoder, Listener> {
  static constexpr std::uint8_t kSignals = 0xfc;
  static constexpr bool kSplitsParseAlike = false;  // of a malformed message, what came before it showed

  explicit Tested(std::uint8_t setup) : FuzzedDirections((setup & 1) != 0, (setup & 2) != 0) {
    listener.requests = &requests;
    listener.goes_on_without_end = (setup & 4) != 0;
    listener.next_expected = setup >> 4;
    if ((setup & 8) != 0) {
      requests.Confirm();
      answers.Confirm();
    }
  }

  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t) {
    of_requests ? requests.OnGap(length, listener) : answers.OnGap(length, tail, listener);
  }
  void OnClose() {
    requests.OnClose(listener);
    answers.OnClose(listener);
  }
  // 0xfd: the peer goes on. 0xfc: an exchange begins, or ends.
  bool Signal(std::uint8_t op) {
    if (op == 0xfc) {
      exchange = !exchange;
      requests.SetExchange(exchange);
      return true;
    }
    requests.TellBeginning(listener);
    requests.EndLostMessage();
    if (answers.end_lost()) answers.EndLostAnswer(listener);
    answers.Expect();
    return false;  // a request that is split may be told with less
  }

  bool exchange = false;
};

}  // namespace
}  // namespace wiregauge::decode::mysql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode;
  return FuzzDecoder<mysql::Tested>(wiregauge::Bytes(data, size), [](std::uint8_t setup) { return (setup & 3) == 3; });
}
