#include "exporter/match/memcached/conversation.h"

#include <algorithm>

namespace wiregauge::match::memcached {

using decode::memcached::Answer;
using decode::memcached::Code;
using decode::memcached::Command;
using decode::memcached::Request;

namespace {

constexpr std::uint32_t Bit(Code code) { return 1u << static_cast<unsigned>(code); }

template <typename... Codes>
constexpr std::uint32_t Bits(Codes... codes) {
  return (Bit(codes) | ... | 0u);
}

constexpr std::uint32_t kErrors = Bits(Code::kError, Code::kClientError, Code::kServerError);

// What the server may answer to a command, errors apart (doc/protocol.txt).
std::uint32_t CodesOf(Command command) {
  switch (command) {
    case Command::kGet:
    case Command::kGets:
    case Command::kGat:
    case Command::kGats: return Bits(Code::kEnd, Code::kValue);
    case Command::kSet:
    case Command::kAdd:
    case Command::kReplace:
    case Command::kAppend:
    case Command::kPrepend:
    case Command::kCas: return Bits(Code::kStored, Code::kNotStored, Code::kExists, Code::kNotFound);
    case Command::kIncr:
    case Command::kDecr: return Bits(Code::kNumber, Code::kNotFound);
    case Command::kDelete: return Bits(Code::kDeleted, Code::kNotFound);
    case Command::kTouch: return Bits(Code::kTouched, Code::kNotFound);
    case Command::kMetaGet: return Bits(Code::kMetaValue, Code::kMetaHit, Code::kMetaMiss);
    case Command::kMetaSet: return Bits(Code::kMetaHit, Code::kMetaNotStored, Code::kMetaExists, Code::kMetaNotFound);
    case Command::kMetaDelete: return Bits(Code::kMetaHit, Code::kMetaNotFound, Code::kMetaExists);
    case Command::kMetaArithmetic:
      return Bits(Code::kMetaValue, Code::kMetaHit, Code::kMetaNotFound, Code::kMetaNotStored, Code::kMetaExists);
    case Command::kMetaNoop: return Bit(Code::kMetaNoop);
    case Command::kMetaDebug: return Bits(Code::kMetaDebug, Code::kMetaMiss);
    case Command::kVersion: return Bit(Code::kVersion);
    case Command::kStats: return Bits(Code::kEnd, Code::kReset, Code::kOk);
    case Command::kLruCrawler: return Bits(Code::kEnd, Code::kOk, Code::kBusy, Code::kMetaMiss);
    case Command::kOther: return 0;
    default: return Bits(Code::kOk, Code::kBusy, Code::kEnd);
  }
}

// The outcome of a quiet command that no answer came to; kNone when there may be several.
Code SilentCode(Command command) {
  switch (command) {
    case Command::kMetaGet: return Code::kMetaMiss;
    case Command::kMetaSet:
    case Command::kMetaArithmetic: return Code::kMetaHit;
    default: return Code::kNone;  // md: HD or NF
  }
}

// What a quiet command is answered with all the same.
std::uint32_t LoudCodesOf(Command command) {
  const std::uint32_t codes = CodesOf(command) & ~Bit(SilentCode(command));
  return command == Command::kMetaArithmetic ? codes & ~Bit(Code::kMetaValue)
         : command == Command::kMetaDelete   ? codes & ~Bit(Code::kMetaHit)
                                             : codes;
}

}  // namespace

// One direction during one call.
class Conversation::Requests final : public decode::memcached::RequestHandler {
 public:
  Requests(Conversation& conversation, Sink& sink) : conversation_(conversation), sink_(sink) {}

  void OnRequest(const Request& request, std::uint64_t first_byte_ns) override {
    conversation_.OnRequest(request, first_byte_ns, sink_);
  }
  void OnLost(const Request* open, std::uint64_t first_byte_ns) override {
    const std::uint64_t last_ns = conversation_.last_ns(Side::kRequests);
    Pairs::Entry entry{
        .request = open != nullptr ? *open : Request(), .start_ns = first_byte_ns, .last_byte_ns = last_ns};
    const bool answered = open != nullptr && !open->noreply && !open->quiet;
    conversation_.pairs_.OnRequestsLost(answered ? &entry : nullptr, last_ns, conversation_.Losses());
  }
  void OnMalformed() override { conversation_.OnMalformed(); }
  void OnUnparsed(decode::Unparsed reason, std::uint64_t bytes) override { conversation_.Unparsed(reason, bytes); }

