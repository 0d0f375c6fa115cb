// The labels server_address and server_port of client families: which server, as integers until a scrape.
#pragma once

#include <array>
#include <cstdint>

#include "exporter/aggregate/snapshot.h"
#include "exporter/identity/peer.h"
#include "exporter/probe/record.h"

namespace wiregauge::aggregate {

// The remote end of a client's connection: the name that a DNS answer gave it, else its address. Addresses that may be
// many (public ones, and those with an operator's rule) are only their class. Default: no server, no labels.
struct ServerLabel {
  identity::Address address{};  // zero unless it is the label
  std::uint32_t peer = 0;       // identity's class of the address
  std::uint16_t port = 0;
  std::uint16_t unused = 0;

  bool operator==(const ServerLabel&) const = default;

  static ServerLabel Of(const probe::Endpoint& server, const identity::PeerTable& peers, std::uint64_t now_ns);
  // Stands for all servers: "_OTHER".
  static ServerLabel Other();

  void AddTo(Labels& labels, const identity::PeerTable& peers) const;
};

}  // namespace wiregauge::aggregate
