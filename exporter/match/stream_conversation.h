// The part of a conversation over TCP that no protocol does differently: puts both directions in order, waits for holes
// in what was received, keeps the role and the counts. A protocol derives from it and implements On… and Expire.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "exporter/decode/budget.h"
#include "exporter/decode/stream.h"
#include "exporter/match/conversation.h"

namespace wiregauge::match {

enum class Side : std::uint8_t { kRequests, kAnswers };  // which way bytes went: from the client, from the server

class StreamConversation : public Conversation {
 public:
  // `open.role` is known: who chose the protocol has seen who asks. `options` and `budget` outlive it.
  StreamConversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget);
  ~StreamConversation() override;
  StreamConversation(const StreamConversation&) = delete;
  StreamConversation& operator=(const StreamConversation&) = delete;

  void OnData(const probe::DataRecord& record, Sink& sink) final;
  void OnClose(const probe::CloseRecord& record, Sink& sink) final;
  void OnTick(std::uint64_t now_ns, Sink& sink) final;
  [[nodiscard]] std::optional<std::uint64_t> NextDeadline() const final;
  ConnectionCounts TakeCounts() final;
  [[nodiscard]] State state() const final { return state_; }

 protected:
  // ---- what a protocol implements ----

  // Bytes in order, each told once. `time_ns` is when they passed the hook.
  virtual void OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) = 0;
  // `length` bytes passed that are not at hand; `tail` is the last 0 to 8 of them.
  virtual void OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) = 0;
  // The connection ends: tell what is left as `why` (kReset or kConnectionClosed).
  virtual void OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) = 0;
  // Requests whose deadline is at or before `now_ns` are told as timeouts.
  virtual void Expire(std::uint64_t now_ns, Sink& sink) = 0;
  // When Expire is next needed.
  [[nodiscard]] virtual std::optional<std::uint64_t> ExpiresAt() const = 0;

  // ---- what it uses ----

  void Parsed(std::uint64_t bytes) { parsed_bytes_ += bytes; }
  void Unparsed(decode::Unparsed reason, std::uint64_t bytes);
  ConnectionCounts& Losses();
  void SetState(State state) { state_ = state; }
  // Nothing more is read: what follows counts under this reason.
  void Finish(decode::Unparsed reason) {
    SetLeftFor(reason);
    state_ = State::kFinished;
  }
  // An answer came to nothing: the request must be among what waits behind a hole of what was received, so the hole is
  // a loss of ours. Delivers what waits. Only from OnBytes(Side::kAnswers) of a server; harmless otherwise.
  void RequestsMustBeThere(Sink& sink);
  // Something that was received waits behind a hole.
  [[nodiscard]] bool received_waits() const { return received_.waiting(); }

  [[nodiscard]] probe::Role role() const { return role_; }
  [[nodiscard]] probe::ConnectionId id() const { return id_; }
  [[nodiscard]] bool mid_stream() const { return mid_stream_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] decode::MemoryBudget& budget() { return budget_; }
  // When the latest byte of that side passed.
  [[nodiscard]] std::uint64_t last_ns(Side side) const { return last_ns_[static_cast<std::size_t>(side)]; }

 private:
  class Delivery;

  [[nodiscard]] Side SideOf(probe::Direction direction) const {
    return (direction == probe::Direction::kSent) == (role_ == probe::Role::kClient) ? Side::kRequests : Side::kAnswers;
  }

  const Options& options_;
  decode::MemoryBudget& budget_;
  probe::ConnectionId id_;
  decode::Stream received_;
  decode::Stream sent_;
  std::uint64_t last_ns_[2] = {0, 0};
  std::uint64_t parsed_bytes_ = 0;
  std::unique_ptr<ConnectionCounts> losses_;  // null while there are none: most connections never need it
  probe::Role role_;
  State state_ = State::kUndecided;
  bool mid_stream_;
};

}  // namespace wiregauge::match
