#include "exporter/aggregate/tcp_metrics.h"

#include <iterator>
#include <string_view>
#include <utility>

#include "exporter/aggregate/histogram.h"
#include "exporter/aggregate/points.h"

namespace wiregauge::aggregate {
namespace {

using probe::TcpCounters;

constexpr std::uint32_t kOtherPeer = 0xffffffff;
constexpr std::string_view kOtherPeerName = "_OTHER";

struct PlainFamily {
  std::uint64_t TcpCounters::*field;
  std::string_view name;
  std::string_view unit;
  FamilyType type;
  std::string_view help;
};

constexpr PlainFamily kPlainFamilies[] = {
    {&TcpCounters::opened, "wiregauge_tcp_connections_opened", "", FamilyType::kCounter,
     "TCP connections established, and found open at the start."},
    {&TcpCounters::closed, "wiregauge_tcp_connections_closed", "", FamilyType::kCounter, "TCP connections closed."},
    {&TcpCounters::active, "wiregauge_tcp_connections_active", "", FamilyType::kGauge, "TCP connections open now."},
    {&TcpCounters::sent_segments, "wiregauge_tcp_segments_sent", "", FamilyType::kCounter,
     "TCP segments sent, retransmitted ones included."},
    {&TcpCounters::retransmitted_segments, "wiregauge_tcp_retransmitted_segments", "", FamilyType::kCounter,
     "TCP segments sent again."},
    {&TcpCounters::retransmission_timeouts, "wiregauge_tcp_retransmission_timeouts", "", FamilyType::kCounter,
     "Times that the TCP retransmission timer ran out."},
    {&TcpCounters::out_of_order_segments, "wiregauge_tcp_out_of_order_segments", "", FamilyType::kCounter,
     "TCP segments received out of order."},
    {&TcpCounters::sent_bytes, "wiregauge_tcp_sent_bytes", "bytes", FamilyType::kCounter,
     "Payload sent and acknowledged by the peer."},
    {&TcpCounters::received_bytes, "wiregauge_tcp_received_bytes", "bytes", FamilyType::kCounter,
     "Payload received in order."},
    {&TcpCounters::resets_sent, "wiregauge_tcp_resets_sent", "", FamilyType::kCounter, "TCP resets sent."},
    {&TcpCounters::resets_received, "wiregauge_tcp_resets_received", "", FamilyType::kCounter, "TCP resets received."},
};

std::string_view RoleName(std::uint32_t role) {
  switch (static_cast<probe::Role>(role)) {
    case probe::Role::kUnknown: break;
    case probe::Role::kClient: return "client";
    case probe::Role::kServer: return "server";
  }
  return "unknown";
}

void AddUp(probe::TcpHistogram& into, const probe::TcpHistogram& from) {
  for (std::size_t i = 0; i < into.buckets.size(); ++i) into.buckets[i] += from.buckets[i];
  into.sum_us += from.sum_us;
}

Point HistogramPoint(const Labels& labels, const probe::TcpHistogram& histogram, double created_s) {
  Point point;
  point.labels = labels;
  point.created_s = created_s;
  FillHistogram<std::uint32_t>(probe::kTcpBucketBoundsUs, histogram.buckets, histogram.sum_us, 1e6, point);
  return point;
}

}  // namespace

TcpMetrics::Key TcpMetrics::Key::Collapsed() const { return {service, identity::kUnknownService, kOtherPeer, role}; }

TcpMetrics::TcpMetrics(const identity::ServiceTable& services, const identity::PeerTable& peers, SeriesLimits limits)
    : services_(services), peers_(peers), series_(limits) {}

void TcpMetrics::BeginDrain() {
  series_.ForEach([](const Key&, TcpCounters& counters) { counters.active = 0; });
}

void TcpMetrics::Add(const TcpPair& pair, const TcpCounters& delta, std::uint64_t now_ns) {
  const bool named = pair.peer_service != identity::kUnknownService;
  const Key key = {pair.service, pair.peer_service, named ? identity::kPeerUnknown : pair.peer,
                   static_cast<std::uint32_t>(pair.role)};
  TcpCounters& counters = series_.At(key, now_ns);
  for (const PlainFamily& family : kPlainFamilies) counters.*family.field += delta.*family.field;
  AddUp(counters.connect_duration, delta.connect_duration);
  AddUp(counters.rtt, delta.rtt);
}

Labels TcpMetrics::LabelsOf(const Key& key) const {
  std::string_view peer = kOtherPeerName;
  if (key.peer_service != identity::kUnknownService) {
    peer = services_.Of(key.peer_service).name;
  } else if (key.peer != kOtherPeer) {
    peer = peers_.NameOf(key.peer);
  }
  const identity::Service& service = services_.Of(key.service);
  Labels labels;
  labels.reserve(4);
  AddLabel("peer", peer, labels);
  AddLabel("role", RoleName(key.role), labels);
  AddLabel("service_name", service.name, labels);
  AddLabel("service_namespace", service.service_namespace, labels);
  return labels;
}

void TcpMetrics::Collect(Now now, Snapshot& snapshot, std::unordered_set<identity::ServiceId>& services_in_use) {
  series_.Expire(now.monotonic_ns);
  if (series_.size() == 0) return;
  std::vector<Family> families;
  for (const PlainFamily& f : kPlainFamilies) families.push_back(MakeFamily(f.name, f.unit, f.type, f.help));
  Family connect = MakeFamily("wiregauge_tcp_connect_duration_seconds", "seconds", FamilyType::kHistogram,
                              "Time from the SYN to the established connection, at clients.");
  Family rtt = MakeFamily("wiregauge_tcp_rtt_seconds", "seconds", FamilyType::kHistogram,
                          "Smoothed round-trip time, at most one sample a second and connection.");
  series_.Collect(now, [&](const Key& key, const auto& series) {
    const Labels labels = LabelsOf(key);
    const double created_s = static_cast<double>(series.created_unix_ms) / 1e3;
    for (std::size_t i = 0; i < std::size(kPlainFamilies); ++i) {
      Point point;
      point.labels = labels;
      point.value = static_cast<double>(series.value.*kPlainFamilies[i].field);
      if (kPlainFamilies[i].type == FamilyType::kCounter) point.created_s = created_s;
      families[i].points.push_back(std::move(point));
    }
    if (key.role == static_cast<std::uint32_t>(probe::Role::kClient)) {
      connect.points.push_back(HistogramPoint(labels, series.value.connect_duration, created_s));
    }
    rtt.points.push_back(HistogramPoint(labels, series.value.rtt, created_s));
    services_in_use.insert(key.service);
    services_in_use.insert(key.peer_service);
  });
  families.push_back(std::move(connect));
  families.push_back(std::move(rtt));
  for (Family& family : families) {
    if (family.points.empty()) continue;
    SortAndMerge(family);
    snapshot.push_back(std::move(family));
  }
}

}  // namespace wiregauge::aggregate
