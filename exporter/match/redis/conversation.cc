#include "exporter/match/redis/conversation.h"

#include <algorithm>

namespace wiregauge::match::redis {

using decode::redis::Answer;
using decode::redis::InfoOf;
using decode::redis::kForever;
using decode::redis::PubSub;
using decode::redis::ReplyMode;
using decode::redis::Request;
using decode::redis::Trait;

namespace {

bool Subscribes(PubSub kind) {
  return kind == PubSub::kSubscribe || kind == PubSub::kPsubscribe || kind == PubSub::kSsubscribe;
}

}  // namespace

// One direction during one call.
class Conversation::Requests final : public decode::redis::RequestHandler {
 public:
  Requests(Conversation& conversation, Sink& sink) : conversation_(conversation), sink_(sink) {}

  void OnRequest(const Request& request, std::uint64_t first_byte_ns) override {
    conversation_.OnRequest(request, first_byte_ns, sink_);
  }
  void OnLost(const Request* open, std::uint64_t first_byte_ns) override {
    conversation_.OnRequestsLost(open, first_byte_ns);
  }
  void OnMalformed() override { conversation_.OnMalformed(); }
  void OnUnparsed(decode::Unparsed reason, std::uint64_t bytes) override { conversation_.Unparsed(reason, bytes); }

 private:
  Conversation& conversation_;
  Sink& sink_;
};

class Conversation::Answers final : public decode::redis::AnswerHandler {
 public:
  Answers(Conversation& conversation, Sink& sink) : conversation_(conversation), sink_(sink) {}

  void OnAnswer(const Answer& answer) override { conversation_.OnAnswer(answer, sink_); }
  void OnLost(bool open) override { conversation_.pairs_.OnAnswersLost(open, conversation_.Losses()); }
  void OnMalformed() override { conversation_.OnMalformed(); }
  void OnUnparsed(decode::Unparsed reason, std::uint64_t bytes) override { conversation_.Unparsed(reason, bytes); }

 private:
  Conversation& conversation_;
  Sink& sink_;
};

Conversation::Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget)
    : StreamConversation(open, options, budget),
      requests_(open.mid_stream),
      answers_(open.mid_stream),
      pairs_(budget, open.mid_stream) {}

void Conversation::OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) {
  if (side == Side::kRequests) {
    Requests handler(*this, sink);
    requests_.OnBytes(bytes, time_ns, handler);
    Parsed(requests_.TakeParsedBytes());
  } else {
    Answers handler(*this, sink);
    answers_.OnBytes(bytes, handler);
    Parsed(answers_.TakeParsedBytes());
  }
}

void Conversation::OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) {
  if (side == Side::kRequests) {
    Requests handler(*this, sink);
    requests_.OnGap(length, tail, time_ns, handler);
    Parsed(requests_.TakeParsedBytes());
  } else {
    Answers handler(*this, sink);
    answers_.OnGap(length, tail, handler);
    Parsed(answers_.TakeParsedBytes());
  }
}

void Conversation::OnMalformed() {
  if (state() == State::kUndecided) SetState(State::kRefuted);
}

// --- requests

void Conversation::OnRequest(const Request& request, std::uint64_t first_byte_ns, Sink& sink) {
  if (state() == State::kRefuted) return;
  if (state() == State::kUndecided && !request.is_inline) SetState(State::kConfirmed);
  if (pairs_.end_lost()) EndLostAnswer(sink);
  answers_.RequestPassed();
  const Trait trait = InfoOf(request.command).trait;
  if (trait == Trait::kMulti) in_multi_ = true;
  if (trait == Trait::kMultiEnds) in_multi_ = false;
  if (trait == Trait::kReset) in_multi_ = replies_off_ = reply_skipped_ = false;
  const Pairs::Entry entry = EntryOf(request, first_byte_ns);
  if (ExpectsAnswer(request)) {
    pairs_.OnRequest(entry, Losses());
    if (pairs_.pipelines()) WantEveryByte();
  } else {
    Tell(entry, {}, NoAnswer::kNone, last_ns(Side::kRequests), sink);
  }
  if (trait == Trait::kSync) LeaveForReplication();
}

