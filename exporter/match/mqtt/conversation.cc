#include "exporter/match/mqtt/conversation.h"

#include <algorithm>
#include <array>

namespace wiregauge::match::mqtt {

using decode::mqtt::PacketType;
using decode::mqtt::Walk;

namespace {

// Keys of what waits: a packet identifier and whose it is, or one of these.
constexpr std::uint32_t kOfServer = 1u << 16;  // beside an identifier
constexpr std::uint32_t kConnectKey = 2u << 16;
constexpr std::uint32_t kAuthKey = 3u << 16;
constexpr std::uint32_t kPingKey = 4u << 16;  // with its number

// Brokers allow 10 to some hundred; a client that uses more is told without those topics.
constexpr std::size_t kAliasesMax = 1'024;

constexpr std::uint8_t kContinueAuthentication = 0x18;
constexpr std::uint8_t kFirstError = 0x80;

constexpr std::array<std::string_view, 9> kOperationNames = {
    "connect", "publish", "deliver", "release", "subscribe", "unsubscribe", "ping", "disconnect", "auth"};

constexpr std::uint32_t KeyOf(Side owner, std::uint16_t id) { return owner == Side::kRequests ? id : kOfServer | id; }
constexpr Side Other(Side side) { return side == Side::kRequests ? Side::kAnswers : Side::kRequests; }
constexpr std::size_t Index(Side side) { return static_cast<std::size_t>(side); }

// Who answers the operation with that key.
constexpr Side AnswersFrom(std::uint32_t key) {
  return key >= kOfServer && key < kConnectKey ? Side::kRequests : Side::kAnswers;
}

}  // namespace

// Joins a decoder and the conversation during one call. Lives on the stack.
class Conversation::Listener final : public decode::mqtt::Handler {
 public:
  Listener(Conversation& conversation, Side side, Sink& sink) : conversation_(conversation), sink_(sink), side_(side) {}

  void OnPacket(const Packet& packet) override { conversation_.OnPacket(side_, packet, sink_); }
  void OnLost() override { conversation_.OnLost(side_); }
  void OnNotMqtt() override { conversation_.SetState(State::kRefuted); }
  void OnUnparsed(decode::Unparsed reason, std::uint64_t bytes) override { conversation_.Unparsed(reason, bytes); }

 private:
  Conversation& conversation_;
  Sink& sink_;
  Side side_;
};

Conversation::Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget)
    : StreamConversation(open, options, budget),
      client_(decode::mqtt::Side::kClient, open.mid_stream),
      server_(decode::mqtt::Side::kServer, open.mid_stream),
      pairs_(budget) {
  WantEveryByte();  // messages of QoS 0 are never answered, and many share a segment
}

Conversation::~Conversation() = default;

std::uint64_t Conversation::pending_bytes() const { return client_.pending_bytes() + server_.pending_bytes(); }

void Conversation::OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) {
  Listener listener(*this, side, sink);
  decode::mqtt::Decoder& decoder = side == Side::kRequests ? client_ : server_;
  decoder.OnBytes(bytes, time_ns, listener);
  Parsed(decoder.TakeParsedBytes());
}

void Conversation::OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) {
  Listener listener(*this, side, sink);
  decode::mqtt::Decoder& decoder = side == Side::kRequests ? client_ : server_;
  decoder.OnGap(length, tail, time_ns, listener);
  Parsed(decoder.TakeParsedBytes());
}

void Conversation::Confirm() {
  SetState(State::kConfirmed);
  client_.ConfirmMqtt();
  server_.ConfirmMqtt();
}

void Conversation::OnPacket(Side side, const Packet& packet, Sink& sink) {
  if (state() == State::kUndecided && !mid_stream() && packet.type != PacketType::kConnect) {
    return SetState(State::kRefuted);  // nothing may come before (section 3.1)
  }
  switch (packet.type) {
    case PacketType::kConnect: return OnConnect(packet);
    case PacketType::kPublish: return OnPublish(side, packet, sink);
    case PacketType::kConnAck:
    case PacketType::kPubAck:
    case PacketType::kPubRec:
    case PacketType::kPubRel:
    case PacketType::kPubComp:
    case PacketType::kSubAck:
    case PacketType::kUnsubAck:
    case PacketType::kPingResp: return OnAcknowledgement(side, packet, sink);
    case PacketType::kSubscribe: return Begin(KeyOf(side, packet.id), Operation::kSubscribe, packet, packet.topic);
    case PacketType::kUnsubscribe: return Begin(KeyOf(side, packet.id), Operation::kUnsubscribe, packet, packet.topic);
    case PacketType::kPingReq: return Begin(kPingKey | pings_sent_++, Operation::kPing, packet, {});
    case PacketType::kDisconnect: return OnDisconnect(packet, sink);
    case PacketType::kAuth: return OnAuth(side, packet, sink);
    case PacketType::kReserved: break;
  }
}

