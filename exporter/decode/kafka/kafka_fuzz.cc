// Fuzz target: one direction of a Kafka connection. Checks that events come in a possible order and are what they may
// be.
#include <cstdint>
#include <string>

#include "exporter/decode/decoder_fuzz.h"
#include "exporter/decode/kafka/apis.h"
#include "exporter/decode/kafka/decoder.h"

namespace wiregauge::decode::kafka {
namespace {

class Listener final : public Handler, public FuzzEvents {
 public:
  void OnTopic(std::string_view name) override {
    FuzzCheck(!name.empty() && name.size() <= kTopicBytesMax, "a topic's length");
    events += "t" + std::string(name);
  }
  void OnTopicId(const TopicId&) override { events += "i"; }
  void OnRequest(const Request& request) override {
    FuzzCheck(request.correlation_id >= 0 && request.api.key >= 0 && request.api.key < kApis, "a request's header");
    FuzzCheck(request.last_byte_ns >= request.first_byte_ns, "ends before it starts");
    events += "r" + std::to_string(request.api.key) + "," + std::to_string(request.topics) + "," +
              std::to_string(request.acks) + "," + std::to_string(static_cast<int>(request.walk));
  }
  // The answer's API is chosen by its correlation id, so that the fuzzer can choose it.
  std::optional<Api> OnAnswerBegins(std::int32_t correlation_id) override {
    FuzzCheck(!open_, "an answer inside an answer");
    if (!IsExpected(correlation_id)) return std::nullopt;
    open_ = true;
    const auto key = static_cast<std::int16_t>(correlation_id % kApis);
    const int versions = RowOf(key).version_max + 2;
    return Api{key, static_cast<std::int16_t>(correlation_id / kApis % versions)};
  }
  void OnAnswer(const Answer& answer) override {
    FuzzCheck(open_, "an answer without a beginning");
    open_ = false;
    events += "a" + std::to_string(answer.error) + "," + std::to_string(static_cast<int>(answer.walk));
  }
  [[nodiscard]] bool IsExpected(std::int32_t correlation_id) const override {
    return correlation_id % 8 != 7 || (setup & 8) == 0;
  }
  void OnLost() override {
    events += "l";
    lost = true;
    open_ = false;
  }
  void OnNotKafka() override { events += "n"; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override { CountUnparsed(reason, bytes); }

  std::uint8_t setup = 0;

 private:
  bool open_ = false;
};

struct Tested : FuzzedDirection<Decoder, Listener> {
  static constexpr bool kSplitsParseAlike = false;  // of a malformed message, what came before it showed

  explicit Tested(std::uint8_t setup)
      : FuzzedDirection((setup & 1) != 0 ? Kind::kAnswers : Kind::kRequests, (setup & 4) != 0) {
    listener.setup = setup;
    if ((setup & 2) != 0) decoder.ConfirmKafka();
  }
};

}  // namespace
}  // namespace wiregauge::decode::kafka

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge::decode;
  return FuzzDecoder<kafka::Tested>(wiregauge::Bytes(data, size), [](std::uint8_t setup) { return (setup & 4) != 0; });
}
