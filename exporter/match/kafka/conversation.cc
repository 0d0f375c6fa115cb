#include "exporter/match/kafka/conversation.h"

#include <algorithm>
#include <charconv>

#include "exporter/decode/kafka/apis.h"

namespace wiregauge::match::kafka {

using decode::kafka::Answer;
using decode::kafka::Api;
using decode::kafka::Request;
using decode::kafka::TopicId;
using decode::kafka::Walk;

namespace {

// A Fetch or a JoinGroup may ask for any time; beyond an hour it is none that anybody waits for.
constexpr std::int32_t kWaitMsMax = 3'600'000;

bool WaitsLong(const Api& api) { return api.key == decode::kafka::kFetch || api.key == decode::kafka::kJoinGroup; }

// The code is certain: everything was read, or an error was met before the first byte that is missing.
bool IsCertain(const Answer& answer) {
  return answer.walk == Walk::kWhole || (answer.walk == Walk::kCut && answer.error != 0);
}

}  // namespace

// Joins a decoder and the conversation during one call. Lives on the stack.
class Conversation::Listener final : public decode::kafka::Handler {
 public:
  Listener(Conversation& conversation, Side side, Sink& sink) : conversation_(conversation), sink_(sink), side_(side) {}

  void OnTopic(std::string_view name) override {
    const Topics::Number topic = conversation_.topics().NumberOf(name);
    (side_ == Side::kRequests ? conversation_.request_topic_ : conversation_.answer_topic_) = topic;
  }
  void OnTopicId(const TopicId& id) override {
    if (side_ == Side::kRequests) {
      const Topics::Number topic = conversation_.topics().Find(id);
      if (topic != Topics::kNone) conversation_.request_topic_ = topic;
    } else if (conversation_.answer_topic_ != Topics::kNone) {
      conversation_.topics().Learn(id, std::exchange(conversation_.answer_topic_, Topics::kNone));
    }
  }
  void OnRequest(const Request& request) override { conversation_.OnRequest(request, sink_); }
  std::optional<Api> OnAnswerBegins(std::int32_t correlation_id) override {
    return conversation_.OnAnswerBegins(correlation_id, sink_);
  }
  void OnAnswer(const Answer& answer) override { conversation_.OnAnswer(answer, sink_); }
  [[nodiscard]] bool IsExpected(std::int32_t correlation_id) const override {
    return conversation_.pairs_.Find(correlation_id) != nullptr;
  }
  void OnLost() override {
    if (side_ == Side::kAnswers) conversation_.answers_lost_ = true;
  }
  void OnNotKafka() override { conversation_.SetState(State::kRefuted); }
  void OnUnparsed(decode::Unparsed reason, std::uint64_t bytes) override { conversation_.Unparsed(reason, bytes); }

 private:
  Conversation& conversation_;
  Sink& sink_;
  Side side_;
};

Conversation::Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget)
    : StreamConversation(open, options, budget),
      requests_(decode::kafka::Kind::kRequests, open.mid_stream),
      answers_(decode::kafka::Kind::kAnswers, open.mid_stream),
      pairs_(budget) {
  WantEveryByte();  // producers send without waiting, and many requests share a segment
}

Conversation::~Conversation() = default;

std::uint64_t Conversation::pending_bytes() const { return requests_.pending_bytes() + answers_.pending_bytes(); }

Topics& Conversation::topics() {
  if (!topics_) topics_ = std::make_unique<Topics>(budget());
  return *topics_;
}

void Conversation::OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) {
  Listener listener(*this, side, sink);
  decode::kafka::Decoder& decoder = side == Side::kRequests ? requests_ : answers_;
  decoder.OnBytes(bytes, time_ns, listener);
  Parsed(decoder.TakeParsedBytes());
}

void Conversation::OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) {
  Listener listener(*this, side, sink);
  decode::kafka::Decoder& decoder = side == Side::kRequests ? requests_ : answers_;
  decoder.OnGap(length, tail, time_ns, listener);
  Parsed(decoder.TakeParsedBytes());
}

void Conversation::OnRequest(const Request& request, Sink& sink) {
  Pairs::Entry entry;
  entry.request = {request.api, TopicOf(request), 0};
  entry.start_ns = request.first_byte_ns;
  entry.last_byte_ns = std::max(request.last_byte_ns, request.first_byte_ns);
  if (request.api.key == decode::kafka::kProduce) {
    // Without acks known it is not known whether an answer comes; with acks=0 none does, whatever becomes of it.
    if (request.acks == 0 && request.walk == Walk::kWhole) SetState(State::kConfirmed);
    if (request.acks == 0 && state() == State::kConfirmed) return Tell(entry, {}, entry.last_byte_ns, sink);
    if (request.acks == 0 || request.acks == Request::kAcksUnknown) {
      ++Losses().unpaired_requests;
      return;
    }
  }
  if (WaitsLong(request.api)) entry.request.wait_ms = std::clamp(request.wait_ms, 0, kWaitMsMax);
  if (request.api.key == decode::kafka::kJoinGroup) rebalance_ms_ = entry.request.wait_ms;
  // The members' answers wait for what the leader sends, for as long as the rebalance may take.
  if (request.api.key == decode::kafka::kSyncGroup) entry.request.wait_ms = rebalance_ms_;
  const std::uint64_t deadline_ns = DeadlineOf(entry);
  std::optional<Pairs::Entry> replaced;
  ConnectionCounts counts;
  const bool kept = pairs_.OnRequest(request.correlation_id, entry, replaced, counts);
  if (replaced) ++counts.unpaired_requests;
  if (!kept || replaced) Losses().Add(counts);
  if (pairs_.size() == 1) expires_at_ns_ = deadline_ns;
}