void Conversation::OnConnect(const Packet& packet) {
  const bool fits = packet.level >= decode::mqtt::kLevel31 && packet.level <= decode::mqtt::kLevel5;
  if (!fits && state() == State::kUndecided) return SetState(State::kRefuted);
  level_ = packet.level;
  client_.SetLevel(level_);
  server_.SetLevel(level_);
  Confirm();
  Begin(kConnectKey, Operation::kConnect, packet, {});
}

void Conversation::OnPublish(Side side, const Packet& packet, Sink& sink) {
  const std::string_view topic = TopicOf(side, packet);
  const Operation operation = side == Side::kRequests ? Operation::kPublish : Operation::kDeliver;
  if (packet.qos > 0) {
    const std::uint32_t key = KeyOf(side, packet.id);
    // A retransmission while the first is not acknowledged: still the same message.
    if (packet.dup && packet.id != 0 && pairs_.Find(key) != nullptr) return;
    return Begin(key, operation, packet, topic);
  }
  if (state() != State::kConfirmed) {
    ++Losses().unpaired_requests;
    return;
  }
  Pairs::Entry entry;
  entry.request.operation = operation;
  entry.start_ns = packet.first_byte_ns;
  Tell(entry, Packet::kNoCode, NoAnswer::kNone, topic, packet.last_byte_ns, sink);
}

std::string_view Conversation::TopicOf(Side side, const Packet& packet) {
  if (packet.alias == 0 || packet.walk != Walk::kWhole) return packet.topic;
  std::unique_ptr<Aliases>& aliases = aliases_[Index(side)];
  if (!aliases) aliases = std::make_unique<Aliases>();
  if (packet.topic.empty()) {
    const auto found = aliases->find(packet.alias);
    return found == aliases->end() ? std::string_view() : std::string_view(found->second);
  }
  if (aliases->size() < kAliasesMax || aliases->contains(packet.alias)) {
    (*aliases)[packet.alias].assign(packet.topic);
  }
  return packet.topic;
}

void Conversation::OnAcknowledgement(Side side, const Packet& packet, Sink& sink) {
  const Side owner = Other(side);
  switch (packet.type) {
    case PacketType::kConnAck: {
      const bool old_code = level_ < decode::mqtt::kLevel5 && packet.code > 0;
      const std::int16_t code =
          old_code ? decode::mqtt::ReasonOfReturnCode(static_cast<std::uint8_t>(packet.code)) : packet.code;
      return End(kConnectKey, side, code, packet.last_byte_ns, sink);
    }
    case PacketType::kPingResp: {
      const bool waits = pings_answered_ != pings_sent_;
      return End(kPingKey | (waits ? pings_answered_++ : pings_sent_), side, Packet::kNoCode, packet.last_byte_ns,
                 sink);
    }
    case PacketType::kPubRel: {
      // From the message's sender: the second half of QoS 2. Its first half may have gone over an earlier connection.
      const std::uint32_t key = KeyOf(side, packet.id);
      if (packet.id != 0 && pairs_.Find(key) == nullptr) Begin(key, Operation::kRelease, packet, {});
      return;
    }
    case PacketType::kPubRec: {
      if (packet.code >= kFirstError) break;
      if (packet.id != 0 && Answered(KeyOf(owner, packet.id), side, sink) != nullptr) Confirm();
      return;
    }
    default: break;
  }
  if (packet.id == 0) return OnLost(side);  // whose acknowledgement it is was not seen
  // Without a reason code an acknowledgement says success (section 3.4.2.1).
  const bool implied = packet.code == Packet::kNoCode && packet.walk == Walk::kWhole &&
                       packet.type != PacketType::kSubAck && packet.type != PacketType::kUnsubAck;
  End(KeyOf(owner, packet.id), side, implied ? std::int16_t{0} : packet.code, packet.last_byte_ns, sink);
}

void Conversation::OnDisconnect(const Packet& packet, Sink& sink) {
  if (state() != State::kConfirmed) return;
  Pairs::Entry entry;
  entry.request.operation = Operation::kDisconnect;
  entry.start_ns = packet.first_byte_ns;
  const std::int16_t code =
      packet.code == Packet::kNoCode && packet.walk == Walk::kWhole ? std::int16_t{0} : packet.code;
  Tell(entry, code, NoAnswer::kNone, {}, packet.last_byte_ns, sink);
}

// An exchange inside a CONNECT is part of it; later ones are begun by the client and ended by the server
// (section 4.12).
void Conversation::OnAuth(Side side, const Packet& packet, Sink& sink) {
  if (pairs_.Find(kConnectKey) != nullptr) return;
  if (side == Side::kRequests) {
    if (pairs_.Find(kAuthKey) == nullptr) Begin(kAuthKey, Operation::kAuth, packet, {});
    return;
  }
  if (packet.code == kContinueAuthentication) return;
  End(kAuthKey, side, packet.code == Packet::kNoCode && packet.walk == Walk::kWhole ? std::int16_t{0} : packet.code,
      packet.last_byte_ns, sink);
}

