#include "exporter/aggregate/server_label.h"

#include <string>

#include "exporter/aggregate/points.h"
#include "exporter/aggregate/text_table.h"

namespace wiregauge::aggregate {
namespace {

constexpr std::uint32_t kOtherPeer = 0xffffffff;

bool IsClassOnly(std::uint32_t peer) { return peer == identity::kPeerInternet || peer >= identity::kFirstNamedPeer; }

}  // namespace

ServerLabel ServerLabel::Of(const probe::Endpoint& server, const identity::PeerTable& peers, std::uint64_t now_ns) {
  ServerLabel label;
  label.peer = peers.IdOf(server.address, now_ns);
  label.port = server.port;
  if (!IsClassOnly(label.peer)) label.address = server.address;
  return label;
}

ServerLabel ServerLabel::Other() {
  ServerLabel label;
  label.peer = kOtherPeer;
  return label;
}

void ServerLabel::AddTo(Labels& labels, const identity::PeerTable& peers) const {
  if (*this == ServerLabel()) return;
  if (peer == kOtherPeer) {
    AddLabel("server_address", kOtherText, labels);
  } else if (IsClassOnly(peer)) {
    AddLabel("server_address", peers.NameOf(peer), labels);
  } else {
    AddLabel("server_address", identity::AddressText(address), labels);
  }
  if (port != 0) AddLabel("server_port", std::to_string(port), labels);
}

}  // namespace wiregauge::aggregate
