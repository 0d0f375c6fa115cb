#include "exporter/match/dns/conversation.h"

#include "exporter/decode/dns/parse.h"

namespace wiregauge::match::dns {

// One direction during one call.
class Conversation::Half final : public decode::dns::Handler, public Listener {
 public:
  Half(Conversation& conversation, Side side, Sink& sink) : conversation_(conversation), sink_(sink), side_(side) {}

  void OnMessage(Bytes bytes, std::uint64_t first_byte_ns) override {
    Conversation& c = conversation_;
    const auto message = decode::dns::ParseMessage(bytes);
    if (!message || message->is_answer != (side_ == Side::kAnswers)) {
      if (c.state() == State::kUndecided) c.SetState(State::kRefuted);
      return;
    }
    // Queries and answers with the same sure shape: nothing else begins like this.
    if (c.state() == State::kUndecided) c.SetState(State::kConfirmed);
    Party party;
    party.socket = c.id();
    party.remote = c.remote_;
    const bool sent = (c.role() == probe::Role::kClient) == (side_ == Side::kRequests);
    const std::uint64_t time_ns = message->is_answer ? c.last_ns(side_) : first_byte_ns;
    c.lookups_.OnMessage(*message, sent, party, time_ns, *this);
  }
  void OnLost() override {}  // ids pair what is left
  void OnUnparsed(decode::Unparsed reason, std::uint64_t bytes) override { conversation_.Unparsed(reason, bytes); }

  void OnLookup(const Call& call, const Party& /*party*/) override { sink_.OnCall(call); }
  void OnAddresses(std::string_view name, std::span<const decode::dns::Address> addresses, std::uint32_t ttl_s,
                   std::uint64_t time_ns) override {
    sink_.OnAddresses(name, addresses, ttl_s, time_ns);
  }

 private:
  Conversation& conversation_;
  Sink& sink_;
  Side side_;
};

Conversation::Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget)
    : StreamConversation(open, options, budget), lookups_(budget), remote_(open.remote) {}

void Conversation::OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) {
  if (side == Side::kAnswers) RequestsMustBeThere(sink);
  Half half(*this, side, sink);
  decoder(side).OnBytes(bytes, time_ns, half);
  Parsed(decoder(side).TakeParsedBytes());
  TakeLookupCounts();
}

void Conversation::OnGap(Side side, std::uint64_t length, Bytes /*tail*/, std::uint64_t /*time_ns*/, Sink& sink) {
  Half half(*this, side, sink);
  decoder(side).OnGap(length, half);
  Parsed(decoder(side).TakeParsedBytes());
}

void Conversation::OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) {
  for (const Side side : {Side::kRequests, Side::kAnswers}) {
    Half half(*this, side, sink);
    decoder(side).OnClose(half);
  }
  Half half(*this, Side::kAnswers, sink);
  lookups_.Close(why, time_ns, half);
  TakeLookupCounts();
}

void Conversation::Expire(std::uint64_t now_ns, Sink& sink) {
  Half half(*this, Side::kAnswers, sink);
  lookups_.OnTick(now_ns, half);
}

void Conversation::TakeLookupCounts() {
  ConnectionCounts& counts = lookups_.counts();
  if (counts.unmatched_answers == 0 && counts.evicted_requests == 0) return;
  Losses().Add(counts);
  counts = {};
}

std::uint64_t Conversation::pending_bytes() const {
  return decoders_[0].pending_bytes() + decoders_[1].pending_bytes();
}

}  // namespace wiregauge::match::dns
