// One memcached connection: every command of a pipeline is a request of its own. Answers come in order; a command with
// noreply has none, a quiet meta command has one only when its outcome is not the usual one. Pure: time comes with the
// records and OnTick. One thread.
#pragma once

#include <cstdint>
#include <optional>

#include "exporter/decode/memcached/decoder.h"
#include "exporter/match/ordered_turns.h"
#include "exporter/match/stream_conversation.h"

namespace wiregauge::match::memcached {

class Conversation final : public StreamConversation {
 public:
  Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget);

  [[nodiscard]] std::uint64_t pending_bytes() const override {
    return requests_.pending_bytes() + answers_.pending_bytes();
  }

 private:
  class Requests;
  class Answers;
  using Pairs = OrderedTurns<decode::memcached::Request>;

  void OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) override;
  void OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) override;
  void OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) override;
  void Expire(std::uint64_t now_ns, Sink& sink) override;
  [[nodiscard]] std::optional<std::uint64_t> ExpiresAt() const override;

  void OnRequest(const decode::memcached::Request& request, std::uint64_t first_byte_ns, Sink& sink);
  void OnAnswer(const decode::memcached::Answer& answer, Sink& sink);
  void OnMalformed();
  void EndLostAnswer(Sink& sink);
  // Which of the requests that wait it answers: the oldest, or one behind quiet ones. Nothing when it fits none.
  [[nodiscard]] std::optional<std::uint32_t> FindAnswered(const decode::memcached::Answer& answer);
  void Tell(const Pairs::Entry& entry, decode::memcached::Code code, NoAnswer no_answer, std::uint64_t end_ns,
            Sink& sink);

  decode::memcached::RequestDecoder requests_;
  decode::memcached::AnswerDecoder answers_;
  Pairs pairs_;
};

}  // namespace wiregauge::match::memcached
