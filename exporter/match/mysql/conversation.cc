#include "exporter/match/mysql/conversation.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace wiregauge::match::mysql {

using Reason = decode::Unparsed;
using decode::mysql::Answer;
using decode::mysql::Command;
using decode::mysql::Expected;
using decode::mysql::Greeting;
namespace sql = decode::sql;

namespace {

constexpr std::size_t kCodeBytesMax = 8;

}  // namespace

// Joins decoders and conversation during one call. Lives on the stack, so that an idle connection needs no room for it.
class Conversation::Hearing final : public decode::mysql::RequestHandler, public decode::mysql::AnswerHandler {
 public:
  Hearing(Conversation& conversation, Sink& to) : sink(to), conversation_(conversation) {}

  void OnLogin(const decode::mysql::Login& login, std::uint64_t first_byte_ns) override {
    conversation_.Login(login, first_byte_ns, *this);
  }
  void OnRequest(const decode::mysql::Request& request, std::uint64_t first_byte_ns) override {
    conversation_.Request(request, first_byte_ns, *this);
  }
  void OnRequestsLost() override { conversation_.LoseRequests(*this); }
  void OnGreeting(const Greeting& greeting) override {
    if (greeting.known) conversation_.server_capabilities_ = greeting.capabilities;
    conversation_.Confirm();
  }
  Expected OnAnswer() override { return conversation_.BeginAnswer(*this); }
  void OnExchange() override { conversation_.requests_.SetExchange(true); }
  void OnAnswerEnd(const Answer& answer) override { conversation_.EndAnswer(answer, *this); }
  void OnAnswersLost() override { conversation_.Suspend(*this); }
  // With one request the end shows when the client goes on; among several, the end of which one it is would be a guess.
  bool OnEndLost() override {
    if (conversation_.waiting_.size() == 1 && !conversation_.overlaps_) return true;
    conversation_.Suspend(*this);
    return false;
  }
  void OnNotMysql() override {
    if (conversation_.state() == State::kUndecided) conversation_.SetState(State::kRefuted);
  }
  void OnUnparsed(Reason reason, std::uint64_t bytes) override { conversation_.Unparsed(reason, bytes); }

  Sink& sink;

 private:
  Conversation& conversation_;
};

Conversation::Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget)
    : StreamConversation(open, options, budget),
      requests_(open.mid_stream),
      answers_(open.mid_stream),
      waiting_(budget) {}

Conversation::~Conversation() { budget().Give(charged_); }

std::uint64_t Conversation::pending_bytes() const { return requests_.pending_bytes() + answers_.pending_bytes(); }

void Conversation::OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) {
  Hearing hearing(*this, sink);
  if (side == Side::kRequests) {
    requests_.OnBytes(bytes, time_ns, hearing);
    if (!waiting_.empty()) waiting_.back().last_byte_ns = time_ns;
  } else {
    if (answers_.skipping()) RequestsMustBeThere(sink);
    answers_.OnBytes(bytes, hearing);
  }
  TakeParsed();
}

void Conversation::OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) {
  Hearing hearing(*this, sink);
  if (side == Side::kRequests) {
    requests_.OnGap(length, hearing);
    if (!waiting_.empty()) waiting_.back().last_byte_ns = time_ns;
  } else {
    answers_.OnGap(length, tail, hearing);
  }
  TakeParsed();
}

void Conversation::TakeParsed() { Parsed(requests_.TakeParsedBytes() + answers_.TakeParsedBytes()); }

void Conversation::Login(const decode::mysql::Login& login, std::uint64_t first_byte_ns, Hearing& hearing) {
  client_capabilities_ = login.capabilities;
  Confirm();
  if (login.tls) {
    Leave(Reason::kEncrypted, hearing);
    return;
  }
  requests_.SetExchange(true);
  const Asked asked = {.operation = CommandName(Command::kConnect), .expected = Expected::kLogin};
  Ask(asked, first_byte_ns, hearing);
}

void Conversation::Request(const decode::mysql::Request& request, std::uint64_t first_byte_ns, Hearing& hearing) {
  ClientGoesOn(hearing);
  if (request.statement.verb != sql::Verb::kOther || request.command == Command::kStmtExecute) Confirm();
  const Asked asked = AskedBy(request);
  switch (request.command) {
    case Command::kStmtPrepare:
      if (!last_prepared_) last_prepared_ = std::make_unique<sql::Summary>();
      *last_prepared_ = request.statement;
      break;
    case Command::kStmtClose: Forget(request.statement_id); break;
    case Command::kChangeUser:
    case Command::kResetConnection: ForgetAll(); break;
    default: break;
  }
  if (asked.expected == Expected::kNothing) return;
  requests_.SetExchange(asked.expected == Expected::kLogin);
  Ask(asked, first_byte_ns, hearing);
}

