// What decoding and matching HTTP/2 and gRPC cost: user-space nanoseconds a request, from the probe's records to the
// told request, and bytes a connection. Run by hand: build/release/bench/http2_bench
#include <malloc.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "exporter/decode/http2/test_frames.h"
#include "exporter/match/http2/conversation.h"

namespace wiregauge::match::http2 {
namespace {

using namespace decode::http2;

class Counter final : public Sink {
 public:
  void OnRequest(const HttpRequest& request) override {
    sum += request.end_ns - request.start_ns + request.path.size();
  }
  void OnCall(const Call& call) override { sum += call.end_ns - call.start_ns + call.operation.size(); }
  std::uint64_t sum = 0;
};

// One exchange as frames of a stream whose number is still to be set.
struct Segment {
  std::string bytes;
  std::vector<std::size_t> numbers;  // where stream numbers are

  void Add(const std::string& frame) {
    numbers.push_back(bytes.size() + 5);
    bytes += frame;
  }
  void SetStream(std::uint32_t stream) {
    const std::string number = BigEndian(stream, 4);
    for (const std::size_t at : numbers) bytes.replace(at, 4, number);
  }
};

struct Exchange {
  FieldList request;
  std::string request_body;
  FieldList answer;
  std::string answer_body;
  FieldList trailers;
};

// What h2load and nghttpd say, what a browser and an application server say, and a unary gRPC call in C++.
const Exchange kH2load = {{{":method", "GET"},
                           {":scheme", "http"},
                           {":path", "/index.html"},
                           {":authority", "10.0.0.1:8080"},
                           {"user-agent", "h2load nghttp2/1.52.0"}},
                          "",
                          {{":status", "200"},
                           {"server", "nghttpd nghttp2/1.52.0"},
                           {"cache-control", "max-age=3600"},
                           {"date", "Fri, 20 Nov 2026 10:00:00 GMT"},
                           {"content-length", "12"},
                           {"content-type", "text/html"}},
                          "hello world\n",
                          {}};
const Exchange kBrowser = {
    {{":method", "POST"},
     {":authority", "shop.example.com"},
     {":scheme", "https"},
     {":path", "/api/v1/orders/123456?expand=items"},
     {"content-length", "27"},
     {"accept", "application/json"},
     {"sec-ch-ua", "\"Chromium\";v=\"130\""},
     {"content-type", "application/json"},
     {"user-agent",
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"},
     {"origin", "https://shop.example.com"},
     {"referer", "https://shop.example.com/cart"},
     {"accept-encoding", "gzip, deflate, br"},
     {"accept-language", "en-GB,en;q=0.9"},
     {"cookie", "session=0123456789abcdef0123; basket=42"},
     {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
    "{\"item\": 17, \"count\": 3000}",
    {{":status", "201"},
     {"content-type", "application/json; charset=utf-8"},
     {"date", "Fri, 20 Nov 2026 10:00:00 GMT"},
     {"cache-control", "no-store"},
     {"vary", "Accept-Encoding"},
     {"x-request-id", "8f14e45f-ceea-467f-a0e6-7c1d1e2f3a4b"}},
    "{\"order\": 9, \"status\": \"ok\"}",
    {}};
const Exchange kGrpc = {
    {{":method", "POST"},
     {":scheme", "http"},
     {":path", "/helloworld.Greeter/SayHello"},
     {":authority", "10.0.0.1:50051"},
     {"te", "trailers"},
     {"content-type", "application/grpc"},
     {"user-agent", "grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)"},
     {"grpc-accept-encoding", "identity, deflate, gzip"}},
    std::string("\0\0\0\0\x05hello", 10),
    {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-accept-encoding", "identity, deflate, gzip"}},
    std::string("\0\0\0\0\x05hello", 10),
    {{"grpc-status", "0"}}};

struct Fed {
  explicit Fed(const Exchange& exchange)
      : conversation(probe::OpenRecord{.connection = 1, .role = probe::Role::kServer}, options, budget) {
    Pass(probe::Direction::kReceived, std::string(kPreface) + Settings());
    Pass(probe::Direction::kSent, Settings() + SettingsAck());
    for (int i = 0; i < 2; ++i) {  // the second time is as all that follow
      request = Requests(exchange);
      answer = Answers(exchange);
      if (i == 0) One();
    }
  }

  Segment Requests(const Exchange& exchange) {
    Segment segment;
    const bool body = !exchange.request_body.empty();
    segment.Add(Headers(1, requests.Block(exchange.request), kEndHeaders | (body ? 0u : kEndStream)));
    if (body) segment.Add(DataFrame(1, exchange.request_body, kEndStream));
    return segment;
  }
  Segment Answers(const Exchange& exchange) {
    Segment segment;
    const bool trailers = !exchange.trailers.empty();
    segment.Add(Headers(1, answers.Block(exchange.answer)));
    segment.Add(DataFrame(1, exchange.answer_body, trailers ? 0u : kEndStream));
    if (trailers) segment.Add(Headers(1, answers.Block(exchange.trailers), kEndHeaders | kEndStream));
    return segment;
  }

  void Pass(probe::Direction direction, std::string_view text) {
    std::uint32_t& next = seq[direction == probe::Direction::kSent ? 1 : 0];
    const auto length = static_cast<std::uint32_t>(text.size());
    conversation.OnData(
        {.time_ns = ++time_ns, .direction = direction, .seq = next, .length = length, .captured = AsBytes(text)},
        counter);
    next += length;
  }
  void Request(std::uint32_t number) {
    request.SetStream(number);
    Pass(probe::Direction::kReceived, request.bytes);
  }
  void Answer(std::uint32_t number) {
    answer.SetStream(number);
    Pass(probe::Direction::kSent, answer.bytes);
  }
  void One() {
    Request(stream);
    Answer(stream);
    stream += 2;
  }

  Options options;
  decode::MemoryBudget budget;
  Counter counter;
  Conversation conversation;
  Deflater requests;
  Deflater answers;
  Segment request;
  Segment answer;
  std::uint32_t seq[2] = {0, 0};
  std::uint64_t time_ns = 0;
  std::uint32_t stream = 1;
};

// `range(0)` streams in flight, a segment a message.
void Run(benchmark::State& state, const Exchange& exchange) {
  Fed fed(exchange);
  const auto streams = static_cast<std::uint32_t>(state.range(0));
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < streams; ++i) fed.Request(fed.stream + 2 * i);
    for (std::uint32_t i = 0; i < streams; ++i) fed.Answer(fed.stream + 2 * i);
    fed.stream = (fed.stream + 2 * streams) & 0x7fffffff;
  }
  benchmark::DoNotOptimize(fed.counter.sum);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}

void H2loadAndNghttpd(benchmark::State& state) { Run(state, kH2load); }
void BrowserAndApplication(benchmark::State& state) { Run(state, kBrowser); }
void GrpcUnary(benchmark::State& state) { Run(state, kGrpc); }
BENCHMARK(H2loadAndNghttpd)->Arg(1)->Arg(256);
BENCHMARK(BrowserAndApplication)->Arg(1)->Arg(256);
BENCHMARK(GrpcUnary)->Arg(1)->Arg(256);

// Bytes of heap for a connection that has answered a request and is idle, two dynamic tables included.
void IdleConnection(benchmark::State& state, const Exchange& exchange) {
  constexpr std::size_t kConnections = 1'000;
  Fed shared(exchange);
  const std::string opening = std::string(kPreface) + Settings();
  Deflater requests;
  Deflater answers;
  shared.requests.Swap(requests);
  shared.answers.Swap(answers);
  const std::string request = opening + shared.Requests(exchange).bytes;
  const std::string answer = Settings() + SettingsAck() + shared.Answers(exchange).bytes;
  double bytes = 0;
  for (auto _ : state) {
    std::vector<std::unique_ptr<Conversation>> connections(kConnections);
    const std::size_t before = mallinfo2().uordblks;
    for (auto& connection : connections) {
      connection = std::make_unique<Conversation>(probe::OpenRecord{.role = probe::Role::kServer}, shared.options,
                                                  shared.budget);
      const auto pass = [&](probe::Direction direction, std::string_view text) {
        connection->OnData(
            {.direction = direction, .length = static_cast<std::uint32_t>(text.size()), .captured = AsBytes(text)},
            shared.counter);
      };
      pass(probe::Direction::kReceived, request);
      pass(probe::Direction::kSent, answer);
    }
    bytes = static_cast<double>(mallinfo2().uordblks - before) / kConnections;
  }
  state.counters["bytes"] = bytes;
}
void IdleBrowser(benchmark::State& state) { IdleConnection(state, kBrowser); }
void IdleGrpc(benchmark::State& state) { IdleConnection(state, kGrpc); }
BENCHMARK(IdleBrowser)->Iterations(1);
BENCHMARK(IdleGrpc)->Iterations(1);

}  // namespace
}  // namespace wiregauge::match::http2

BENCHMARK_MAIN();
