#include "exporter/match/dns/sockets.h"

#include <algorithm>

#include "exporter/decode/dns/parse.h"

namespace wiregauge::match::dns {
namespace {

constexpr std::uint16_t kMulticastDnsPort = 5353;  // RFC 6762
constexpr std::uint16_t kLlmnrPort = 5355;         // RFC 4795

bool IsMulticast(const probe::Endpoint& endpoint) {
  constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto& address = endpoint.address;
  const bool mapped = std::equal(kMapped.begin(), kMapped.end(), address.begin());
  return mapped ? address[12] >= 224 : address[0] == 0xff;
}

// Questions to everybody on the link, which nobody has to answer.
bool IsDiscovery(const probe::DatagramRecord& record) {
  for (const probe::Endpoint& end : {record.local, record.remote}) {
    if (end.port == kMulticastDnsPort || end.port == kLlmnrPort || IsMulticast(end)) return true;
  }
  return false;
}

}  // namespace

void Sockets::OnDatagram(const probe::DatagramRecord& record, Listener& listener) {
  if (IsDiscovery(record)) return;
  const auto message = decode::dns::ParseMessage(record.captured);
  if (!message) {
    ++malformed_;
    return;
  }
  Party party;
  party.socket = record.socket;
  party.remote = record.remote;
  party.owner = record.owner;
  party.cgroup_id = record.cgroup_id;
  party.comm = record.comm;
  lookups_.OnMessage(*message, record.direction == probe::Direction::kSent, party, record.time_ns, listener);
}

}  // namespace wiregauge::match::dns