void Conversation::Ask(const Asked& asked, std::uint64_t first_byte_ns, Hearing& hearing) {
  batches_ = batches_ || !waiting_.empty();
  overlaps_ = overlaps_ || answers_.in_answer();
  if (waiting_.OnRequest({.request = asked, .start_ns = first_byte_ns, .last_byte_ns = first_byte_ns}, Losses())) {
    answers_.Expect();
  } else if (!answers_.skipping()) {
    answers_.Skip(Reason::kGap, hearing);
  }
}

// A command came: an answer whose end was not seen is over, and what was skipped was one. That of a client that waits
// for its answers was the last one owed.
void Conversation::ClientGoesOn(Hearing& hearing) {
  if (answers_.end_lost()) answers_.EndLostAnswer(hearing);
  if (answers_.skipping() && answers_.skipped()) {
    ForgetAll();
    waiting_.OnAnswer(Losses());
    answers_.Skip(Reason::kGap, hearing);
    if (!batches_ && !overlaps_) waiting_.Resume();
  }
}

Conversation::Asked Conversation::AskedBy(const decode::mysql::Request& request) {
  Asked asked;
  asked.expected = ExpectedOf(request.command);
  asked.operation = CommandName(request.command);
  switch (request.command) {
    case Command::kQuery:
      asked.statement = request.statement;
      asked.operation = VerbName(asked.statement.verb);
      break;
    case Command::kStmtPrepare: asked.statement = request.statement; break;
    case Command::kStmtExecute:
    case Command::kStmtBulkExecute:
    case Command::kStmtFetch: {
      if (request.statement_id == decode::mysql::kLastPrepared) {
        if (last_prepared_) asked.statement = *last_prepared_;
      } else if (const auto found = statements_.find(request.statement_id); found != statements_.end()) {
        asked.statement = found->second;
      }
      if (request.command != Command::kStmtFetch) asked.operation = VerbName(asked.statement.verb);
      break;
    }
    default: break;
  }
  return asked;
}

Expected Conversation::BeginAnswer(Hearing& hearing) {
  if (waiting_.empty()) RequestsMustBeThere(hearing.sink);
  if (waiting_.empty()) requests_.TellBeginning(hearing);
  requests_.EndLostMessage();
  // Before a login: the server turns the client away, and nobody asked.
  if (waiting_.empty() && state() == State::kUndecided && !mid_stream() && last_ns(Side::kRequests) == 0) {
    return Expected::kOk;
  }
  return waiting_.empty() ? Expected::kNothing : waiting_.front().request.expected;
}

void Conversation::EndAnswer(const Answer& answer, Hearing& hearing) {
  const std::uint64_t end_ns = last_ns(Side::kAnswers);
  if (waiting_.empty()) {  // turned away
    Confirm();
    Waiting::Entry entry;
    entry.request.operation = CommandName(Command::kConnect);
    entry.start_ns = end_ns;
    Tell(entry, answer, NoAnswer::kNone, end_ns, hearing.sink);
    return;
  }
  const Asked asked = waiting_.front().request;
  if (const auto entry = waiting_.OnAnswer(Losses())) {
    if (answer.outcome_known) {
      Confirm();
      Tell(*entry, answer, NoAnswer::kNone, end_ns, hearing.sink);
    } else {
      ++Losses().unpaired_requests;
    }
  }
  requests_.SetExchange(false);
  requests_.EndLostMessage();
  if (answer.prepared) Remember(answer.statement_id, asked.statement);
  if (answer.error != 0) return;
  if (asked.expected == Expected::kStream) Leave(Reason::kUpgraded, hearing);
  if (asked.expected == Expected::kLogin && asked.operation == CommandName(Command::kConnect)) {
    const std::uint32_t agreed = client_capabilities_ & server_capabilities_;
    if ((agreed & (decode::mysql::kClientCompress | decode::mysql::kClientZstdCompression)) != 0) {
      Leave(Reason::kCompressed, hearing);
    }
  }
}

