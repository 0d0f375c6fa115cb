// DNS over UDP: the datagrams of all sockets, each a message of its own. Pure; one thread.
#pragma once

#include <cstdint>

#include "exporter/match/dns/lookups.h"

namespace wiregauge::match::dns {

class Sockets {
 public:
  // `budget` outlives it.
  explicit Sockets(decode::MemoryBudget& budget) : lookups_(budget) {}

  void OnDatagram(const probe::DatagramRecord& record, Listener& listener);
  // Once a second, and before figures are wanted.
  void OnTick(std::uint64_t now_ns, Listener& listener) { lookups_.OnTick(now_ns, listener); }

  // Datagrams that looked like DNS and were none.
  [[nodiscard]] std::uint64_t malformed() const { return malformed_; }
  ConnectionCounts& counts() { return lookups_.counts(); }

 private:
  Lookups lookups_;
  std::uint64_t malformed_ = 0;
};

}  // namespace wiregauge::match::dns
