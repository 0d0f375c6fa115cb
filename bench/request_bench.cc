// What a request of each protocol costs in user space: nanoseconds from the probe's records to its series, through the
// exporter's own pipeline (find the connection, decode, match, aggregate), and bytes a connection. Everything but
// reading the ring. A conversation whose requests are not all told fails.
//
//   build/release/bench/request_bench [--benchmark_filter=Redis]
//
// ITERATIONS=n in the environment fixes their number: callgrind's counts of two runs differ by what so many cost.
#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "exporter/decode/http2/test_frames.h"
#include "exporter/decode/kafka/test_message.h"
#include "exporter/decode/mqtt/test_packet.h"
#include "exporter/decode/mysql/golden_sessions.h"
#include "exporter/decode/postgresql/golden.h"
#include "exporter/pipeline.h"

namespace wiregauge::exporter {
namespace {

using namespace std::string_literals;

// The server's end of a connection, or a client's socket for datagrams.
class Peer {
 public:
  explicit Peer(Pipeline& pipeline, probe::ConnectionId id = 1) : pipeline_(pipeline), id_(id) {
    remote_.port = static_cast<std::uint16_t>(id);
    pipeline_.OnRecord(probe::OpenRecord{
        .connection = id_, .time_ns = 1, .local = local_, .remote = remote_, .role = probe::Role::kServer});
  }

  void Request(std::string_view text) { Pass(probe::Direction::kReceived, text); }
  void Answer(std::string_view text) { Pass(probe::Direction::kSent, text); }
  void Datagram(probe::Direction direction, std::string_view text) {
    pipeline_.OnRecord(probe::DatagramRecord{.socket = id_,
                                             .time_ns = time_ns_ += kStepNs,
                                             .direction = direction,
                                             .local = local_,
                                             .remote = remote_,
                                             .length = static_cast<std::uint32_t>(text.size()),
                                             .captured = AsBytes(text)});
  }

 private:
  static constexpr std::uint64_t kStepNs = 50'000;

  void Pass(probe::Direction direction, std::string_view text) {
    std::uint32_t& next = seq_[direction == probe::Direction::kSent ? 1 : 0];
    const auto length = static_cast<std::uint32_t>(text.size());
    pipeline_.OnRecord(probe::DataRecord{.connection = id_,
                                         .time_ns = time_ns_ += kStepNs,
                                         .direction = direction,
                                         .seq = next,
                                         .length = length,
                                         .captured = AsBytes(text)});
    next += length;
  }