// A client that waits for its answers, and was not waiting, has lost commands that have none (parts of a long value),
// or the answer to what was lost is to come, and will belong to nothing.
void Conversation::LoseRequests(Hearing& hearing) {
  if (!waiting_.empty() || batches_ || overlaps_) Suspend(hearing);
}

// Nothing that waits can be paired any more, and what the server sends is not followed until the client asks again.
void Conversation::Suspend(Hearing& hearing) {
  ForgetAll();
  requests_.SetExchange(false);
  waiting_.Suspend(Losses());
  answers_.Skip(Reason::kGap, hearing);
}

// Requests and answers are over: what follows is not read.
void Conversation::Leave(Reason reason, Hearing& hearing) {
  requests_.StopDecoding(reason, hearing);
  answers_.StopDecoding(reason, hearing);
  Finish(reason);
}

void Conversation::Confirm() {
  if (state() != State::kUndecided) return;
  SetState(State::kConfirmed);
  requests_.Confirm();
  answers_.Confirm();
}

void Conversation::Remember(std::uint32_t statement_id, const sql::Summary& statement) {
  const auto found = statements_.find(statement_id);
  if (found != statements_.end()) {
    found->second = statement;
    return;
  }
  const bool charge = statements_.size() >= kStatementsKept;
  if (statements_.size() >= kStatementsMax || (charge && !budget().Take(kStatementBytes))) return;
  charged_ += charge ? kStatementBytes : 0;
  statements_.emplace(statement_id, statement);
}

void Conversation::Forget(std::uint32_t statement_id) {
  if (statements_.erase(statement_id) == 0 || charged_ == 0) return;
  charged_ -= kStatementBytes;
  budget().Give(kStatementBytes);
}

// The statements' ids may mean others from now on.
void Conversation::ForgetAll() {
  statements_.clear();
  last_prepared_.reset();
  budget().Give(charged_);
  charged_ = 0;
}

void Conversation::Tell(const Waiting::Entry& entry, const Answer& answer, NoAnswer no_answer, std::uint64_t end_ns,
                        Sink& sink) {
  std::array<char, kCodeBytesMax> code{};
  std::size_t code_size = 0;
  if (answer.error != 0) {
    const auto end = std::to_chars(code.data(), code.data() + code.size(), answer.error).ptr;
    code_size = static_cast<std::size_t>(end - code.data());
  }
  Call call;
  call.connection = id();
  call.role = role();
  call.system = System::kMysql;
  call.operation = entry.request.operation;
  call.destination = entry.request.statement.table.text();
  call.code = call.error = std::string_view(code.data(), code_size);
  if (answer.failed) call.error = "_OTHER";
  call.no_answer = no_answer;
  call.start_ns = entry.start_ns;
  call.end_ns = std::max(end_ns, entry.start_ns);
  sink.OnCall(call);
}

void Conversation::TellUnanswered(const Waiting::Entry& entry, NoAnswer no_answer, std::uint64_t end_ns, Sink& sink) {
  if (state() == State::kUndecided) {
    ++Losses().unpaired_requests;
  } else {
    Tell(entry, {}, no_answer, end_ns, sink);
  }
}

void Conversation::OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) {
  Hearing hearing(*this, sink);
  // An answer whose end was not seen may have been complete, unless the last that came was a row, or may have been one.
  if (answers_.end_lost() && why != NoAnswer::kReset && !answers_.ends_with_text()) answers_.EndLostAnswer(hearing);
  requests_.OnClose(hearing);
  answers_.OnClose(hearing);
  TakeParsed();
  waiting_.Drain([&](const Waiting::Entry& entry) { TellUnanswered(entry, why, time_ns, sink); });
}

void Conversation::Expire(std::uint64_t now_ns, Sink& sink) {
  if (answers_.in_answer()) return;  // an answer that has begun has no deadline, nor have those behind it
  while (auto* entry = waiting_.NextWithDeadline()) {
    const std::uint64_t deadline = entry->last_byte_ns + options().answer_timeout_ns;
    if (deadline > now_ns) return;
    TellUnanswered(*entry, NoAnswer::kTimeout, deadline, sink);
    waiting_.PassDeadline();
  }
}

std::optional<std::uint64_t> Conversation::ExpiresAt() const {
  if (answers_.in_answer()) return std::nullopt;
  const auto* entry = waiting_.NextWithDeadline();
  return entry != nullptr ? std::optional(entry->last_byte_ns + options().answer_timeout_ns) : std::nullopt;
}

}  // namespace wiregauge::match::mysql
