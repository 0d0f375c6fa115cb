// What decoding and matching a request costs in Kafka and MQTT: user-space nanoseconds, from the probe's records to the
// told call. Run by hand: build/release/bench/messaging_bench
#include <cstdint>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "exporter/decode/kafka/test_message.h"
#include "exporter/decode/mqtt/test_packet.h"
#include "exporter/match/kafka/conversation.h"
#include "exporter/match/mqtt/conversation.h"

namespace wiregauge::match {
namespace {

using decode::kafka::Message;
namespace packets = decode::mqtt::packets;

class Counter final : public Sink {
 public:
  void OnRequest(const HttpRequest& /*request*/) override {}
  void OnCall(const Call& call) override { sum += call.end_ns - call.start_ns + call.destination.size(); }
  std::uint64_t sum = 0;
};

template <typename Made>
struct Fed {
  Fed() : made(probe::OpenRecord{.connection = 1, .role = probe::Role::kServer}, options, budget), talk(made) {}
  void Pass(probe::Direction direction, std::string_view text) {
    std::uint32_t& next = seq[direction == probe::Direction::kSent ? 1 : 0];
    const auto length = static_cast<std::uint32_t>(text.size());
    talk.OnData(
        {.time_ns = ++time_ns, .direction = direction, .seq = next, .length = length, .captured = AsBytes(text)},
        counter);
    next += length;
  }
  void Request(std::string_view text) { Pass(probe::Direction::kReceived, text); }
  void Answer(std::string_view text) { Pass(probe::Direction::kSent, text); }

  Options options;
  decode::MemoryBudget budget;
  Counter counter;
  Made made;
  Conversation& talk;
  std::uint32_t seq[2] = {0, 0};
  std::uint64_t time_ns = 0;
};

// The correlation id is at its place in a frame.
void SetId(std::string& frame, std::size_t at, std::uint32_t id) {
  for (int i = 0; i < 4; ++i) frame[at + static_cast<std::size_t>(i)] = static_cast<char>(id >> (24 - 8 * i));
}

void KafkaProduce(benchmark::State& state) {
  Fed<kafka::Conversation> fed;
  Message request = Message::Request(0, 9, 1, true, "producer-1");
  request.Null().Int16(-1).Int32(30'000).Array(1).String("orders-of-the-shop").Array(1).Int32(0);
  std::string requests = request.Bytes(std::string(1'000, 'r')).Tags().Tags().Tags().Frame();
  Message answer = Message::Answer(1, true);
  answer.Array(1).String("orders-of-the-shop").Array(1).Int32(0).Int16(0).Int64(7).Int64(-1).Int64(0).Array(0).Null();
  std::string answers = answer.Tags().Tags().Int32(0).Tags().Frame();
  std::uint32_t id = 0;
  for (auto _ : state) {
    SetId(requests, 8, ++id);
    SetId(answers, 4, id);
    fed.Request(requests);
    fed.Answer(answers);
  }
  benchmark::DoNotOptimize(fed.counter.sum);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void KafkaFetch(benchmark::State& state) {
  Fed<kafka::Conversation> fed;
  const auto partitions = static_cast<std::size_t>(state.range(0));
  Message request = Message::Request(1, 11, 1, false, "consumer-1");
  request.Int32(-1).Int32(500).Int32(1).Int32(1 << 20).Int8(0).Int32(0).Int32(-1).Array(1).String("orders-of-the-shop");
  request.Array(partitions);
  for (std::size_t i = 0; i < partitions; ++i) request.Int32(0).Int32(-1).Int64(5).Int64(-1).Int32(1 << 20);
  std::string requests = request.Array(0).String("").Frame();
  Message answer = Message::Answer(1);
  answer.Int32(0).Int16(0).Int32(0).Array(1).String("orders-of-the-shop").Array(partitions);
  for (std::size_t i = 0; i < partitions; ++i) {
    answer.Int32(0).Int16(0).Int64(5).Int64(5).Int64(0).NullArray().Int32(-1).Bytes(std::string(1'000, 'x'));
  }
  std::string answers = answer.Frame();
  std::uint32_t id = 0;
  for (auto _ : state) {
    SetId(requests, 8, ++id);
    SetId(answers, 4, id);
    fed.Request(requests);
    fed.Answer(answers);
  }
  benchmark::DoNotOptimize(fed.counter.sum);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void MqttPublish(benchmark::State& state) {
  Fed<mqtt::Conversation> fed;
  fed.Request(packets::Connect(5));
  fed.Answer(packets::ConnAck(5, 0));
  const auto qos = static_cast<int>(state.range(0));
  const std::string publish = packets::Publish(5, qos, 7, "sensors/1042/temperature", std::string(100, 'm'));
  const std::string first = packets::Ack(qos == 1 ? 4 : 5, 7);
  const std::string release = packets::Ack(6, 7);
  const std::string complete = packets::Ack(7, 7);
  for (auto _ : state) {
    fed.Request(publish);
    if (qos > 0) fed.Answer(first);
    if (qos > 1) fed.Request(release);
    if (qos > 1) fed.Answer(complete);
  }
  benchmark::DoNotOptimize(fed.counter.sum);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

BENCHMARK(KafkaProduce);
BENCHMARK(KafkaFetch)->Arg(1)->Arg(16);
BENCHMARK(MqttPublish)->Arg(0)->Arg(1)->Arg(2);

}  // namespace
}  // namespace wiregauge::match

BENCHMARK_MAIN();