bool Conversation::ExpectsAnswer(const Request& request) {
  if (InfoOf(request.command).trait == Trait::kSync) return false;
  const bool skipped = reply_skipped_;
  reply_skipped_ = false;
  if (!in_multi_) {
    if (request.reply_mode == ReplyMode::kOn) replies_off_ = false;
    if (request.reply_mode == ReplyMode::kOff) replies_off_ = true;
    if (request.reply_mode == ReplyMode::kSkip && !replies_off_) {
      reply_skipped_ = true;
      return false;
    }
    if (request.reply_mode == ReplyMode::kOn) return true;
  }
  return !replies_off_ && !skipped;
}

Conversation::Pairs::Entry Conversation::EntryOf(const Request& request, std::uint64_t first_byte_ns) const {
  Pairs::Entry entry;
  entry.request.command = request.command;
  entry.request.blocks_ns = in_multi_ ? 0 : request.blocks_ns;
  entry.request.confirmations = request.arguments;  // UNSUBSCRIBE without a channel leaves all of them
  entry.start_ns = first_byte_ns;
  entry.last_byte_ns = last_ns(Side::kRequests);
  return entry;
}

void Conversation::OnRequestsLost(const Request* open, std::uint64_t first_byte_ns) {
  const bool known = open != nullptr && !replies_off_;
  const Pairs::Entry entry = known ? EntryOf(*open, first_byte_ns) : Pairs::Entry();
  pairs_.OnRequestsLost(known ? &entry : nullptr, last_ns(Side::kRequests), Losses());
}

// --- answers

void Conversation::OnAnswer(const Answer& answer, Sink& sink) {
  if (state() == State::kRefuted) return;
  if (IsPush(answer)) {
    CountSubscriptions(answer);
    return;
  }
  if (pairs_.empty() && !pairs_.suspended()) RequestsMustBeThere(sink);
  if (state() == State::kUndecided) SetState(State::kConfirmed);
  if (IsConfirmation(answer)) return;
  const auto entry = pairs_.OnAnswer(Losses());
  if (!entry) return;
  if (entry->request.blocks_ns != 0) unblocked_ns_ = last_ns(Side::kAnswers);
  const Trait trait = InfoOf(entry->request.command).trait;
  // A transaction's errors are told of EXEC, by the first: its commands were answered with QUEUED before.
  const std::string_view error =
      answer.error.empty() && trait == Trait::kMultiEnds ? answer.element_error : answer.error;
  Tell(*entry, error, NoAnswer::kNone, last_ns(Side::kAnswers), sink);
  if (!error.empty()) return;
  if (trait == Trait::kMonitor) monitoring_ = !answer.queued;
  if (trait == Trait::kReset) {
    monitoring_ = false;
    channels_ = patterns_ = shard_channels_ = 0;
  }
  if (trait == Trait::kPsync && answer.sync) LeaveForReplication();
}

bool Conversation::IsPush(const Answer& answer) const {
  if (answer.monitored && monitoring_) return true;
  const bool resp3 = answer.type == '>';
  if (!resp3 && answer.type != '*') return false;
  const Waiting* front = pairs_.empty() ? nullptr : &pairs_.front().request;
  const auto& info = InfoOf(front != nullptr ? front->command : decode::redis::kOtherCommand);
  if (answer.pubsub == PubSub::kNone) return resp3;
  if (answer.pubsub != PubSub::kMessage) {
    // A confirmation, or a shard channel that the server took away.
    return front != nullptr ? info.pubsub != answer.pubsub && (resp3 || info.trait == Trait::kPubSub)
                            : !pairs_.suspended();
  }
  // In RESP2 a message looks like any array. Who subscribes has hardly any other commands.
  const bool subscribed = channels_ + patterns_ + shard_channels_ > 0;
  return resp3 || subscribed || front == nullptr || info.trait == Trait::kPubSub || info.trait == Trait::kPing ||
         info.trait == Trait::kQuit || info.trait == Trait::kReset;
}

void Conversation::CountSubscriptions(const Answer& answer) {
  if (answer.subscriptions < 0) return;
  const auto left = static_cast<std::uint32_t>(answer.subscriptions);
  switch (answer.pubsub) {
    case PubSub::kSubscribe:
    case PubSub::kUnsubscribe: channels_ = left - std::min(left, patterns_); break;
    case PubSub::kPsubscribe:
    case PubSub::kPunsubscribe: patterns_ = left - std::min(left, channels_); break;
    case PubSub::kSsubscribe:
    case PubSub::kSunsubscribe: shard_channels_ = left; break;
    default: break;
  }
}