Topics::Number Conversation::TopicOf(const Request& request) {
  const Topics::Number named = request.topics == 1 ? request_topic_ : Topics::kNone;
  request_topic_ = Topics::kNone;
  if (request.api.key != decode::kafka::kFetch) return named;
  if (request.session_epoch <= 0) {
    session_topic_ = named;
  } else if (request.topics > 1 || (request.topics == 1 && named != session_topic_)) {
    session_topic_ = Topics::kNone;  // it has come to be about several
  }
  return session_topic_;
}

std::optional<Api> Conversation::OnAnswerBegins(std::int32_t correlation_id, Sink& sink) {
  answer_topic_ = Topics::kNone;
  Pairs::Entry* found = pairs_.Find(correlation_id);
  if (found == nullptr) {
    RequestsMustBeThere(sink);
    found = pairs_.Find(correlation_id);
  }
  if (found == nullptr) {
    OnUnmatchedAnswer();
    return std::nullopt;
  }
  SetState(State::kConfirmed);
  requests_.ConfirmKafka();
  answers_.ConfirmKafka();
  if (answers_lost_) DropOlderThan(*found);
  answering_ = pairs_.Take(correlation_id);
  return answering_->request.api;
}

void Conversation::OnUnmatchedAnswer() {
  if (state() == State::kUndecided) return SetState(State::kRefuted);
  if (timeouts_ > 0) {
    --timeouts_;
    ++Losses().late_answers;
  } else {
    ++Losses().unmatched_answers;
  }
}

// A broker answers a connection's requests in their order: the answers to those before were lost.
void Conversation::DropOlderThan(const Pairs::Entry& entry) {
  const std::uint64_t number = entry.number;
  for (const Pairs::Entry* oldest = pairs_.Oldest(); oldest != nullptr && oldest->number < number;
       oldest = pairs_.Oldest()) {
    pairs_.TakeOldest();
    ++Losses().unpaired_requests;
  }
  answers_lost_ = false;
}

void Conversation::OnAnswer(const Answer& answer, Sink& sink) {
  if (!answering_) return;
  const Pairs::Entry entry = *answering_;
  answering_.reset();
  Call call;
  char digits[8];
  if (IsCertain(answer)) {
    const auto end = std::to_chars(std::begin(digits), std::end(digits), answer.error).ptr;
    call.code = std::string_view(digits, static_cast<std::size_t>(end - digits));
    if (answer.error != 0) call.error = decode::kafka::ErrorName(answer.error);
  }
  Tell(entry, call, answer.last_byte_ns, sink);
}

void Conversation::Tell(const Pairs::Entry& entry, Call call, std::uint64_t end_ns, Sink& sink) {
  call.connection = id();
  call.role = role();
  call.system = System::kKafka;
  call.operation = decode::kafka::ApiName(entry.request.api.key);
  if (topics_) call.destination = topics_->NameOf(entry.request.topic);
  call.start_ns = entry.start_ns;
  call.end_ns = std::max(end_ns, entry.start_ns);
  sink.OnCall(call);
}

void Conversation::TellUnanswered(const Pairs::Entry& entry, NoAnswer why, std::uint64_t end_ns, Sink& sink) {
  // On a connection that nobody has answered on, requests that were seen from its beginning are certain enough.
  const bool certain = state() == State::kConfirmed || !mid_stream();
  if (answers_lost_ || !certain) {
    ++Losses().unpaired_requests;
    return;
  }
  SetState(State::kConfirmed);
  Call call;
  call.no_answer = why;
  Tell(entry, call, end_ns, sink);
}

void Conversation::OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) {
  for (const Side side : {Side::kRequests, Side::kAnswers}) {
    Listener listener(*this, side, sink);
    (side == Side::kRequests ? requests_ : answers_).OnClose(listener);
  }
  if (answering_) TellUnanswered(*answering_, why, time_ns, sink);
  answering_.reset();
  pairs_.Drain([&](std::int32_t, const Pairs::Entry& entry) { TellUnanswered(entry, why, time_ns, sink); });
}

std::uint64_t Conversation::DeadlineOf(const Pairs::Entry& entry) const {
  return entry.last_byte_ns + options().answer_timeout_ns + std::uint64_t(entry.request.wait_ms) * 1'000'000;
}

// A request expires after those before it: brokers answer in order, so a long poll holds up what comes behind it.
void Conversation::Expire(std::uint64_t now_ns, Sink& sink) {
  for (const Pairs::Entry* oldest = pairs_.Oldest(); oldest != nullptr; oldest = pairs_.Oldest()) {
    expires_at_ns_ = DeadlineOf(*oldest);
    if (expires_at_ns_ > now_ns) return;
    if (!answers_lost_) ++timeouts_;
    TellUnanswered(pairs_.TakeOldest().second, NoAnswer::kTimeout, now_ns, sink);
  }
}

std::optional<std::uint64_t> Conversation::ExpiresAt() const {
  return pairs_.size() == 0 ? std::nullopt : std::optional(expires_at_ns_);
}

}  // namespace wiregauge::match::kafka
