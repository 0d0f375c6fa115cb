// Prints expositions for parse_back_test.py: parse_back_sample (families|awkward) (text|openmetrics).
// "families" has every family of the aggregate room; "awkward" is sample_snapshot.h.
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <string_view>

#include "exporter/aggregate/aggregator.h"
#include "exporter/expose/sample_snapshot.h"
#include "exporter/expose/text.h"

namespace wiregauge::expose {
namespace {

constexpr std::uint64_t kNow = 1'000'000'000'000;

void AddRequest(aggregate::Aggregator& aggregator, identity::ServiceId service, probe::Role role,
                std::uint16_t status) {
  match::HttpRequest request;
  request.role = role;
  request.method = "GET";
  request.path = "/users/42";
  request.status = status;
  request.no_answer = status == 0 ? match::NoAnswer::kTimeout : match::NoAnswer::kNone;
  request.start_ns = kNow;
  request.end_ns = kNow + 1'500'000;
  probe::Endpoint server;
  identity::ParseAddress("10.0.0.1", server.address);
  server.port = 8080;
  aggregator.requests().Add(request, service, server);
}

aggregate::Snapshot AllFamilies() {
  identity::ServiceTable services;
  const identity::PeerTable peers;
  identity::Service service;
  service.name = kAwkwardValue;
  service.service_namespace = "bad\xff utf-8";
  service.executable = "/usr/bin/web";
  const identity::ServiceId id = services.Intern(service);
  aggregate::Aggregator aggregator(services, peers);
  for (const std::uint16_t status : std::initializer_list<std::uint16_t>{200, 404, 500, 0}) {
    AddRequest(aggregator, id, probe::Role::kServer, status);
    AddRequest(aggregator, id, probe::Role::kClient, status);
  }
  probe::TcpCounters delta;
  delta.opened = 3;
  delta.active = 2;
  delta.rtt.buckets[4] = 7;
  delta.rtt.sum_us = 12'345;
  aggregator.tcp().Add({id, identity::kUnknownService, identity::kPeerInternet, probe::Role::kClient}, delta, kNow);
  aggregator.coverage().Add(id, {.carried_bytes = 3, .parsed_bytes = 1}, kNow);
  aggregator.coverage().AddUnparsed(id, "gap", 2, kNow);
  return aggregator.Collect({kNow, 1'795'158'851'493});
}

}  // namespace
}  // namespace wiregauge::expose

int main(int argc, char** argv) {
  using namespace wiregauge::expose;
  if (argc != 3) return 2;
  const bool families = std::string_view(argv[1]) == "families";
  const Dialect dialect = std::string_view(argv[2]) == "text" ? Dialect::kText : Dialect::kOpenMetrics;
  std::string out;
  AppendText(families ? AllFamilies() : SampleSnapshot(), dialect, out);
  return std::fwrite(out.data(), 1, out.size(), stdout) == out.size() ? 0 : 1;
}