// What waits for an answer of that side may have had it in what was lost.
void Conversation::OnLost(Side side) {
  uncertain_[Index(side)] = last_number_;
  for (; pings_answered_ != pings_sent_; ++pings_answered_) {  // they have no identifier
    Losses().unpaired_requests += pairs_.Take(kPingKey | pings_answered_) ? 1 : 0;
  }
  aliases_[Index(side)].reset();
}

void Conversation::Begin(std::uint32_t key, Operation operation, const Packet& packet, std::string_view topic) {
  if (key < kConnectKey && packet.id == 0) {
    ++Losses().unpaired_requests;
    return;
  }
  Pairs::Entry entry;
  entry.request = {operation, packet.qos, topics_.Keep(topic)};
  entry.start_ns = packet.first_byte_ns;
  entry.last_byte_ns = std::max(packet.last_byte_ns, packet.first_byte_ns);
  std::optional<Pairs::Entry> replaced;
  ConnectionCounts counts;
  const bool kept = pairs_.OnRequest(key, entry, replaced, counts);
  if (kept) ++last_number_;
  if (!kept) topics_.Forget(entry.request.topic);
  if (replaced) {
    topics_.Forget(replaced->request.topic);
    counts.unpaired_requests += replaced->request.operation == Operation::kRelease ? 0 : 1;
  }
  if (!kept || replaced) Losses().Add(counts);
  if (pairs_.size() == 1) expires_at_ns_ = entry.last_byte_ns + options().answer_timeout_ns;
}

Conversation::Pairs::Entry* Conversation::Answered(std::uint32_t key, Side side, Sink& sink) {
  Pairs::Entry* found = pairs_.Find(key);
  if (found == nullptr && side == Side::kAnswers) {
    RequestsMustBeThere(sink);
    found = pairs_.Find(key);
  }
  if (found != nullptr) return found;
  if (timeouts_ > 0) {
    --timeouts_;
    ++Losses().late_answers;
  } else {
    ++Losses().unmatched_answers;
  }
  return nullptr;
}

void Conversation::End(std::uint32_t key, Side side, std::int16_t code, std::uint64_t end_ns, Sink& sink) {
  if (Answered(key, side, sink) == nullptr) return;
  Confirm();
  const Pairs::Entry entry = *pairs_.Take(key);
  Tell(entry, code, NoAnswer::kNone, topics_.TextOf(entry.request.topic), end_ns, sink);
  topics_.Forget(entry.request.topic);
}

void Conversation::Tell(const Pairs::Entry& entry, std::int16_t code, NoAnswer no_answer, std::string_view topic,
                        std::uint64_t end_ns, Sink& sink) {
  if (entry.request.operation == Operation::kRelease) return;
  Call call;
  call.connection = id();
  call.role = role();
  call.system = System::kMqtt;
  call.operation = kOperationNames[static_cast<std::size_t>(entry.request.operation)];
  call.destination = topic;
  if (code >= 0) call.code = decode::mqtt::CodeText(static_cast<std::uint8_t>(code));
  if (code >= kFirstError) call.error = decode::mqtt::ReasonName(static_cast<std::uint8_t>(code));
  call.no_answer = no_answer;
  call.start_ns = entry.start_ns;
  call.end_ns = std::max(end_ns, entry.start_ns);
  sink.OnCall(call);
}

void Conversation::TellUnanswered(std::uint32_t key, const Pairs::Entry& entry, NoAnswer why, std::uint64_t end_ns,
                                  Sink& sink) {
  const bool lost = entry.number <= uncertain_[Index(AnswersFrom(key))];
  if (lost || state() != State::kConfirmed) {
    Losses().unpaired_requests += entry.request.operation == Operation::kRelease ? 0 : 1;
  } else {
    timeouts_ += why == NoAnswer::kTimeout ? 1 : 0;
    Tell(entry, Packet::kNoCode, why, topics_.TextOf(entry.request.topic), end_ns, sink);
  }
  topics_.Forget(entry.request.topic);
}

void Conversation::OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) {
  for (const Side side : {Side::kRequests, Side::kAnswers}) {
    Listener listener(*this, side, sink);
    (side == Side::kRequests ? client_ : server_).OnClose(listener);
  }
  pairs_.Drain([&](std::uint32_t key, const Pairs::Entry& entry) { TellUnanswered(key, entry, why, time_ns, sink); });
}

void Conversation::Expire(std::uint64_t now_ns, Sink& sink) {
  for (const Pairs::Entry* oldest = pairs_.Oldest(); oldest != nullptr; oldest = pairs_.Oldest()) {
    expires_at_ns_ = oldest->last_byte_ns + options().answer_timeout_ns;
    if (expires_at_ns_ > now_ns) return;
    const auto [key, entry] = pairs_.TakeOldest();
    TellUnanswered(key, entry, NoAnswer::kTimeout, now_ns, sink);
  }
}

std::optional<std::uint64_t> Conversation::ExpiresAt() const {
  return pairs_.size() == 0 ? std::nullopt : std::optional(expires_at_ns_);
}

}  // namespace wiregauge::match::mqtt
