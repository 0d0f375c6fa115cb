// The exporter's middle: the probe's records and counters go in, metric families come out. Keeps one decoder and
// matcher a connection. Pure but for identity, which reads /proc: time comes as an argument, no kernel is needed.
//
// One thread at a time: exporter.h holds the lock.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "exporter/aggregate/aggregator.h"
#include "exporter/decode/budget.h"
#include "exporter/identity/identity.h"
#include "exporter/identity/peer.h"
#include "exporter/match/connection.h"
#include "exporter/match/dns/sockets.h"
#include "exporter/probe/probe.h"

namespace wiregauge::exporter {

// What the pipeline itself could not use, by reason; counts since start.
struct PipelineLosses {
  std::uint64_t requests_without_role = 0;       // nobody knows which end we saw
  std::uint64_t records_without_connection = 0;  // data of a connection whose OpenRecord was lost
  std::uint64_t early_data_expired = 0;          // before-accept data whose connection never came
  std::uint64_t early_data_dropped = 0;          // over kEarlyDataMax
  std::uint64_t connections_evicted = 0;         // over kConnectionsMax
  std::uint64_t connections_forgotten = 0;       // their CloseRecord was lost
};

class Pipeline {
 public:
  // Decoders kept at one time; at some 400 bytes each, 100 MB. Beyond it the connection is not decoded.
  static constexpr std::size_t kConnectionsMax = 262'144;
  // Requests that came before their connection was accepted and wait for it.
  static constexpr std::size_t kEarlyDataMax = 4'096;
  static constexpr std::uint64_t kEarlyDataNs = 10'000'000'000;  // a SYN queue entry lives no longer in practice
  // A connection that was silent for so long is asked for no more: its close was lost, or it is a pool that sleeps. It
  // is taken up again in the middle when it speaks.
  static constexpr std::uint64_t kSilentNs = 24ULL * 3600 * 1'000'000'000;

  // Tells the kernel what to capture of a connection from now on.
  using CaptureSetter = std::function<void(probe::ConnectionId, const probe::Capture&)>;

  Pipeline(
      const match::ProtocolOptions& options, const aggregate::Options& aggregation, identity::Identity::Roots roots,
      identity::Identity::OwnerLookup lookup,
      CaptureSetter set_capture = [](probe::ConnectionId, const probe::Capture&) {});
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  void OnRecord(const probe::Record& record);
  void OnTcp(const probe::TcpDrain& drain, std::uint64_t now_ns);
  // Tells the requests whose time is up and forgets what is old. Once a second, and before Collect.
  void OnTick(std::uint64_t now_ns);

  // Appends the families of services.
  void Collect(aggregate::Now now, aggregate::Snapshot& out);
  // Adds the pipeline's points to wiregauge_events and wiregauge_events_lost.
  void CollectLosses(aggregate::Family& passed, aggregate::Family& lost) const;

  [[nodiscard]] const PipelineLosses& losses() const { return losses_; }
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  // By protocol, those of a known one.
  [[nodiscard]] std::map<std::string_view, std::size_t> ConnectionsByProtocol() const;
  [[nodiscard]] const identity::PeerTable& peers() const { return peers_; }

 private:
  struct Connection;
  struct EarlyData;
  class RequestSink;
  class LookupSink;

  void OnOpen(const probe::OpenRecord& open);
  void OnData(const probe::DataRecord& data);
  void OnClose(const probe::CloseRecord& close);
  void OnDatagram(const probe::DatagramRecord& datagram);
  void KeepEarly(const probe::DataRecord& data);
  void TakeEarly(const probe::OpenRecord& open, Connection& connection);
  void ExpireEarly(std::uint64_t now_ns);
  void TakeCounts(Connection& connection);
  void AddCounts(const match::ConnectionCounts& taken, identity::ServiceId service, std::uint64_t now_ns,
                 bool plaintext);
  void Tick(match::Connection& talk, const Connection& connection, bool plaintext, std::uint64_t now_ns);
  std::uint64_t ParsedOfEncrypted(identity::ServiceId service, const probe::TcpCounters& counters);

  match::ProtocolOptions options_;
  decode::MemoryBudget budget_;
  CaptureSetter set_capture_;
  identity::PeerTable peers_;
  identity::Identity identity_;
  aggregate::Aggregator aggregator_;
  absl::flat_hash_map<probe::ConnectionId, std::unique_ptr<Connection>> connections_;
  std::deque<EarlyData> early_;
  match::dns::Sockets dns_{budget_};  // over UDP
  bool dns_on_;
  // Plaintext that was not understood, to be taken off the ciphertext that carried it.
  absl::flat_hash_map<identity::ServiceId, std::uint64_t> unparsed_plaintext_;
  PipelineLosses losses_;
  match::ConnectionCounts counts_;
  std::uint64_t requests_total_ = 0;
};

}  // namespace wiregauge::exporter
