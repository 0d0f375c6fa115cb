// What decoding and matching PostgreSQL costs: user-space nanoseconds a request, from the probe's records to the told
// call, with what pgbench and the server say in each of its modes. Run by hand: build/release/bench/postgresql_bench
#include <cstdint>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "exporter/decode/postgresql/golden.h"
#include "exporter/match/postgresql/conversation.h"

namespace wiregauge::match::postgresql {
namespace {

using decode::postgresql::Sender;
namespace golden = decode::postgresql::golden;
using namespace std::string_literals;
using namespace std::string_view_literals;

class Counter final : public Sink {
 public:
  void OnRequest(const HttpRequest&) override {}
  void OnCall(const Call& call) override {
    ++calls;
    sum += call.end_ns - call.start_ns + call.operation.size() + call.destination.size();
  }
  std::uint64_t calls = 0;
  std::uint64_t sum = 0;
};

struct Fed {
  Fed() : conversation({.connection = 1, .role = probe::Role::kServer}, options, budget) {
    Pass(Sender::kClient, "\0\0\0\x0f\0\3\0\0user\0\0\0"sv);
    Pass(Sender::kServer, "R\0\0\0\x08\0\0\0\0Z\0\0\0\5I"sv);
  }
  void Pass(Sender sender, std::string_view text) {
    std::uint32_t& next = seq[sender == Sender::kClient ? 0 : 1];
    const auto length = static_cast<std::uint32_t>(text.size());
    const auto direction = sender == Sender::kClient ? probe::Direction::kReceived : probe::Direction::kSent;
    conversation.OnData(
        {.time_ns = ++time_ns, .direction = direction, .seq = next, .length = length, .captured = AsBytes(text)},
        counter);
    next += length;
  }

  Options options;
  decode::MemoryBudget budget;
  Counter counter;
  Conversation conversation;
  std::uint32_t seq[2] = {0, 0};
  std::uint64_t time_ns = 0;
};

// Repeats a session's turns from the `first` on, without its Terminate.
void Session(benchmark::State& state, const golden::Turns& turns, std::size_t first) {
  Fed fed;
  for (std::size_t i = 0; i < first; ++i) fed.Pass(turns[i].sender, turns[i].bytes);
  fed.counter.calls = 0;
  for (auto _ : state) {
    for (std::size_t i = first; i + 1 < turns.size(); ++i) fed.Pass(turns[i].sender, turns[i].bytes);
  }
  benchmark::DoNotOptimize(fed.counter.sum);
  state.SetItemsProcessed(static_cast<std::int64_t>(fed.counter.calls));
}

std::string Message(char type, std::string_view body) {
  const auto length = static_cast<std::uint32_t>(body.size() + 4);
  std::string text(1, type);
  for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<char>(length >> shift));
  return text + std::string(body);
}

void SimpleQuery(benchmark::State& state) {
  Fed fed;
  const std::string query =
      Message('Q', "UPDATE pgbench_accounts SET abalance = abalance + 4191 WHERE aid = 47151;\0"sv);
  const std::string answer = Message('C', "UPDATE 1\0"sv) + Message('Z', "T");
  fed.counter.calls = 0;
  for (auto _ : state) {
    fed.Pass(Sender::kClient, query);
    fed.Pass(Sender::kServer, answer);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(fed.counter.calls));
}
void Extended(benchmark::State& state) { Session(state, golden::kExtended, 0); }
void Prepared(benchmark::State& state) { Session(state, golden::kPrepared, 2); }
void PreparedPipeline(benchmark::State& state) { Session(state, golden::kPreparedPipeline, 6); }

// A result of 1,000 rows: of 40 bytes each.
void ThousandRows(benchmark::State& state) {
  Fed fed;
  fed.counter.calls = 0;
  std::string rows = Message('T', "\0\0"sv);
  for (int i = 0; i < 1'000; ++i) rows += Message('D', "\0\1\0\0\0\x19"s + std::string(25, 'v'));
  rows += Message('C', "SELECT 1000\0"sv) + Message('Z', "I");
  const std::string query = Message('Q', "select * from t\0"sv);
  for (auto _ : state) {
    fed.Pass(Sender::kClient, query);
    for (std::size_t at = 0; at < rows.size(); at += 4'096) {
      fed.Pass(Sender::kServer, std::string_view(rows).substr(at, 4'096));
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(fed.counter.calls));
}

BENCHMARK(SimpleQuery);
BENCHMARK(Extended);
BENCHMARK(Prepared);
BENCHMARK(PreparedPipeline);
BENCHMARK(ThousandRows);

}  // namespace
}  // namespace wiregauge::match::postgresql

BENCHMARK_MAIN();