 private:
  Conversation& conversation_;
  Sink& sink_;
};

class Conversation::Answers final : public decode::memcached::AnswerHandler {
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

void Conversation::OnRequest(const Request& request, std::uint64_t first_byte_ns, Sink& sink) {
  if (state() == State::kRefuted) return;
  if (pairs_.end_lost()) EndLostAnswer(sink);
  answers_.RequestPassed();
  const Pairs::Entry entry{.request = request, .start_ns = first_byte_ns, .last_byte_ns = last_ns(Side::kRequests)};
  const bool answered = !request.noreply && request.command != Command::kQuit;
  // Before the first answer it may be another protocol yet, which has to be told everything.
  if (!answered && state() == State::kUndecided) SetState(State::kConfirmed);
  if (!answered) return Tell(entry, Code::kNone, NoAnswer::kNone, last_ns(Side::kRequests), sink);
  if (pairs_.suspended() && request.quiet) {  // no turn can tell whether its answer is missing
    ++Losses().unpaired_requests;
    return;
  }
  pairs_.OnRequest(entry, Losses());
  if (pairs_.pipelines()) WantEveryByte();
}

void Conversation::OnAnswer(const Answer& answer, Sink& sink) {
  if (state() == State::kRefuted) return;
  if (pairs_.empty() && !pairs_.suspended()) RequestsMustBeThere(sink);
  if (state() == State::kUndecided) SetState(State::kConfirmed);
  if (pairs_.empty()) {
    pairs_.OnAnswer(Losses());
    return;
  }
  const auto answered = FindAnswered(answer);
  if (!answered) {
    ++Losses().unmatched_answers;
    pairs_.Suspend(Losses());
    return;
  }
  const std::uint64_t now_ns = last_ns(Side::kAnswers);
  for (std::uint32_t i = 0; i < *answered; ++i) {
    const auto silent = pairs_.Pairs::OnAnswer(Losses());
    if (silent) Tell(*silent, SilentCode(silent->request.command), NoAnswer::kNone, now_ns, sink);
  }
  const auto entry = pairs_.OnAnswer(Losses());
  if (entry) Tell(*entry, answer.code, NoAnswer::kNone, now_ns, sink);
}

std::optional<std::uint32_t> Conversation::FindAnswered(const Answer& answer) {
  for (std::uint32_t i = 0; i < pairs_.size(); ++i) {
    const Request& request = pairs_.at(i).request;
    const bool error = (Bit(answer.code) & kErrors) != 0;
    if (!request.quiet) {
      const bool fits = error || (Bit(answer.code) & CodesOf(request.command)) != 0;
      return fits ? std::optional(i) : std::nullopt;
    }
    const bool possible = error || (Bit(answer.code) & LoudCodesOf(request.command)) != 0;
    const bool same = error || (request.opaque == answer.opaque && (request.key == answer.key || answer.key == 0));
    if (possible && same) return i;
  }
  return std::nullopt;
}

// The client went on, or the server has been silent: what was lost ended with the last byte.
void Conversation::EndLostAnswer(Sink& sink) {
  const auto entry = pairs_.EndLostAnswer(Losses());
  if (entry) Tell(*entry, Code::kNone, NoAnswer::kNone, last_ns(Side::kAnswers), sink);
}

std::optional<std::uint64_t> Conversation::ExpiresAt() const {
  if (pairs_.end_lost()) return last_ns(Side::kAnswers) + options().lost_end_timeout_ns;
  const Pairs::Entry* entry = pairs_.NextWithDeadline();
  return entry != nullptr ? std::optional(entry->last_byte_ns + options().answer_timeout_ns) : std::nullopt;
}

void Conversation::Expire(std::uint64_t now_ns, Sink& sink) {
  if (pairs_.end_lost()) {
    if (last_ns(Side::kAnswers) + options().lost_end_timeout_ns <= now_ns) EndLostAnswer(sink);
    return;
  }
  while (const Pairs::Entry* entry = pairs_.NextWithDeadline()) {
    const std::uint64_t deadline_ns = entry->last_byte_ns + options().answer_timeout_ns;
    if (deadline_ns > now_ns || answers_.in_answer()) return;
    pairs_.PassDeadline();
    if (entry->request.quiet) {
      Tell(*entry, SilentCode(entry->request.command), NoAnswer::kNone, entry->last_byte_ns, sink);
    } else {
      Tell(*entry, Code::kNone, NoAnswer::kTimeout, deadline_ns, sink);
    }
  }
}

void Conversation::OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) {
  if (pairs_.end_lost() && why == NoAnswer::kConnectionClosed) EndLostAnswer(sink);
  pairs_.Drain([&](const Pairs::Entry& entry) {
    // A quiet command has no other answer than silence; shutdown that succeeds is answered by the end.
    const bool done = entry.request.quiet || entry.request.command == Command::kShutdown;
    Tell(entry, entry.request.quiet ? SilentCode(entry.request.command) : Code::kNone, done ? NoAnswer::kNone : why,
         entry.request.quiet ? entry.last_byte_ns : time_ns, sink);
  });
  Requests requests(*this, sink);
  requests_.OnClose(requests);
  Answers answers(*this, sink);
  answers_.OnClose(answers);
}

void Conversation::Tell(const Pairs::Entry& entry, Code code, NoAnswer no_answer, std::uint64_t end_ns, Sink& sink) {
  Call call;
  call.connection = id();
  call.role = role();
  call.system = System::kMemcached;
  call.operation = CommandName(entry.request.command);
  call.code = CodeName(code);
  if (IsError(code)) call.error = call.code;
  call.no_answer = no_answer;
  call.start_ns = entry.start_ns;
  call.end_ns = std::max(end_ns, entry.start_ns);
  sink.OnCall(call);
}

}  // namespace wiregauge::match::memcached
