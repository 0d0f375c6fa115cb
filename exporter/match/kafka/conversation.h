// One Kafka connection: requests and answers paired by their correlation id, told as calls whose operation is the API
// and whose destination is the topic, when there is one topic. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "exporter/decode/kafka/decoder.h"
#include "exporter/match/kafka/topics.h"
#include "exporter/match/pairs_by_id.h"
#include "exporter/match/stream_conversation.h"

namespace wiregauge::match::kafka {

// What is kept of a request until its answer comes.
struct Pending {
  decode::kafka::Api api;
  Topics::Number topic = Topics::kNone;
  std::int32_t wait_ms = 0;  // that the broker may take, beyond the time every answer has
};

class Conversation final : public StreamConversation {
 public:
  Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget);
  ~Conversation() override;

  [[nodiscard]] std::uint64_t pending_bytes() const override;

 private:
  class Listener;
  using Pairs = PairsById<std::int32_t, Pending>;

  void OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) override;
  void OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) override;
  void OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) override;
  void Expire(std::uint64_t now_ns, Sink& sink) override;
  [[nodiscard]] std::optional<std::uint64_t> ExpiresAt() const override;

  void OnRequest(const decode::kafka::Request& request, Sink& sink);
  std::optional<decode::kafka::Api> OnAnswerBegins(std::int32_t correlation_id, Sink& sink);
  void OnAnswer(const decode::kafka::Answer& answer, Sink& sink);
  void OnUnmatchedAnswer();
  // What a request that came to no answer is told as, or counted as while answers may have been lost.
  void TellUnanswered(const Pairs::Entry& entry, NoAnswer why, std::uint64_t end_ns, Sink& sink);
  void Tell(const Pairs::Entry& entry, Call call, std::uint64_t end_ns, Sink& sink);
  // The topic that a request is about, when it is one.
  Topics::Number TopicOf(const decode::kafka::Request& request);
  Topics& topics();
  void DropOlderThan(const Pairs::Entry& entry);
  [[nodiscard]] std::uint64_t DeadlineOf(const Pairs::Entry& entry) const;

  decode::kafka::Decoder requests_;
  decode::kafka::Decoder answers_;
  Pairs pairs_;
  std::unique_ptr<Topics> topics_;                // null until one is named
  std::optional<Pairs::Entry> answering_;         // whose answer has begun
  std::uint64_t expires_at_ns_ = 0;               // not after the first deadline; only while requests wait
  std::uint64_t timeouts_ = 0;                    // told, their late answers not seen yet
  std::int32_t rebalance_ms_ = 0;                 // of the last JoinGroup
  Topics::Number request_topic_ = Topics::kNone;  // of the request being read
  Topics::Number answer_topic_ = Topics::kNone;   // the last that the answer being read has named
  Topics::Number session_topic_ = Topics::kNone;  // of the fetch session (KIP-227), when it has only one
  bool answers_lost_ = false;                     // since the last answer that was paired
};

}  // namespace wiregauge::match::kafka
