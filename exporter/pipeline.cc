#include "exporter/pipeline.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "exporter/aggregate/points.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::exporter {

struct Pipeline::Connection {
  Connection(const probe::OpenRecord& open, identity::ServiceId owner_service, const match::ProtocolOptions& options,
             decode::MemoryBudget& budget)
      : remote(open.remote),
        service(owner_service),
        last_ns(open.time_ns),
        role(open.role),
        clear(open, options, budget) {}

  // What is said in the clear, or inside TLS.
  struct Talk {
    template <typename... Arguments>
    explicit Talk(Arguments&&... arguments) : connection(std::forward<Arguments>(arguments)...) {}

    match::Connection connection;
    match::Connection::Capture capture = match::Connection::Capture::kUndecided;  // as the kernel was told
  };

  // The one that a record belongs to. Plaintext has a beginning of its own, whatever was in the clear before.
  Talk& TalkOf(const probe::DataRecord& data, const match::ProtocolOptions& options, decode::MemoryBudget& budget) {
    if (!data.plaintext) return clear;
    if (!plaintext) {
      probe::OpenRecord open;
      open.connection = data.connection;
      open.time_ns = data.time_ns;
      open.remote = remote;
      open.role = role;
      open.mid_stream = data.mid_stream;
      plaintext = std::make_unique<Talk>(open, options, budget);
    }
    return *plaintext;
  }

  // The client's end of a connection whose server's end tells for both.
  struct Twin {
    probe::ConnectionId id = 0;
    probe::Endpoint remote;
    identity::ServiceId service = identity::kUnknownService;
    std::optional<probe::CloseRecord> closed;

    // The request as that end saw it. It saw nothing of what came after its close.
    template <typename Request>
    [[nodiscard]] Request Seen(Request request) const {
      request.connection = id;
      request.role = probe::Role::kClient;
      if (!closed || request.end_ns <= closed->time_ns) return request;
      const bool reset = closed->reset_sent || closed->reset_received;
      if (request.no_answer == match::NoAnswer::kNone) request = WithoutAnswer(request);
      request.no_answer = reset ? match::NoAnswer::kReset : match::NoAnswer::kConnectionClosed;
      request.end_ns = std::max(request.start_ns, closed->time_ns);
      return request;
    }
    static match::HttpRequest WithoutAnswer(match::HttpRequest request) {
      request.status = 0;
      request.error = {};
      return request;
    }
    static match::Call WithoutAnswer(match::Call call) {
      call.code = {};
      call.error = {};
      return call;
    }
  };

  probe::Endpoint remote;
  identity::ServiceId service;
  std::uint64_t last_ns;
  std::unique_ptr<Twin> twin;  // null when each end tells for itself
  probe::Role role;
  Talk clear;
  std::unique_ptr<Talk> plaintext;  // null while none is told
};

struct Pipeline::EarlyData {
  probe::DataRecord record;
  std::vector<std::uint8_t> captured;
};

namespace {

// What the kernel did not capture, and its name in wiregauge_unparsed_bytes.
constexpr std::pair<probe::Unread, decode::Unparsed> kUnreadReasons[] = {
    {probe::Unread::kUnknownProtocol, decode::Unparsed::kUnknownProtocol},
    {probe::Unread::kEncrypted, decode::Unparsed::kEncrypted},
    {probe::Unread::kUpgraded, decode::Unparsed::kUpgraded},
    {probe::Unread::kTunnel, decode::Unparsed::kTunnel},
    {probe::Unread::kCompressed, decode::Unparsed::kCompressed},
    {probe::Unread::kReplication, decode::Unparsed::kReplication},
};

probe::Unread UnreadFor(decode::Unparsed reason) {
  for (const auto& [unread, name] : kUnreadReasons) {
    if (name == reason) return unread;
  }
  return probe::Unread::kUnknownProtocol;
}

}  // namespace

// Hands the requests of one connection to the aggregate room.
class Pipeline::RequestSink final : public match::Sink {
 public:
  // Of the connection's plaintext, each end tells its own.
  RequestSink(Pipeline& pipeline, const Connection& connection, bool plaintext)
      : pipeline_(pipeline), connection_(connection), twin_(plaintext ? nullptr : connection.twin.get()) {}

