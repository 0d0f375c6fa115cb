#include "exporter/match/dns/sockets.h"

#include "exporter/decode/dns/parse.h"

namespace wiregauge::match::dns {

void Sockets::OnDatagram(const probe::DatagramRecord& record, Listener& listener) {
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