bool Conversation::IsConfirmation(const Answer& answer) {
  if (answer.pubsub == PubSub::kNone || pairs_.empty()) return false;
  Waiting& waiting = pairs_.front().request;
  if (InfoOf(waiting.command).pubsub != answer.pubsub) return false;
  CountSubscriptions(answer);
  if (waiting.confirmations > 0) return --waiting.confirmations > 0;
  if (answer.no_channel || Subscribes(answer.pubsub)) return false;
  const std::uint32_t left = answer.pubsub == PubSub::kUnsubscribe    ? channels_
                             : answer.pubsub == PubSub::kPunsubscribe ? patterns_
                                                                      : shard_channels_;
  return left > 0;
}

// The client went on, or the server has been silent: what was lost ended with the last byte.
void Conversation::EndLostAnswer(Sink& sink) {
  const auto entry = pairs_.EndLostAnswer(Losses());
  if (entry) Tell(*entry, {}, NoAnswer::kNone, last_ns(Side::kAnswers), sink);
}

void Conversation::LeaveForReplication() {
  struct Counter final : decode::redis::RequestHandler, decode::redis::AnswerHandler {
    explicit Counter(Conversation& the_conversation) : conversation(the_conversation) {}
    void OnRequest(const Request&, std::uint64_t) override {}
    void OnAnswer(const Answer&) override {}
    void OnLost(const Request*, std::uint64_t) override {}
    void OnLost(bool) override {}
    void OnMalformed() override {}
    void OnUnparsed(decode::Unparsed reason, std::uint64_t bytes) override { conversation.Unparsed(reason, bytes); }
    Conversation& conversation;
  };
  Counter counter(*this);
  requests_.Stop(decode::Unparsed::kReplication, counter);
  answers_.Stop(decode::Unparsed::kReplication, counter);
  pairs_.Suspend(Losses());
  Finish(decode::Unparsed::kReplication);
}

// --- deadlines and the end

// Nothing for a command that may wait for ever, and for what waits behind it.
std::optional<std::uint64_t> Conversation::DeadlineOf(const Pairs::Entry& entry) const {
  if (entry.request.blocks_ns == kForever) return std::nullopt;
  return std::max(entry.last_byte_ns, unblocked_ns_) + entry.request.blocks_ns + options().answer_timeout_ns;
}

std::optional<std::uint64_t> Conversation::ExpiresAt() const {
  if (pairs_.end_lost()) return last_ns(Side::kAnswers) + options().lost_end_timeout_ns;
  const Pairs::Entry* entry = pairs_.NextWithDeadline();
  return entry != nullptr ? DeadlineOf(*entry) : std::nullopt;
}

void Conversation::Expire(std::uint64_t now_ns, Sink& sink) {
  if (pairs_.end_lost()) {
    if (last_ns(Side::kAnswers) + options().lost_end_timeout_ns <= now_ns) EndLostAnswer(sink);
    return;
  }
  while (const Pairs::Entry* entry = pairs_.NextWithDeadline()) {
    const auto deadline_ns = DeadlineOf(*entry);
    if (!deadline_ns || *deadline_ns > now_ns) return;
    if (answers_.in_answer()) return;  // it has begun
    pairs_.PassDeadline();
    Tell(*entry, {}, NoAnswer::kTimeout, *deadline_ns, sink);
  }
}

void Conversation::OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) {
  if (pairs_.end_lost() && why == NoAnswer::kConnectionClosed) EndLostAnswer(sink);
  pairs_.Drain([&](const Pairs::Entry& entry) {
    // SHUTDOWN that succeeds is answered by the end.
    const bool done = InfoOf(entry.request.command).trait == Trait::kShutdown;
    Tell(entry, {}, done ? NoAnswer::kNone : why, time_ns, sink);
  });
  Requests requests(*this, sink);
  requests_.OnClose(requests);
  Answers answers(*this, sink);
  answers_.OnClose(answers);
}

void Conversation::Tell(const Pairs::Entry& entry, std::string_view error, NoAnswer no_answer, std::uint64_t end_ns,
                        Sink& sink) {
  Call call;
  call.connection = id();
  call.role = role();
  call.system = System::kRedis;
  call.operation = InfoOf(entry.request.command).name;
  call.code = error;
  call.error = error;
  call.no_answer = no_answer;
  call.start_ns = entry.start_ns;
  call.end_ns = std::max(end_ns, entry.start_ns);
  sink.OnCall(call);
}

}  // namespace wiregauge::match::redis