  void OnRequest(const match::HttpRequest& request) override {
    Count(request.role);
    pipeline_.aggregator_.requests().Add(request, connection_.service, connection_.remote);
    if (twin_ == nullptr) return;
    Count(probe::Role::kClient);
    pipeline_.aggregator_.requests().Add(twin_->Seen(request), twin_->service, twin_->remote);
  }
  void OnCall(const match::Call& call) override {
    Count(call.role);
    pipeline_.aggregator_.calls().Add(call, connection_.service, connection_.remote);
    if (twin_ == nullptr) return;
    Count(probe::Role::kClient);
    pipeline_.aggregator_.calls().Add(twin_->Seen(call), twin_->service, twin_->remote);
  }
  void OnAddresses(std::string_view name, std::span<const identity::Address> addresses, std::uint32_t ttl_s,
                   std::uint64_t time_ns) override {
    for (const identity::Address& address : addresses) pipeline_.peers_.Observe(name, address, ttl_s, time_ns);
  }

 private:
  void Count(probe::Role role) {
    ++pipeline_.requests_total_;
    if (role == probe::Role::kUnknown) ++pipeline_.losses_.requests_without_role;
  }

  Pipeline& pipeline_;
  const Connection& connection_;
  const Connection::Twin* twin_;
};

// The same for DNS over UDP, where each lookup says whose it is.
class Pipeline::LookupSink final : public match::dns::Listener {
 public:
  explicit LookupSink(Pipeline& pipeline) : pipeline_(pipeline) {}

  void OnLookup(const match::Call& call, const match::dns::Party& party) override {
    ++pipeline_.requests_total_;
    const std::string_view comm(party.comm.data(), strnlen(party.comm.data(), party.comm.size()));
    const identity::ServiceId service =
        pipeline_.identity_.ServiceOf({party.owner, party.cgroup_id, comm}, call.end_ns);
    pipeline_.aggregator_.calls().Add(call, service, party.remote);
  }
  void OnAddresses(std::string_view name, std::span<const identity::Address> addresses, std::uint32_t ttl_s,
                   std::uint64_t time_ns) override {
    for (const identity::Address& address : addresses) pipeline_.peers_.Observe(name, address, ttl_s, time_ns);
  }

 private:
  Pipeline& pipeline_;
};

Pipeline::Pipeline(const match::ProtocolOptions& options, const aggregate::Options& aggregation,
                   identity::Identity::Roots roots, identity::Identity::OwnerLookup lookup, CaptureSetter set_capture)
    : options_(options),
      set_capture_(std::move(set_capture)),
      identity_(std::move(roots), std::move(lookup)),
      aggregator_(identity_.services(), peers_, aggregation),
      dns_on_((options.common().protocols_off >> match::FindProtocol("dns").value() & 1) == 0) {}

Pipeline::~Pipeline() = default;

void Pipeline::OnRecord(const probe::Record& record) {
  if (const auto* data = std::get_if<probe::DataRecord>(&record)) {
    OnData(*data);
  } else if (const auto* open = std::get_if<probe::OpenRecord>(&record)) {
    OnOpen(*open);
  } else if (const auto* close = std::get_if<probe::CloseRecord>(&record)) {
    OnClose(*close);
  } else {
    OnDatagram(std::get<probe::DatagramRecord>(record));
  }
}

void Pipeline::OnOpen(const probe::OpenRecord& open) {
  if (connections_.contains(open.connection)) return;  // two CPUs announced it at once
  if (connections_.size() >= kConnectionsMax) {
    ++losses_.connections_evicted;
    return;
  }
  const std::string_view comm(open.comm.data(), strnlen(open.comm.data(), open.comm.size()));
  const identity::ServiceId service = identity_.ServiceOf({open.owner, open.cgroup_id, comm}, open.time_ns);
  auto [entry, added] =
      connections_.emplace(open.connection, std::make_unique<Connection>(open, service, options_, budget_));
  if (open.both_ends) {
    entry->second->twin = std::make_unique<Connection::Twin>(
        Connection::Twin{open.twin, open.local, identity_.ServiceOf({.id = open.twin_owner}, open.time_ns)});
  }
  TakeEarly(open, *entry->second);
}

void Pipeline::OnData(const probe::DataRecord& data) {
  if (data.before_accept) {
    KeepEarly(data);
    return;
  }
  const auto found = connections_.find(data.connection);
  if (found == connections_.end()) {
    ++losses_.records_without_connection;
    return;
  }
  Connection& connection = *found->second;
  connection.last_ns = data.time_ns;
  RequestSink sink(*this, connection, data.plaintext);
  Connection::Talk& talk = connection.TalkOf(data, options_, budget_);
  talk.connection.OnData(data, sink);
  using Capture = match::Connection::Capture;
  const Capture wanted = talk.connection.capture();
  if (wanted == talk.capture || (wanted != Capture::kUseless && wanted != Capture::kWhole)) return;
  talk.capture = wanted;
  set_capture_(data.connection, {.capture = wanted == Capture::kWhole,
                                 .unread = UnreadFor(talk.connection.useless_for()),
                                 .plaintext = data.plaintext});
}

