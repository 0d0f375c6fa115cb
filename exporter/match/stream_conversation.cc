#include "exporter/match/stream_conversation.h"

#include <algorithm>

namespace wiregauge::match {

using probe::Direction;

namespace {

std::optional<std::uint32_t> FirstSeq(const probe::OpenRecord& open, std::uint32_t seq) {
  return open.mid_stream ? std::nullopt : std::optional(seq);
}

}  // namespace

// One direction during one call: joins stream and protocol. Lives on the stack, so that an idle connection needs no
// room for it.
class StreamConversation::Delivery final : public decode::StreamSink {
 public:
  Delivery(StreamConversation& conversation, Direction direction, Sink& sink)
      : conversation_(conversation), sink_(sink), side_(conversation.SideOf(direction)) {}

  void OnBytes(Bytes bytes, std::uint64_t time_ns) override {
    Passed(time_ns);
    conversation_.OnBytes(side_, bytes, time_ns, sink_);
  }
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns) override {
    Passed(time_ns);
    conversation_.OnGap(side_, length, tail, time_ns, sink_);
  }

 private:
  void Passed(std::uint64_t time_ns) {
    std::uint64_t& last = conversation_.last_ns_[static_cast<std::size_t>(side_)];
    last = std::max(last, time_ns);
  }

  StreamConversation& conversation_;
  Sink& sink_;
  Side side_;
};

StreamConversation::StreamConversation(const probe::OpenRecord& open, const Options& options,
                                       decode::MemoryBudget& budget)
    : options_(options),
      budget_(budget),
      id_(open.connection),
      received_(FirstSeq(open, open.received_seq)),
      sent_(FirstSeq(open, open.sent_seq)),
      role_(open.role),
      mid_stream_(open.mid_stream) {}

StreamConversation::~StreamConversation() = default;

void StreamConversation::OnData(const probe::DataRecord& record, Sink& sink) {
  const auto expires = ExpiresAt();
  if (expires && *expires <= record.time_ns) Expire(record.time_ns, sink);
  const Direction direction = record.direction;
  Delivery delivery(*this, direction, sink);
  // What a socket sends passes the tap in order, and plaintext comes in order: a hole there is a loss of ours and never
  // fills.
  const bool may_hold = direction == Direction::kReceived && !record.plaintext && state_ != State::kFinished;
  (direction == Direction::kSent ? sent_ : received_).Push(record, may_hold, budget_, delivery);
}

void StreamConversation::RequestsMustBeThere(Sink& sink) {
  if (role_ != probe::Role::kServer || !received_.waiting()) return;
  Delivery delivery(*this, Direction::kReceived, sink);
  received_.GiveUpHoles(delivery);
}

void StreamConversation::OnTick(std::uint64_t now_ns, Sink& sink) {
  if (received_.waiting() && received_.waiting_since_ns() + options_.hole_timeout_ns <= now_ns) {
    Delivery delivery(*this, Direction::kReceived, sink);
    received_.GiveUpHoles(delivery);
  }
  Expire(now_ns, sink);
}

std::optional<std::uint64_t> StreamConversation::NextDeadline() const {
  std::optional<std::uint64_t> next = ExpiresAt();
  if (received_.waiting()) {
    const std::uint64_t give_up = received_.waiting_since_ns() + options_.hole_timeout_ns;
    next = std::min(next.value_or(give_up), give_up);
  }
  return next;
}

void StreamConversation::OnClose(const probe::CloseRecord& record, Sink& sink) {
  if (received_.waiting()) {
    Delivery delivery(*this, Direction::kReceived, sink);
    received_.GiveUpHoles(delivery);
  }
  Expire(record.time_ns, sink);
  const bool reset = record.reset_sent || record.reset_received;
  OnEnd(reset ? NoAnswer::kReset : NoAnswer::kConnectionClosed, record.time_ns, sink);
}

void StreamConversation::Unparsed(decode::Unparsed reason, std::uint64_t bytes) {
  if (bytes != 0) Losses().unparsed_bytes[static_cast<std::size_t>(reason)] += bytes;
}

ConnectionCounts& StreamConversation::Losses() {
  if (!losses_) losses_ = std::make_unique<ConnectionCounts>();
  return *losses_;
}

ConnectionCounts StreamConversation::TakeCounts() {
  ConnectionCounts counts;
  if (losses_) counts = *losses_;
  losses_.reset();
  counts.parsed_bytes += parsed_bytes_;
  parsed_bytes_ = 0;
  return counts;
}

}  // namespace wiregauge::match