  Pipeline& pipeline_;
  probe::ConnectionId id_;
  probe::Endpoint local_{.address = {}, .port = 53};
  probe::Endpoint remote_;
  std::uint32_t seq_[2] = {0, 0};
  std::uint64_t time_ns_ = 1'000'000'000;
};

// A conversation: what comes first, and what is repeated. State of its own (ids, stream numbers) is in the closures.
struct Talk {
  std::function<void(Peer&)> open = [](Peer&) {};
  std::function<void(Peer&)> exchange;
  std::size_t requests = 1;  // of an exchange
};

std::unique_ptr<Pipeline> MakePipeline() {
  return std::make_unique<Pipeline>(match::ProtocolOptions(), aggregate::Options(),
                                    identity::Identity::Roots{.proc = "/nonexistent", .cgroup = ""},
                                    [](probe::OwnerId) {
                                      return Result<probe::OwnerInfo>(Error{Code::kNotFound, "none"});
                                    });
}

double RequestsTold(const Pipeline& pipeline) {
  aggregate::Family passed;
  aggregate::Family lost;
  pipeline.CollectLosses(passed, lost);
  for (const aggregate::Point& loss : lost.points) {
    if (loss.value != 0) return -1;
  }
  return passed.points.at(0).value;
}

void Run(benchmark::State& state, const Talk& talk) {
  const auto pipeline = MakePipeline();
  Peer peer(*pipeline);
  talk.open(peer);
  const double before = RequestsTold(*pipeline);
  for (auto _ : state) talk.exchange(peer);
  const auto expected = static_cast<double>(state.iterations() * talk.requests);
  const double told = RequestsTold(*pipeline) - before;
  if (told != expected) state.SkipWithError(fmt::format("{} of {} requests were told", told, expected).c_str());
  state.SetItemsProcessed(static_cast<std::int64_t>(told));
  state.counters["ns"] = benchmark::Counter(expected * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// Bytes of heap for a connection that has answered requests and is idle.
void Idle(benchmark::State& state, const Talk& talk) {
  constexpr probe::ConnectionId kConnections = 1'000;
  double bytes = 0;
  for (auto _ : state) {
    const auto pipeline = MakePipeline();
    {
      Peer first(*pipeline, kConnections + 1);  // makes the series
      talk.open(first);
      talk.exchange(first);
    }
    const std::size_t before = mallinfo2().uordblks;
    for (probe::ConnectionId id = 1; id <= kConnections; ++id) {
      Peer peer(*pipeline, id);
      talk.open(peer);
      talk.exchange(peer);
    }
    bytes = static_cast<double>(mallinfo2().uordblks - before) / kConnections;
  }
  state.counters["bytes"] = bytes;
}

// ---- conversations ----

Talk Plain(std::string request, std::string answer) {
  return {.exchange = [request = std::move(request), answer = std::move(answer)](Peer& peer) {
    peer.Request(request);
    peer.Answer(answer);
  }};
}

std::string Repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

// All requests in one segment, all answers in another.
Talk Pipelined(std::string_view request, std::string_view answer, std::size_t depth) {
  Talk talk = Plain(Repeated(request, depth), Repeated(answer, depth));
  talk.requests = depth;
  return talk;
}

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

constexpr std::string_view kRedisSet = "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000001234\r\n$3\r\nxxx\r\n";
constexpr std::string_view kRedisGet = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000001234\r\n";

Talk Postgresql(std::string query, std::string answer) {
  Talk talk = Plain(std::move(query), std::move(answer));
  talk.open = [](Peer& peer) {
    peer.Request("\0\0\0\x0f\0\3\0\0user\0\0\0"s);
    peer.Answer("R\0\0\0\x08\0\0\0\0Z\0\0\0\5I"s);
  };
  return talk;
}
std::string PostgresqlMessage(char type, const std::string& body) {
  const auto length = static_cast<std::uint32_t>(body.size() + 4);
  std::string text(1, type);
  for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<char>(length >> shift));
  return text + body;
}
Talk PostgresqlQuery() {
  return Postgresql(
      PostgresqlMessage('Q', "UPDATE pgbench_accounts SET abalance = abalance + 4191 WHERE aid = 47151;\0"s),
      PostgresqlMessage('C', "UPDATE 1\0"s) + PostgresqlMessage('Z', "T"));
}
Talk PostgresqlThousandRows() {
  std::string rows = PostgresqlMessage('T', "\0\0"s);
  for (int i = 0; i < 1'000; ++i) rows += PostgresqlMessage('D', "\0\1\0\0\0\x19"s + std::string(25, 'v'));
  rows += PostgresqlMessage('C', "SELECT 1000\0"s) + PostgresqlMessage('Z', "I");
  return Postgresql(PostgresqlMessage('Q', "select * from t\0"s), rows);
}
// The turns of a session from the `first` on, again and again, without its Terminate.
Talk PostgresqlSession(const decode::postgresql::golden::Turns& turns, std::size_t first, std::size_t requests) {
  const auto play = [&turns](Peer& peer, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if (turns[i].sender == decode::postgresql::Sender::kClient) {
        peer.Request(turns[i].bytes);
      } else {
        peer.Answer(turns[i].bytes);
      }
    }
  };
  Talk talk = Postgresql("", "");
  talk.open = [=, login = talk.open](Peer& peer) {
    login(peer);
    play(peer, 0, first);
  };
  talk.exchange = [=, &turns](Peer& peer) { play(peer, first, turns.size() - 1); };
  talk.requests = requests;
  return talk;
}

// The client's greeting and login, then its query number `piece` and the answer.
Talk Mysql(std::size_t piece) {
  namespace golden = decode::mysql::golden;
  Talk talk = Plain(golden::Unhex(golden::kClient[piece].hex), golden::Unhex(golden::kClient[piece + 1].hex));
  talk.open = [](Peer& peer) {
    peer.Answer(golden::Unhex(golden::kClient[0].hex));
    peer.Request(golden::Unhex(golden::kClient[1].hex));
    peer.Answer(golden::Unhex(golden::kClient[2].hex));
  };
  return talk;
}

void SetBigEndian(std::string& text, std::size_t at, std::size_t bytes, std::uint32_t value) {
  for (std::size_t i = 0; i < bytes; ++i) text[at + i] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
}

// Each exchange has the next correlation id.
Talk Kafka(std::string request, std::string answer) {
  return {.exchange = [request = std::move(request), answer = std::move(answer), id = 0U](Peer& peer) mutable {
    SetBigEndian(request, 8, 4, ++id);
    SetBigEndian(answer, 4, 4, id);
    peer.Request(request);
    peer.Answer(answer);
  }};
}
Talk KafkaProduce() {
  using decode::kafka::Message;
  Message request = Message::Request(0, 9, 1, true, "producer-1");
  request.Null().Int16(-1).Int32(30'000).Array(1).String("orders-of-the-shop").Array(1).Int32(0);
  Message answer = Message::Answer(1, true);
  answer.Array(1).String("orders-of-the-shop").Array(1).Int32(0).Int16(0).Int64(7).Int64(-1).Int64(0).Array(0).Null();
  return Kafka(request.Bytes(std::string(1'000, 'r')).Tags().Tags().Tags().Frame(),
               answer.Tags().Tags().Int32(0).Tags().Frame());
}
Talk KafkaFetch(std::size_t partitions) {
  using decode::kafka::Message;
  Message request = Message::Request(1, 11, 1, false, "consumer-1");
  request.Int32(-1).Int32(500).Int32(1).Int32(1 << 20).Int8(0).Int32(0).Int32(-1).Array(1).String("orders-of-the-shop");
  request.Array(partitions);
  for (std::size_t i = 0; i < partitions; ++i) request.Int32(0).Int32(-1).Int64(5).Int64(-1).Int32(1 << 20);
  Message answer = Message::Answer(1);
  answer.Int32(0).Int16(0).Int32(0).Array(1).String("orders-of-the-shop").Array(partitions);
  for (std::size_t i = 0; i < partitions; ++i) {
    answer.Int32(0).Int16(0).Int64(5).Int64(5).Int64(0).NullArray().Int32(-1).Bytes(std::string(1'000, 'x'));
  }
  return Kafka(request.Array(0).String("").Frame(), answer.Frame());
}

Talk MqttPublish(int qos) {
  namespace packets = decode::mqtt::packets;
  const auto open = [](Peer& peer) {
    peer.Request(packets::Connect(5));
    peer.Answer(packets::ConnAck(5, 0));
  };
  const auto exchange = [qos, publish = packets::Publish(5, qos, 7, "sensors/1042/temperature", std::string(100, 'm')),
                         first = packets::Ack(qos == 1 ? 4 : 5, 7), release = packets::Ack(6, 7),
                         complete = packets::Ack(7, 7)](Peer& peer) {
    peer.Request(publish);
    if (qos > 0) peer.Answer(first);
    if (qos > 1) peer.Request(release);
    if (qos > 1) peer.Answer(complete);
  };
  return {.open = open, .exchange = exchange};
}

// Lookups of one name, each with the next id, as a resolver gets them.
Talk Dns(bool datagrams) {
  const std::string question =
      "\x03www\x07"
      "example\x03"
      "com\x00\x00\x01\x00\x01"s;
  const std::string record = "\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x01"s;
  std::string query = "\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"s + question;
  std::string answer = "\x00\x00\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"s + question + record;
  const auto framed = [](const std::string& message) {
    return std::string{0, static_cast<char>(message.size())} + message;
  };
  if (!datagrams) {
    query = framed(query);
    answer = framed(answer);
  }
  return {.exchange = [query, answer, datagrams, id = 0U](Peer& peer) mutable {
    SetBigEndian(query, datagrams ? 0 : 2, 2, ++id & 0xffff);
    SetBigEndian(answer, datagrams ? 0 : 2, 2, id & 0xffff);
    if (datagrams) {
      peer.Datagram(probe::Direction::kReceived, query);
      peer.Datagram(probe::Direction::kSent, answer);
    } else {
      peer.Request(query);
      peer.Answer(answer);
    }
  }};
}

struct Http2Exchange {
  decode::http2::FieldList request;
  std::string request_body;
  decode::http2::FieldList answer;
  std::string answer_body;
  decode::http2::FieldList trailers;
};

// What h2load and nghttpd say, what a browser and an application server say, and a unary gRPC call in C++.
const Http2Exchange kH2load = {{{":method", "GET"},
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
const Http2Exchange kBrowser = {
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
const Http2Exchange kGrpc = {
    {{":method", "POST"},
     {":scheme", "http"},
     {":path", "/helloworld.Greeter/SayHello"},
     {":authority", "10.0.0.1:50051"},
     {"te", "trailers"},
     {"content-type", "application/grpc"},
     {"user-agent", "grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)"},
     {"grpc-accept-encoding", "identity, deflate, gzip"}},
    "\0\0\0\0\x05hello"s,
    {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-accept-encoding", "identity, deflate, gzip"}},
    "\0\0\0\0\x05hello"s,
    {{"grpc-status", "0"}}};

// Frames of a stream whose number is still to be set.
struct Frames {
  std::string bytes;
  std::vector<std::size_t> numbers;  // where stream numbers are

  void Add(const std::string& frame) {
    numbers.push_back(bytes.size() + 5);
    bytes += frame;
  }
  const std::string& Of(std::uint32_t stream) {
    for (const std::size_t at : numbers) SetBigEndian(bytes, at, 4, stream);
    return bytes;
  }
};

Frames Http2Request(const Http2Exchange& exchange, decode::http2::Deflater& deflater) {
  using namespace decode::http2;
  Frames frames;
  const bool body = !exchange.request_body.empty();
  frames.Add(Headers(1, deflater.Block(exchange.request), kEndHeaders | (body ? 0U : kEndStream)));
  if (body) frames.Add(DataFrame(1, exchange.request_body, kEndStream));
  return frames;
}
Frames Http2Answer(const Http2Exchange& exchange, decode::http2::Deflater& deflater) {
  using namespace decode::http2;
  Frames frames;
  const bool trailers = !exchange.trailers.empty();
  frames.Add(Headers(1, deflater.Block(exchange.answer)));
  frames.Add(DataFrame(1, exchange.answer_body, trailers ? 0U : kEndStream));
  if (trailers) frames.Add(Headers(1, deflater.Block(exchange.trailers), kEndHeaders | kEndStream));
  return frames;
}

// `streams` in flight, a segment a message. The first exchange fills the dynamic tables; the others are alike.
Talk Http2(const Http2Exchange& exchange, std::uint32_t streams) {
  using namespace decode::http2;
  Deflater requests;
  Deflater answers;
  Frames first_request = Http2Request(exchange, requests);
  Frames first_answer = Http2Answer(exchange, answers);
  const auto stream = std::make_shared<std::uint32_t>(1);
  return {.open =
              [=](Peer& peer) mutable {
                *stream = 3;
                peer.Request(std::string(kPreface) + Settings());
                peer.Answer(Settings() + SettingsAck());
                peer.Request(first_request.Of(1));
                peer.Answer(first_answer.Of(1));
              },
          .exchange =
              [request = Http2Request(exchange, requests), answer = Http2Answer(exchange, answers), stream,
               streams](Peer& peer) mutable {
                for (std::uint32_t i = 0; i < streams; ++i) peer.Request(request.Of(*stream + 2 * i));
                for (std::uint32_t i = 0; i < streams; ++i) peer.Answer(answer.Of(*stream + 2 * i));
                *stream = (*stream + 2 * streams) & 0x7fffffff;
              },
          .requests = streams};
}

void Register(std::int64_t iterations) {
  namespace golden = decode::postgresql::golden;
  const std::map<std::string, Talk> talks = {
      {"Http/wrk", Plain(std::string(kWrkRequest), std::string(kNginxAnswer))},
      {"Http/browser", Plain(std::string(kBrowserRequest), std::string(kChunkedAnswer))},
      {"Redis/set", Pipelined(kRedisSet, "+OK\r\n", 1)},
      {"Redis/set_16", Pipelined(kRedisSet, "+OK\r\n", 16)},
      {"Redis/get", Pipelined(kRedisGet, "$3\r\nxxx\r\n", 1)},
      {"Redis/get_64", Pipelined(kRedisGet, "$3\r\nxxx\r\n", 64)},
      {"Memcached/set", Pipelined("set key:1234 0 0 3\r\nxxx\r\n", "STORED\r\n", 1)},
      {"Memcached/get", Pipelined("get key:1234\r\n", "VALUE key:1234 0 3\r\nxxx\r\nEND\r\n", 1)},
      {"Mysql/select", Mysql(3)},
      {"Mysql/error", Mysql(5)},
      {"Postgresql/update", PostgresqlQuery()},
      {"Postgresql/extended", PostgresqlSession(golden::kExtended, 0, 2)},
      {"Postgresql/prepared", PostgresqlSession(golden::kPrepared, 2, 2)},
      {"Postgresql/pipeline", PostgresqlSession(golden::kPreparedPipeline, 6, 6)},
      {"Postgresql/thousand_rows", PostgresqlThousandRows()},
      {"Kafka/produce", KafkaProduce()},
      {"Kafka/fetch", KafkaFetch(1)},
      {"Kafka/fetch_16_partitions", KafkaFetch(16)},
      {"Mqtt/qos_0", MqttPublish(0)},
      {"Mqtt/qos_1", MqttPublish(1)},
      {"Mqtt/qos_2", MqttPublish(2)},
      {"Dns/udp", Dns(true)},
      {"Dns/tcp", Dns(false)},
      {"Http2/h2load", Http2(kH2load, 1)},
      {"Http2/h2load_256", Http2(kH2load, 256)},
      {"Http2/browser", Http2(kBrowser, 1)},
      {"Grpc/unary", Http2(kGrpc, 1)},
  };
  for (const auto& [name, talk] : talks) {
    auto* const timed =
        benchmark::RegisterBenchmark(name.c_str(), [talk = talk](benchmark::State& state) { Run(state, talk); });
    if (iterations > 0) timed->Iterations(iterations);
    benchmark::RegisterBenchmark(("Idle" + name).c_str(), [talk = talk](benchmark::State& state) {
      Idle(state, talk);
    })->Iterations(1);
  }
}

}  // namespace
}  // namespace wiregauge::exporter

int main(int argc, char** argv) {
  const char* const iterations = std::getenv("ITERATIONS");
  wiregauge::exporter::Register(iterations == nullptr ? 0 : std::atoll(iterations));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
