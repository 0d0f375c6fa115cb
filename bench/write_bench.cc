// CPU of the write path without sockets and disk: pre-built remote-write 1.0 requests through snappy, decoder and
// dictionary into a store that keeps nothing. Shapes follow the peers' measurement: 12 labels, about 320 bytes of label
// text, 2,000 samples a request, one sample a series.
//
//   write_bench [series=100000] [seconds=5] [threads=1]
//
// Prints nanoseconds of thread CPU a sample, by stage, over known series; then what a new series costs, and the
// dictionary's bytes a series.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <snappy.h>

#include "remote_write/encode/dictionary.h"
#include "remote_write/encode/fake_store.h"
#include "remote_write/receive/body.h"
#include "remote_write/receive/remote_write_v1.h"
#include "remote_write/receive/request_builder.h"

namespace {

using namespace wiregauge;

constexpr int kSamplesARequest = 2000;
constexpr int kSeriesATarget = 1000;
constexpr std::int64_t kNow = 1'790'000'000'000;
constexpr receive::TimeWindow kWindow{kNow - 1'000'000, kNow + receive::kMaxFutureMs};

// Series i as a Kubernetes node_exporter would have it: some labels per metric, most per target.
receive::testing::Labels LabelsOf(int i) {
  const int target = i / kSeriesATarget;
  const std::string t = std::to_string(target);
  return {{"__name__", "node_subsystem_metric_" + std::to_string(i % kSeriesATarget / 4) + "_total"},
          {"availability_zone", "eu-central-1" + std::string(1, static_cast<char>('a' + target % 3))},
          {"cluster", "production-cluster-" + std::to_string(target % 5)},
          {"container", "node-exporter"},
          {"device", "device-" + std::to_string(i % 4)},
          {"endpoint", "http-metrics"},
          {"env", "production"},
          {"instance", "10.17." + std::to_string(target / 250) + "." + std::to_string(target % 250) + ":9100"},
          {"job", "monitoring/node-exporter"},
          {"namespace", "monitoring-" + std::to_string(target % 7)},
          {"node", "ip-10-17-" + t + ".eu-central-1.compute.internal"},
          {"pod", "prometheus-node-exporter-" + std::to_string(target * 7919 % 99991) + "-x7k2p"}};
}

std::vector<std::string> BuildRequests(int series) {
  std::vector<std::string> bodies;
  for (int begin = 0; begin < series; begin += kSamplesARequest) {
    std::vector<std::string> messages;
    for (int i = begin; i < std::min(series, begin + kSamplesARequest); ++i) {
      messages.push_back(receive::testing::SeriesMessage(LabelsOf(i), {receive::testing::At(kNow + i % 15000, i)}));
    }
    const std::string message = receive::testing::RequestMessage(messages);
    snappy::Compress(message.data(), message.size(), &bodies.emplace_back());
  }
  return bodies;
}

double ThreadCpuNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

struct Stages {
  double snappy_ns = 0;
  double decode_ns = 0;
  double encode_ns = 0;
  double samples = 0;
};

// One thread's state, as the daemon keeps it.
struct Writer {
  receive::DecodeBuffer buffer;
  receive::WriteRequest request;
  encode::EncodedRequest encoded;

  void Write(encode::Dictionary& dictionary, store::Store& store, const std::string& body, Stages& stages) {
    const double start = ThreadCpuNanoseconds();
    const auto message = buffer.Uncompress(AsBytes(body), *receive::DeclaredSize(AsBytes(body)));
    const double uncompressed = ThreadCpuNanoseconds();
    if (!receive::DecodeV1(*message, kWindow, request)) Bug("decode");
    const double decoded = ThreadCpuNanoseconds();
    if (!dictionary.Encode(request, encoded) || !dictionary.Write(store, encoded)) Bug("encode");
    const double end = ThreadCpuNanoseconds();
    stages.snappy_ns += uncompressed - start;
    stages.decode_ns += decoded - uncompressed;
    stages.encode_ns += end - decoded;
    stages.samples += static_cast<double>(encoded.batch.samples.size());
  }
};

void Run(int series, double seconds, int threads) {
  const std::vector<std::string> bodies = BuildRequests(series);
  encode::Dictionary dictionary;
  encode::testing::NullStore store;
  Writer first;
  Stages cold;
  for (const std::string& body : bodies) first.Write(dictionary, store, body, cold);

  std::vector<Stages> warm(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> writers;
    for (std::size_t t = 0; t < warm.size(); ++t) {
      writers.emplace_back([&, t] {
        Writer writer;
        const double end = ThreadCpuNanoseconds() + seconds * 1e9;
        for (std::size_t i = t; ThreadCpuNanoseconds() < end; ++i) {
          writer.Write(dictionary, store, bodies[i % bodies.size()], warm[t]);
        }
      });
    }
  }
  Stages sum;
  for (const Stages& one : warm) {
    sum.snappy_ns += one.snappy_ns;
    sum.decode_ns += one.decode_ns;
    sum.encode_ns += one.encode_ns;
    sum.samples += one.samples;
  }
  const auto memory = dictionary.GetMemory();
  std::printf("%d series, %d thread(s), ns CPU a sample: snappy %.1f, decode %.1f, encode %.1f, sum %.1f\n", series,
              threads, sum.snappy_ns / sum.samples, sum.decode_ns / sum.samples, sum.encode_ns / sum.samples,
              (sum.snappy_ns + sum.decode_ns + sum.encode_ns) / sum.samples);
  std::printf("a new series: encode %.0f ns; dictionary bytes a series: symbols %.1f, series %.1f, raw forms %.1f\n",
              cold.encode_ns / cold.samples, static_cast<double>(memory.symbols) / series,
              static_cast<double>(memory.series) / series, static_cast<double>(memory.raw_forms) / series);
}

}  // namespace

int main(int argc, char** argv) {
  const int series = argc > 1 ? std::atoi(argv[1]) : 100'000;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 5;
  const int threads = argc > 3 ? std::atoi(argv[3]) : 1;
  if (series < 1 || seconds <= 0 || threads < 1) {
    std::fprintf(stderr, "write_bench: want [series] [seconds] [threads], all above 0\n");
    return 1;
  }
  Run(series, seconds, threads);
  return 0;
}
