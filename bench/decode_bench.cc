// What decoding and matching cost: user-space nanoseconds a request, from the probe's records to the told request, and
// bytes a connection. Run by hand: build/release/bench/decode_bench
#include <malloc.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "exporter/match/http_connection.h"
#include "exporter/match/memcached/conversation.h"
#include "exporter/match/redis/conversation.h"

namespace wiregauge::match {
namespace {

// What wrk and nginx say, and what a browser and an application server say.
constexpr std::string_view kWrkRequest = "GET /index.html HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n\r\n";
constexpr std::string_view kNginxAnswer =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\nContent-Type: text/html\r\n"
    "Content-Length: 12\r\nLast-Modified: Fri, 20 Nov 2026 09:00:00 GMT\r\nConnection: keep-alive\r\n"
    "ETag: \"65e0-12\"\r\nAccept-Ranges: bytes\r\n\r\nhello world\n";
constexpr std::string_view kBrowserRequest =
    "POST /api/v1/orders/123456?expand=items HTTP/1.1\r\nHost: shop.example.com\r\nConnection: keep-alive\r\n"
    "Content-Length: 27\r\nsec-ch-ua: \"Chromium\";v=\"130\"\r\nAccept: application/json\r\n"
    "Content-Type: application/json\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like "
    "Gecko) Chrome/130.0.0.0 Safari/537.36\r\nOrigin: https://shop.example.com\r\nSec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nReferer: https://shop.example.com/cart\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: session=0123456789abcdef0123; "
    "basket=42\r\n\r\n{\"item\": 17, \"count\": 3000}";
constexpr std::string_view kChunkedAnswer =
    "HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
    "Date: Fri, 20 Nov 2026 10:00:00 GMT\r\nCache-Control: no-store\r\nVary: Accept-Encoding\r\n"
    "X-Request-Id: 8f14e45f-ceea-467f-a0e6-7c1d1e2f3a4b\r\n\r\n1b\r\n{\"order\": 9, \"status\": \"ok\"}\r\n0\r\n\r\n";

class Counter final : public Sink {
 public:
  void OnRequest(const HttpRequest& request) override {
    sum += request.end_ns - request.start_ns + request.path.size();
  }
  void OnCall(const Call& call) override { sum += call.end_ns - call.start_ns + call.operation.size(); }
  std::uint64_t sum = 0;
};

template <typename Made>
struct Fed {
  Fed() : connection(probe::OpenRecord{.connection = 1, .role = probe::Role::kServer}, options, budget) {}
  void Pass(probe::Direction direction, std::string_view text) {
    std::uint32_t& next = seq[direction == probe::Direction::kSent ? 1 : 0];
    const auto length = static_cast<std::uint32_t>(text.size());
    connection.OnData(
        {.time_ns = ++time_ns, .direction = direction, .seq = next, .length = length, .captured = AsBytes(text)},
        counter);
    next += length;
  }

  Options options;
  decode::MemoryBudget budget;
  Counter counter;
  Made connection;
  std::uint32_t seq[2] = {0, 0};
  std::uint64_t time_ns = 0;
};

void Exchange(benchmark::State& state, std::string_view request, std::string_view answer) {
  Fed<HttpConnection> fed;
  const auto depth = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    for (std::size_t i = 0; i < depth; ++i) fed.Pass(probe::Direction::kReceived, request);
    for (std::size_t i = 0; i < depth; ++i) fed.Pass(probe::Direction::kSent, answer);
  }
  benchmark::DoNotOptimize(fed.counter.sum);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}

void WrkAndNginx(benchmark::State& state) { Exchange(state, kWrkRequest, kNginxAnswer); }
void BrowserAndApplication(benchmark::State& state) { Exchange(state, kBrowserRequest, kChunkedAnswer); }
BENCHMARK(WrkAndNginx)->Arg(1)->Arg(16);
BENCHMARK(BrowserAndApplication)->Arg(1)->Arg(16);

// A pipeline as redis-benchmark -P sends it: all commands in one segment, all answers in another.
template <typename Made>
void Pipeline(benchmark::State& state, std::string_view request, std::string_view answer) {
  Fed<Made> fed;
  std::string requests;
  std::string answers;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    requests += request;
    answers += answer;
  }
  for (auto _ : state) {
    fed.Pass(probe::Direction::kReceived, requests);
    fed.Pass(probe::Direction::kSent, answers);
  }
  benchmark::DoNotOptimize(fed.counter.sum);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}

void RedisSet(benchmark::State& state) {
  Pipeline<redis::Conversation>(state, "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000001234\r\n$3\r\nxxx\r\n", "+OK\r\n");
}
void RedisGet(benchmark::State& state) {
  Pipeline<redis::Conversation>(state, "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000001234\r\n", "$3\r\nxxx\r\n");
}
void MemcachedSet(benchmark::State& state) {
  Pipeline<memcached::Conversation>(state, "set key:1234 0 0 3\r\nxxx\r\n", "STORED\r\n");
}
void MemcachedGet(benchmark::State& state) {
  Pipeline<memcached::Conversation>(state, "get key:1234\r\n", "VALUE key:1234 0 3\r\nxxx\r\nEND\r\n");
}
BENCHMARK(RedisSet)->Arg(1)->Arg(16)->Arg(64);
BENCHMARK(RedisGet)->Arg(1)->Arg(16)->Arg(64);
BENCHMARK(MemcachedSet)->Arg(1)->Arg(16);
BENCHMARK(MemcachedGet)->Arg(1)->Arg(16);

// Bytes of heap for a keep-alive connection that has answered a request and is idle.
void IdleConnection(benchmark::State& state) {
  constexpr std::size_t kConnections = 10'000;
  double bytes = 0;
  for (auto _ : state) {
    const std::size_t before = mallinfo2().uordblks;
    std::vector<std::unique_ptr<HttpConnection>> connections(kConnections);
    Options options;
    decode::MemoryBudget budget;
    Counter counter;
    for (auto& connection : connections) {
      connection = std::make_unique<HttpConnection>(probe::OpenRecord{.role = probe::Role::kServer}, options, budget);
      const auto pass = [&](probe::Direction direction, std::string_view text) {
        connection->OnData(
            {.direction = direction, .length = static_cast<std::uint32_t>(text.size()), .captured = AsBytes(text)},
            counter);
      };
      pass(probe::Direction::kReceived, kWrkRequest);
      pass(probe::Direction::kSent, kNginxAnswer);
    }
    bytes = static_cast<double>(mallinfo2().uordblks - before) / kConnections - sizeof(void*);
  }
  state.counters["bytes"] = bytes;
}
BENCHMARK(IdleConnection)->Iterations(1);

}  // namespace
}  // namespace wiregauge::match

BENCHMARK_MAIN();
