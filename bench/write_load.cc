// write_load: sends remote-write 1.0 requests that were built beforehand, over several connections, each waiting for
// its answer, and prints one JSON object. What the receiver does is then all that is measured beside loopback.
//
//   write_load --port N [--path /api/v1/write] [--series 100000] [--ticks 40] [--warm-ticks 5] [--connections 4]
//
// The data: series with 12 labels like node_exporter's on 1,000 names, one sample every 15 s; 64 of 100 series never
// change, most others are counters and integer gauges, one in six is a decimal gauge; 2,000 samples a request, label
// sets in the order of a scrape. `start_ms` in the report says where the timestamps begin.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <snappy.h>
#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "base/clock.h"

namespace {

using wiregauge::AppendRaw;
using wiregauge::AppendVarint;

constexpr std::uint32_t kSamplesPerRequest = 2'000;
constexpr std::int64_t kIntervalMs = 15'000;
constexpr std::uint32_t kSeriesPerInstance = 1'000;  // a node_exporter

struct Settings {
  std::uint16_t port = 0;
  std::string path = "/api/v1/write";
  std::uint32_t series = 100'000;
  std::uint32_t ticks = 40;
  std::uint32_t warm_ticks = 5;
  std::uint32_t connections = 4;
  std::int64_t start_ms = 0;
};

void AppendField(std::string& out, std::uint32_t number, std::string_view content) {
  AppendVarint(out, number << 3 | 2);
  AppendVarint(out, content.size());
  out += content;
}

std::string Label(std::string_view name, std::string_view value) {
  std::string pair;
  AppendField(pair, 1, name);
  AppendField(pair, 2, value);
  std::string label;
  AppendField(label, 1, pair);
  return label;
}

std::string LabelSet(std::uint32_t series) {
  const std::uint32_t instance = series / kSeriesPerInstance;
  const std::uint32_t metric = series % kSeriesPerInstance;
  return Label("__name__", fmt::format("node_metric_{}_seconds_total", metric)) +
         Label("az", fmt::format("az-{}", instance % 3)) +
         Label("cluster", fmt::format("production-{}", instance % 4)) + Label("cpu", fmt::format("{}", metric % 16)) +
         Label("datacenter", "eu-central-1") + Label("device", fmt::format("nvme{}n1", metric % 8)) +
         Label("env", "production") +
         Label("instance", fmt::format("10.20.{}.{}:9100", instance / 250, instance % 250)) + Label("job", "node") +
         Label("mode", fmt::format("mode-{}", metric % 10)) + Label("rack", fmt::format("rack-{}", instance % 40)) +
         Label("team", fmt::format("team-{}", metric % 12));
}

// The value of a series at a tick: pure, so that every receiver gets the same.
double ValueOf(std::uint32_t series, std::uint32_t tick) {
  const std::uint32_t kind = series * 2'654'435'761U % 100;
  std::minstd_rand random(series * 7'919U + tick + 1);
  random.discard(3);
  const double noise = static_cast<double>(random() % 1'000) / 1'000;
  if (kind < 64) return static_cast<double>(series % 5'000);
  if (kind < 80) return std::floor(1e6 + series + tick * 1'500.0 + noise * 300);
  if (kind < 84) return std::floor(4e9 + noise * 1e6);
  return std::round((50 + 30 * std::sin(tick / 40.0 + series) + noise) * 1'000) / 1'000;
}

std::vector<std::string> BuildTick(const std::vector<std::string>& labels, std::uint32_t tick,
                                   const Settings& settings) {
  std::vector<std::string> requests;
  std::string message;
  const auto finish = [&] {
    std::string body;
    snappy::Compress(message.data(), message.size(), &body);
    requests.push_back(fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
                                   "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n"
                                   "Content-Length: {}\r\n\r\n",
                                   settings.path, body.size()) +
                       body);
    message.clear();
  };
  for (std::uint32_t i = 0; i < settings.series; ++i) {
    std::string sample;
    sample.push_back(0x09);
    AppendRaw(sample, ValueOf(i, tick));
    sample.push_back(0x10);
    AppendVarint(sample, static_cast<std::uint64_t>(settings.start_ms + tick * kIntervalMs + i % 997));
    std::string one = labels[i];
    AppendField(one, 2, sample);
    AppendField(message, 1, one);
    if ((i + 1) % kSamplesPerRequest == 0 || i + 1 == settings.series) finish();
  }
  return requests;
}

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) Die("connect");
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { close(fd_); }

  // Sends the request and returns the status of its answer, which has no body.
  int Send(const std::string& request) {
    for (std::size_t sent = 0; sent < request.size();) {
      const ssize_t n = send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) Die("send");
      sent += static_cast<std::size_t>(n);
    }
    std::string head;
    char buffer[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
      if (n <= 0) Die("recv");
      head.append(buffer, static_cast<std::size_t>(n));
    }
    return std::atoi(head.c_str() + 9);
  }

 private:
  [[noreturn]] static void Die(const char* what) {
    std::perror(what);
    std::exit(1);
  }
  int fd_;
};

struct Outcome {
  std::uint64_t refused = 0;
  std::vector<double> latencies_ms;
};

// Every connection takes the next request until none is left.
Outcome SendAll(const std::vector<std::string>& requests, const Settings& settings) {
  std::atomic<std::size_t> next = 0;
  std::vector<Outcome> outcomes(settings.connections);
  std::vector<std::jthread> threads;
  for (Outcome& outcome : outcomes) {
    threads.emplace_back([&] {
      Client client(settings.port);
      for (std::size_t i = next++; i < requests.size(); i = next++) {
        const std::uint64_t began = wiregauge::MonotonicNanoseconds();
        if (client.Send(requests[i]) / 100 != 2) ++outcome.refused;
        outcome.latencies_ms.push_back(static_cast<double>(wiregauge::MonotonicNanoseconds() - began) / 1e6);
      }
    });
  }
  threads.clear();
  Outcome sum;
  for (const Outcome& outcome : outcomes) {
    sum.refused += outcome.refused;
    sum.latencies_ms.insert(sum.latencies_ms.end(), outcome.latencies_ms.begin(), outcome.latencies_ms.end());
  }
  std::sort(sum.latencies_ms.begin(), sum.latencies_ms.end());
  return sum;
}

void Run(Settings settings) {
  settings.start_ms = wiregauge::UnixMilliseconds() - (settings.warm_ticks + settings.ticks + 1) * kIntervalMs;
  std::vector<std::string> labels;
  for (std::uint32_t i = 0; i < settings.series; ++i) labels.push_back(LabelSet(i));
  std::vector<std::string> warm;
  std::vector<std::string> load;
  for (std::uint32_t tick = 0; tick < settings.warm_ticks + settings.ticks; ++tick) {
    auto requests = BuildTick(labels, tick, settings);
    auto& into = tick < settings.warm_ticks ? warm : load;
    std::move(requests.begin(), requests.end(), std::back_inserter(into));
  }
  const Outcome warmed = SendAll(warm, settings);
  std::puts("warm");
  std::fflush(stdout);
  while (std::getchar() != '\n') {
  }
  const std::uint64_t began = wiregauge::MonotonicNanoseconds();
  const Outcome outcome = SendAll(load, settings);
  const double seconds = static_cast<double>(wiregauge::MonotonicNanoseconds() - began) / 1e9;
  const auto quantile = [&](double q) {
    return outcome.latencies_ms[static_cast<std::size_t>(q * static_cast<double>(outcome.latencies_ms.size() - 1))];
  };
  fmt::print(
      "{{\"samples\":{},\"seconds\":{:.3f},\"refused\":{},\"p50_ms\":{:.2f},\"p99_ms\":{:.2f},\"start_ms\":{}}}\n",
      static_cast<std::uint64_t>(settings.series) * settings.ticks, seconds, warmed.refused + outcome.refused,
      quantile(0.5), quantile(0.99), settings.start_ms);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Sends pre-built remote-write requests; a line on stdin starts the measured part.", "write_load");
  Settings settings;
  app.add_option("--port", settings.port)->required();
  app.add_option("--path", settings.path);
  app.add_option("--series", settings.series)->capture_default_str();
  app.add_option("--ticks", settings.ticks)->capture_default_str();
  app.add_option("--warm-ticks", settings.warm_ticks, "sent before the measured part, so that series exist")
      ->capture_default_str();
  app.add_option("--connections", settings.connections)->check(CLI::Range(1, 64))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  Run(settings);
  return 0;
}
