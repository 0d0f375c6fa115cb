// One MQTT connection. Messages go both ways: what the client publishes is "publish", what the broker hands to it is
// "deliver"; each ends with its last acknowledgement. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "exporter/decode/mqtt/decoder.h"
#include "exporter/match/mqtt/topic_slots.h"
#include "exporter/match/pairs_by_id.h"
#include "exporter/match/stream_conversation.h"

namespace wiregauge::match::mqtt {

enum class Operation : std::uint8_t {
  kConnect,
  kPublish,
  kDeliver,
  kRelease,  // the second half of a QoS 2 message whose first half went over an earlier connection: not told
  kSubscribe,
  kUnsubscribe,
  kPing,
  kDisconnect,
  kAuth,
};

// What is kept of an operation until it ends.
struct Waiting {
  Operation operation = Operation::kPublish;
  std::uint8_t qos = 0;
  TopicSlots::Slot topic = TopicSlots::kNone;
};

class Conversation final : public StreamConversation {
 public:
  Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget);
  ~Conversation() override;

  [[nodiscard]] std::uint64_t pending_bytes() const override;

 private:
  class Listener;
  using Pairs = PairsById<std::uint32_t, Waiting>;
  using Packet = decode::mqtt::Packet;
  // Topics by the alias that one side has given them (section 3.3.2.3.4).
  using Aliases = absl::flat_hash_map<std::uint16_t, std::string>;

  void OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) override;
  void OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) override;
  void OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) override;
  void Expire(std::uint64_t now_ns, Sink& sink) override;
  [[nodiscard]] std::optional<std::uint64_t> ExpiresAt() const override;

  void OnPacket(Side side, const Packet& packet, Sink& sink);
  void OnPublish(Side side, const Packet& packet, Sink& sink);
  void OnAcknowledgement(Side side, const Packet& packet, Sink& sink);
  void OnConnect(const Packet& packet);
  void OnDisconnect(const Packet& packet, Sink& sink);
  void OnAuth(Side side, const Packet& packet, Sink& sink);
  void OnLost(Side side);

  void Begin(std::uint32_t key, Operation operation, const Packet& packet, std::string_view topic);
  // An answer to `key` came from `side`: the operation that it ends, null when there is none (counted).
  Pairs::Entry* Answered(std::uint32_t key, Side side, Sink& sink);
  void End(std::uint32_t key, Side side, std::int16_t code, std::uint64_t end_ns, Sink& sink);
  void TellUnanswered(std::uint32_t key, const Pairs::Entry& entry, NoAnswer why, std::uint64_t end_ns, Sink& sink);
  void Tell(const Pairs::Entry& entry, std::int16_t code, NoAnswer no_answer, std::string_view topic,
            std::uint64_t end_ns, Sink& sink);
  std::string_view TopicOf(Side side, const Packet& packet);
  void Confirm();

  decode::mqtt::Decoder client_;
  decode::mqtt::Decoder server_;
  Pairs pairs_;
  TopicSlots topics_;
  std::unique_ptr<Aliases> aliases_[2];  // by Side; null until one is given
  std::uint64_t uncertain_[2] = {0, 0};  // by Side: what began up to this number may have been answered in a loss there
  std::uint64_t expires_at_ns_ = 0;      // not after the first deadline; only while something waits
  std::uint64_t timeouts_ = 0;           // told, their late answers not seen yet
  std::uint64_t last_number_ = 0;        // of what began
  std::uint16_t pings_sent_ = 0;
  std::uint16_t pings_answered_ = 0;
  std::uint8_t level_ = decode::mqtt::kUnknownLevel;
};

}  // namespace wiregauge::match::mqtt