void Pipeline::OnClose(const probe::CloseRecord& close) {
  const auto found = connections_.find(close.connection);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  if (close.twin) {
    if (connection.twin) connection.twin->closed = close;
    return;
  }
  RequestSink sink(*this, connection, false);
  connection.clear.connection.OnClose(close, sink);
  if (connection.plaintext) {
    RequestSink plaintext_sink(*this, connection, true);
    connection.plaintext->connection.OnClose(close, plaintext_sink);
  }
  TakeCounts(connection);
  connections_.erase(found);
}

void Pipeline::OnDatagram(const probe::DatagramRecord& datagram) {
  if (!dns_on_) return;
  LookupSink sink(*this);
  dns_.OnDatagram(datagram, sink);
}

void Pipeline::KeepEarly(const probe::DataRecord& data) {
  if (early_.size() >= kEarlyDataMax) {
    ++losses_.early_data_dropped;
    return;
  }
  EarlyData& kept = early_.emplace_back();
  kept.record = data;
  kept.record.tail = {};
  kept.captured.assign(data.captured.begin(), data.captured.end());
}

void Pipeline::TakeEarly(const probe::OpenRecord& open, Connection& connection) {
  RequestSink sink(*this, connection, false);
  for (auto at = early_.begin(); at != early_.end();) {
    if (at->record.local != open.local || at->record.remote != open.remote) {
      ++at;
      continue;
    }
    probe::DataRecord record = at->record;
    record.connection = open.connection;
    record.before_accept = false;
    record.captured = at->captured;
    connection.clear.connection.OnData(record, sink);
    at = early_.erase(at);
  }
}

void Pipeline::ExpireEarly(std::uint64_t now_ns) {
  while (!early_.empty() && early_.front().record.time_ns + kEarlyDataNs < now_ns) {
    early_.pop_front();
    ++losses_.early_data_expired;
  }
}

void Pipeline::TakeCounts(Connection& connection) {
  const match::ConnectionCounts taken = connection.clear.connection.TakeCounts();
  AddCounts(taken, connection.service, connection.last_ns, false);
  if (connection.twin) AddCounts(taken, connection.twin->service, connection.last_ns, false);
  if (!connection.plaintext) return;
  AddCounts(connection.plaintext->connection.TakeCounts(), connection.service, connection.last_ns, true);
}

void Pipeline::AddCounts(const match::ConnectionCounts& taken, identity::ServiceId service, std::uint64_t now_ns,
                         bool plaintext) {
  counts_.Add(taken);
  aggregate::CoverageMetrics& coverage = aggregator_.coverage();
  // The ciphertext that carried plaintext counts instead.
  if (taken.parsed_bytes != 0 && !plaintext) {
    coverage.Add(service, {.carried_bytes = 0, .parsed_bytes = taken.parsed_bytes}, now_ns);
  }
  for (std::size_t reason = 0; reason < decode::kUnparsedReasons; ++reason) {
    const std::uint64_t bytes = taken.unparsed_bytes[reason];
    if (bytes == 0) continue;
    coverage.AddUnparsed(service, decode::kUnparsedNames[reason], bytes, now_ns);
    if (plaintext) unparsed_plaintext_[service] += bytes;
  }
}

void Pipeline::OnTcp(const probe::TcpDrain& drain, std::uint64_t now_ns) {
  aggregate::TcpMetrics& tcp = aggregator_.tcp();
  tcp.BeginDrain();
  for (const auto& [key, counters] : drain.deltas) {
    const identity::ServiceId service = identity_.ServiceOf({.id = key.owner}, now_ns);
    tcp.Add({service, identity_.ServiceOf({.id = key.peer_owner}, now_ns), key.peer, key.role}, counters, now_ns);
    const std::uint64_t carried = counters.sent_bytes + counters.received_bytes;
    for (const auto& [unread, reason] : kUnreadReasons) {
      const std::uint64_t bytes = counters.unread_bytes[static_cast<std::size_t>(unread)];
      if (bytes != 0) aggregator_.coverage().AddUnparsed(service, decode::UnparsedName(reason), bytes, now_ns);
    }
    const std::uint64_t parsed = ParsedOfEncrypted(service, counters);
    if (carried != 0 || parsed != 0)
      aggregator_.coverage().Add(service, {.carried_bytes = carried, .parsed_bytes = parsed}, now_ns);
  }
}

