// One connection of DNS over TCP.
#pragma once

#include "exporter/decode/dns/decoder.h"
#include "exporter/match/dns/lookups.h"
#include "exporter/match/stream_conversation.h"

namespace wiregauge::match::dns {

class Conversation final : public StreamConversation {
 public:
  Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget);
  [[nodiscard]] std::uint64_t pending_bytes() const override;

 private:
  class Half;

  void OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) override;
  void OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) override;
  void OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) override;
  void Expire(std::uint64_t now_ns, Sink& sink) override;
  [[nodiscard]] std::optional<std::uint64_t> ExpiresAt() const override { return lookups_.NextDeadline(); }

  decode::dns::Decoder& decoder(Side side) { return decoders_[static_cast<std::size_t>(side)]; }
  void TakeLookupCounts();

  Lookups lookups_;
  decode::dns::Decoder decoders_[2];
  probe::Endpoint remote_;
};

}  // namespace wiregauge::match::dns
