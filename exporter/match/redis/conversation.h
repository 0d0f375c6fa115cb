// One Redis connection: every command of a pipeline is a request of its own, from its first byte to the last byte of
// its own answer. Knows which commands have several answers, or none, or wait (publish/subscribe, CLIENT REPLY, BLPOP,
// …), and what a server sends unasked. Pure: time comes with the records and OnTick. One thread.
#pragma once

#include <cstdint>
#include <optional>

#include "exporter/decode/redis/decoder.h"
#include "exporter/match/ordered_turns.h"
#include "exporter/match/stream_conversation.h"

namespace wiregauge::match::redis {

class Conversation final : public StreamConversation {
 public:
  Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget);

  [[nodiscard]] std::uint64_t pending_bytes() const override {
    return requests_.pending_bytes() + answers_.pending_bytes();
  }

 private:
  class Requests;
  class Answers;

  // What is kept of a command until its answer comes.
  struct Waiting {
    std::uint64_t blocks_ns = 0;
    std::uint32_t confirmations = 0;  // that are to come; 0: until no subscription of the kind is left
    decode::redis::CommandId command = decode::redis::kOtherCommand;
  };
  using Pairs = OrderedTurns<Waiting>;

  void OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) override;
  void OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) override;
  void OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) override;
  void Expire(std::uint64_t now_ns, Sink& sink) override;
  [[nodiscard]] std::optional<std::uint64_t> ExpiresAt() const override;

  void OnRequest(const decode::redis::Request& request, std::uint64_t first_byte_ns, Sink& sink);
  void OnAnswer(const decode::redis::Answer& answer, Sink& sink);
  void OnRequestsLost(const decode::redis::Request* open, std::uint64_t first_byte_ns);
  void OnMalformed();
  [[nodiscard]] Pairs::Entry EntryOf(const decode::redis::Request& request, std::uint64_t first_byte_ns) const;
  // CLIENT REPLY: whether an answer to the command will come.
  bool ExpectsAnswer(const decode::redis::Request& request);
  // The answer whose end was lost is over.
  void EndLostAnswer(Sink& sink);
  // Something the server sent unasked.
  [[nodiscard]] bool IsPush(const decode::redis::Answer& answer) const;
  // Of the oldest command, which is not answered by it yet.
  bool IsConfirmation(const decode::redis::Answer& answer);
  void CountSubscriptions(const decode::redis::Answer& answer);
  void LeaveForReplication();
  [[nodiscard]] std::optional<std::uint64_t> DeadlineOf(const Pairs::Entry& entry) const;
  void Tell(const Pairs::Entry& entry, std::string_view error, NoAnswer no_answer, std::uint64_t end_ns, Sink& sink);

  decode::redis::RequestDecoder requests_;
  decode::redis::AnswerDecoder answers_;
  Pairs pairs_;
  std::uint64_t unblocked_ns_ = 0;  // when the last command that may block was answered: those behind it waited
  std::uint32_t channels_ = 0;      // subscriptions, as the server confirmed them
  std::uint32_t patterns_ = 0;
  std::uint32_t shard_channels_ = 0;
  bool in_multi_ : 1 = false;
  bool monitoring_ : 1 = false;
  bool replies_off_ : 1 = false;
  bool reply_skipped_ : 1 = false;  // of the next command
};

}  // namespace wiregauge::match::redis