// Bytes on the wire whose plaintext was told are parsed, what TLS itself adds with them (handshake, record headers,
// tags), but for as many as the plaintext had that were not understood.
std::uint64_t Pipeline::ParsedOfEncrypted(identity::ServiceId service, const probe::TcpCounters& counters) {
  const std::uint64_t bytes = counters.unread_bytes[static_cast<std::size_t>(probe::Unread::kPlaintext)];
  const auto unparsed = bytes != 0 ? unparsed_plaintext_.find(service) : unparsed_plaintext_.end();
  if (unparsed == unparsed_plaintext_.end()) return bytes;
  const std::uint64_t taken = std::min(bytes, unparsed->second);
  unparsed->second -= taken;
  if (unparsed->second == 0) unparsed_plaintext_.erase(unparsed);
  return bytes - taken;
}

void Pipeline::Tick(match::Connection& talk, const Connection& connection, bool plaintext, std::uint64_t now_ns) {
  const auto deadline = talk.NextDeadline();
  if (!deadline || *deadline > now_ns) return;
  RequestSink sink(*this, connection, plaintext);
  talk.OnTick(now_ns, sink);
}

void Pipeline::OnTick(std::uint64_t now_ns) {
  ExpireEarly(now_ns);
  LookupSink lookups(*this);
  dns_.OnTick(now_ns, lookups);
  counts_.Add(std::exchange(dns_.counts(), {}));
  for (auto at = connections_.begin(); at != connections_.end();) {
    const auto current = at++;
    Connection& connection = *current->second;
    Tick(connection.clear.connection, connection, false, now_ns);
    if (connection.plaintext) Tick(connection.plaintext->connection, connection, true, now_ns);
    TakeCounts(connection);
    const bool forgotten = connection.last_ns + kSilentNs < now_ns;
    losses_.connections_forgotten += forgotten ? 1 : 0;
    if (forgotten) connections_.erase(current);
  }
}

namespace {

void AddLoss(aggregate::Family& family, std::string_view stage, std::string_view reason, std::uint64_t count) {
  aggregate::Point point;
  aggregate::AddLabel("reason", reason, point.labels);
  aggregate::AddLabel("stage", stage, point.labels);
  point.value = static_cast<double>(count);
  family.points.push_back(std::move(point));
}

}  // namespace

void Pipeline::Collect(aggregate::Now now, aggregate::Snapshot& out) {
  aggregate::Snapshot families = aggregator_.Collect(now);
  out.insert(out.end(), std::make_move_iterator(families.begin()), std::make_move_iterator(families.end()));
  identity_.Expire([this](identity::ServiceId service) { return aggregator_.Uses(service); });
}

std::map<std::string_view, std::size_t> Pipeline::ConnectionsByProtocol() const {
  std::map<std::string_view, std::size_t> counts;
  for (const auto& [id, connection] : connections_) {
    for (const Connection::Talk* talk : {&connection->clear, connection->plaintext.get()}) {
      const std::string_view protocol = talk != nullptr ? talk->connection.protocol() : std::string_view();
      if (!protocol.empty()) ++counts[protocol];
    }
  }
  return counts;
}

void Pipeline::CollectLosses(aggregate::Family& passed, aggregate::Family& lost) const {
  aggregate::Point requests;
  aggregate::AddLabel("stage", "match_request", requests.labels);
  requests.value = static_cast<double>(requests_total_);
  passed.points.push_back(std::move(requests));
  AddLoss(lost, "match_answer", "unmatched", counts_.unmatched_answers);
  AddLoss(lost, "match_answer", "late", counts_.late_answers);
  AddLoss(lost, "match_request", "evicted", counts_.evicted_requests);
  AddLoss(lost, "match_request", "unpaired", counts_.unpaired_requests);
  AddLoss(lost, "match_name", "degraded", counts_.degraded_requests);
  AddLoss(lost, "match_request", "no_role", losses_.requests_without_role);
  AddLoss(lost, "pipeline_data", "no_connection", losses_.records_without_connection);
  AddLoss(lost, "pipeline_data", "early_expired", losses_.early_data_expired);
  AddLoss(lost, "pipeline_data", "early_dropped", losses_.early_data_dropped);
  AddLoss(lost, "pipeline_datagram", "malformed", dns_.malformed());
  AddLoss(lost, "pipeline_name", "too_many", peers_.observed_overflow_total());
  AddLoss(lost, "pipeline_connection", "too_many", losses_.connections_evicted);
  AddLoss(lost, "pipeline_connection", "silent", losses_.connections_forgotten);
}

}  // namespace wiregauge::exporter
