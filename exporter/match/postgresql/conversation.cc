#include "exporter/match/postgresql/conversation.h"

#include <algorithm>

namespace wiregauge::match::postgresql {

using decode::postgresql::Before;
using decode::postgresql::ClientMessage;
using decode::postgresql::kUnknownName;
using decode::postgresql::kUnnamed;
using decode::postgresql::NameId;
using decode::postgresql::Opening;
using decode::postgresql::Operation;
using decode::postgresql::OperationOf;
using decode::postgresql::Sender;
using decode::postgresql::ServerMessage;
using decode::sql::Verb;
namespace client = decode::postgresql::client;
namespace server = decode::postgresql::server;

// One direction during one call: joins decoder and conversation. Lives on the stack, so that an idle connection needs
// no room for it.
class Conversation::Half final : public decode::postgresql::Handler {
 public:
  Half(Conversation& conversation, Side side, Sink& sink) : conversation_(conversation), sink_(sink), side_(side) {}

  void OnClientMessage(const ClientMessage& message) override { conversation_.OnClientMessage(message, sink_); }
  void OnServerMessage(const ServerMessage& message) override { conversation_.OnServerMessage(message, sink_); }
  void OnEncryptionAnswer(char answer) override { conversation_.OnEncryptionAnswer(answer, sink_); }
  bool OnLost(decode::Unparsed reason) override {
    const bool gap = reason == decode::Unparsed::kGap;
    return (side_ == Side::kRequests ? conversation_.OnRequestsLost() : conversation_.OnAnswersLost()) && gap;
  }
  void OnNotPostgresql() override { conversation_.SetState(State::kRefuted); }
  void OnUnparsed(decode::Unparsed reason, std::uint64_t bytes) override { conversation_.Unparsed(reason, bytes); }

 private:
  Conversation& conversation_;
  Sink& sink_;
  Side side_;
};

Conversation::Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget)
    : StreamConversation(open, options, budget),
      client_(Sender::kClient, open.mid_stream),
      server_(Sender::kServer, open.mid_stream),
      pairs_(budget),
      statements_(budget),
      portals_(budget),
      tables_(budget) {}

Conversation::~Conversation() = default;

std::uint64_t Conversation::pending_bytes() const { return client_.pending_bytes() + server_.pending_bytes(); }

void Conversation::OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) {
  Half half(*this, side, sink);
  auto& decoder = side == Side::kRequests ? client_ : server_;
  decoder.OnBytes(bytes, time_ns, half);
  Parsed(decoder.TakeParsedBytes());
}

void Conversation::OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) {
  Half half(*this, side, sink);
  auto& decoder = side == Side::kRequests ? client_ : server_;
  decoder.OnGap(length, tail, time_ns, half);
  Parsed(decoder.TakeParsedBytes());
}

void Conversation::Confirm() {
  if (state() != State::kUndecided) return;
  SetState(State::kConfirmed);
  client_.Confirm();
  server_.Confirm();
}

// ---- The client's messages ----

void Conversation::OnClientMessage(const ClientMessage& message, Sink& sink) {
  switch (message.type) {
    case '\0': return OnOpening(message);
    case client::kCopyDone:
    case client::kCopyFail:
      if (client_.pending_bytes() > 0) EndLoss(Side::kRequests, true, sink);
      copying_in_ = false;
      return;
    case client::kTerminate: return;
    case client::kSync:
      if (client_.pending_bytes() > 0) EndLoss(Side::kRequests, true, sink);
      return OnSync(message.first_byte_ns, sink);
    default: break;
  }
  if (!batch_begun_) BeginTurn(sink);
  switch (message.type) {
    case client::kParse:
      if (!is_open(Kind::kClose)) EndOpen(sink);
      return OnParse(message);
    case client::kBind: return OnBind(message, sink);
    case client::kExecute: return OnExecute(message, sink);
    case client::kDescribe: return OnStep(Kind::kDescribe, message.first_byte_ns);
    case client::kClose:
      if (message.statement != kUnknownName) statements_.Erase(message.statement);
      if (message.portal != kUnknownName) portals_.Erase(message.portal);
      return OnStep(Kind::kClose, message.first_byte_ns);
    case client::kFlush:
      if (!is_open(Kind::kBind)) EndOpen(sink);
      MarkSynced();
      return;
    case client::kQuery: EndOpen(sink); return OnQuery(message);
    case client::kFunctionCall:
      EndOpen(sink);
      Push(Kind::kFunctionCall, {.operation = Operation::kFunctionCall}, message.first_byte_ns);
      batch_begun_ = false;
      return;
    default: return;
  }
}

void Conversation::OnOpening(const ClientMessage& message) {
  Confirm();
  switch (message.opening) {
    case Opening::kSslRequest:
    case Opening::kGssEncRequest: server_.ExpectEncryptionAnswer(); return;
    case Opening::kStartup: Push(Kind::kStartup, {.operation = Operation::kConnect}, message.first_byte_ns); return;
    case Opening::kCancelRequest: Push(Kind::kCancel, {.operation = Operation::kCancel}, message.first_byte_ns); return;
    case Opening::kNone: return;
  }
}

// The client's turn begins, or goes on in a pipeline: finds out whether the order is certain again.
void Conversation::BeginTurn(Sink& sink) {
  batch_begun_ = true;
  batch_has_requests_ = false;
  if (answers_lost_ && ready_owed_ > 0 && !pipelines_) EndLostAnswer(sink);
  if (server_.lost() && ready_owed_ == 0) {
    EndLoss(Side::kAnswers, false, sink);
    server_.ExpectMessage();
    answers_lost_ = false;
  }
  if (ready_owed_ > 0 && !suspended_) pipelines_ = true;
  // Answers that wait behind a hole are of turns before this one.
  if (!suspended_ || turn_answers_ == 0 || (role() == probe::Role::kClient && received_waits())) return;
  if (pairs_.empty() && (!pipelines_ || (turn_clean_ && turn_requests_ == turn_answers_))) suspended_ = false;
  turn_requests_ = turn_answers_ = 0;
  turn_clean_ = !server_.lost() && !client_.lost();
}

// Appends a request, if it is kept.
bool Conversation::Push(Kind kind, Statement what, std::uint64_t first_byte_ns) {
  unmatched_ready_ = false;
  if (suspended_) {
    if (EndsWithReady(kind)) ++turn_requests_;
    if (kind != Kind::kSync && kind != Kind::kClose) ++Losses().unpaired_requests;
    return false;
  }
  Entry entry;
  entry.request.kind = kind;
  entry.request.what = what;
  entry.request.synced = kind <= Kind::kSync;
  entry.start_ns = first_byte_ns;
  entry.last_byte_ns = last_ns(Side::kRequests);
  ConnectionCounts counts;
  if (!pairs_.OnRequest(entry, counts)) {
    Losses().Add(counts);
    pairs_.Resume();  // the rule for losses is this class's own
    ready_owed_ = 0;
    Suspend();
    if (EndsWithReady(kind)) ++turn_requests_;
    return false;
  }
  if (EndsWithReady(kind)) ++ready_owed_;
  if (pairs_.size() > 2) WantEveryByte();  // more than one and its Sync
  return true;
}

void Conversation::OnQuery(const ClientMessage& message) {
  batch_begun_ = false;
  if (message.operation == OperationOf(Verb::kDeallocate) || message.operation == OperationOf(Verb::kDiscard)) {
    deallocated_ = true;
  }
  const Statement statement{message.operation, TableNumber(message.table)};
  if (!Push(Kind::kQuery, statement, message.first_byte_ns)) return;
  pairs_.back().request.unknown = message.operation == Operation::kOther;
}

std::uint16_t Conversation::TableNumber(const decode::sql::TableName& table) {
  if (tables_.full() && pairs_.empty() && !statements_.has_names() && !portals_.has_names()) {
    statements_.Clear();
    portals_.Clear();
    tables_.Clear();
  }
  return tables_.NumberOf(table.text());
}

// The client has asked for the answers to what it has sent.
void Conversation::MarkSynced() {
  for (std::uint32_t i = pairs_.size(); i > 0 && !pairs_.at(i - 1).request.synced; --i) {
    pairs_.at(i - 1).request.synced = true;
  }
}

// A request of the extended protocol begins, with its first message.
Conversation::Entry* Conversation::Begin(Kind kind, Statement what, std::uint64_t first_byte_ns) {
  open_kept_ = Push(kind, what, first_byte_ns);
  open_ = true;
  open_kind_ = kind;
  return OpenEntry();
}

void Conversation::OnParse(const ClientMessage& message) {
  Statement statement{message.operation, TableNumber(message.table)};
  if (message.statement == kUnknownName) statements_.Clear();  // it may have been any of them
  // A name in use is refused, and what it stood for stays, unless it was given up by SQL.
  const Statement* before = message.statement == kUnnamed ? nullptr : statements_.Find(message.statement);
  if (before != nullptr && *before != statement && !deallocated_) {
    statements_.Erase(message.statement);
  } else {
    statements_.Set(message.statement, statement);
  }
  open_statement_ = message.statement;
  statement.operation = OperationOf(Verb::kPrepare);
  if (!open_) Begin(Kind::kPrepare, statement, message.first_byte_ns);
  open_kind_ = Kind::kPrepare;  // behind a Close, which is no request then
  Entry* entry = OpenEntry();
  if (entry == nullptr) return;
  entry->start_ns = message.first_byte_ns;
  entry->last_byte_ns = last_ns(Side::kRequests);
  entry->request.kind = Kind::kPrepare;
  entry->request.what = statement;
  entry->request.statement = message.statement;
  entry->request.parsing = true;
  ++entry->request.steps_left;
}

void Conversation::OnBind(const ClientMessage& message, Sink& sink) {
  const Statement* found = statements_.Find(message.statement);
  const Statement statement = found != nullptr ? *found : Statement{};
  if (found != nullptr) {
    portals_.Set(message.portal, statement);
  } else {
    portals_.Erase(message.portal);
  }
  if (message.portal == kUnknownName) portals_.Clear();
  const bool same =
      open_statement_ == message.statement || open_statement_ == kUnknownName || message.statement == kUnknownName;
  const bool goes_on = (is_open(Kind::kPrepare) && same) || is_open(Kind::kClose);
  if (!goes_on) {
    EndOpen(sink);
    Begin(Kind::kBind, {}, message.first_byte_ns);
  } else if (Entry* entry = OpenEntry(); entry != nullptr && is_open(Kind::kClose)) {
    entry->start_ns = message.first_byte_ns;
  }
  open_kind_ = Kind::kBind;
  open_portal_ = message.portal;
  Entry* entry = OpenEntry();
  if (entry == nullptr) return;
  entry->request.kind = Kind::kBind;
  entry->request.what = {Operation::kBind, statement.table};
  ++entry->request.steps_left;
  entry->last_byte_ns = last_ns(Side::kRequests);
}

void Conversation::OnExecute(const ClientMessage& message, Sink& sink) {
  batch_has_requests_ = true;
  const bool same = open_portal_ == message.portal || open_portal_ == kUnknownName || message.portal == kUnknownName;
  const bool goes_on = (is_open(Kind::kBind) && same) || is_open(Kind::kDescribe) || is_open(Kind::kClose);
  if (!goes_on) {
    EndOpen(sink);
    Begin(Kind::kExecute, {}, message.first_byte_ns);
  }
  const Statement* found = portals_.Find(message.portal);
  if (Entry* entry = OpenEntry()) {
    if (is_open(Kind::kClose)) entry->start_ns = message.first_byte_ns;
    entry->request.kind = Kind::kExecute;
    entry->request.what = found != nullptr ? *found : Statement{};
    entry->request.unknown = entry->request.what.operation == Operation::kOther;
    entry->last_byte_ns = last_ns(Side::kRequests);
  }
  open_ = false;
  if (open_failed_) EndFailed(sink);
}

// What was open has failed already: nothing else waits.
void Conversation::EndFailed(Sink& sink) {
  open_failed_ = false;
  if (pairs_.front().request.parsing) statements_.Erase(pairs_.front().request.statement);
  Complete(ErrorOutcome(answer_ns_), sink);
}

// Describe or Close: a part of the request that is open, or one of its own.
void Conversation::OnStep(Kind kind, std::uint64_t first_byte_ns) {
  if (!open_) {
    const Verb verb = kind == Kind::kDescribe ? Verb::kDescribe : Verb::kClose;
    Begin(kind, {.operation = OperationOf(verb)}, first_byte_ns);
  }
  Entry* entry = OpenEntry();
  if (entry == nullptr) return;
  ++entry->request.steps_left;
  entry->last_byte_ns = last_ns(Side::kRequests);
}

// What is open gets no further messages: it is a request of its own.
void Conversation::EndOpen(Sink& sink) {
  if (!open_) return;
  Entry* entry = OpenEntry();
  open_ = false;
  if (open_kind_ == Kind::kClose && batch_has_requests_) {  // tidying up behind a request
    if (entry != nullptr) entry->request.told = true;
  }
  batch_has_requests_ = true;
  if (open_failed_) return EndFailed(sink);
  if (entry == nullptr || entry->request.steps_left > 0) return;
  // Answered before this showed: then nothing else waits.
  Complete({.end_ns = answer_ns_}, sink);
}

void Conversation::OnSync(std::uint64_t first_byte_ns, Sink& sink) {
  if (copying_in_ && !pairs_.empty() && pairs_.front().request.kind == Kind::kExecute) return;
  if (!batch_begun_) BeginTurn(sink);
  EndOpen(sink);
  batch_begun_ = false;
  MarkSynced();
  Push(Kind::kSync, {.operation = OperationOf(Verb::kCommit)}, first_byte_ns);
}

// True when only rows can be lost.
bool Conversation::OnRequestsLost() {
  const bool copying = copying_in_ && !pairs_.empty();
  if (copying) return true;  // CopyData, and a Sync behind it that OnReady does not need
  const bool was_open = open_ && open_kept_;
  open_ = open_failed_ = false;
  batch_begun_ = false;
  turn_clean_ = false;
  // What was lost had its answer before, one that seemed to answer nothing: the order is certain.
  if (unmatched_ready_ && pairs_.empty() && !suspended_ && !pipelines_) return false;
  if (was_open) pairs_.back().request.kind = Kind::kCutOff;
  statements_.Clear();  // what was lost may have changed what names stand for
  portals_.Clear();
  Suspend();
  return false;
}

// True when what is lost can only be of the one answer that is due.
bool Conversation::OnAnswersLost() {
  answers_lost_ = true;
  turn_clean_ = success_seen_ = false;
  return ready_owed_ == 1 && !suspended_;
}

void Conversation::EndLoss(Side side, bool known, Sink& sink) {
  Half half(*this, side, sink);
  auto& decoder = side == Side::kRequests ? client_ : server_;
  decoder.EndLoss(known, half);
  Parsed(decoder.TakeParsedBytes());
}

// From the next request on nothing is kept.
void Conversation::Suspend() {
  suspended_ = true;
  open_ = open_failed_ = false;
  turn_requests_ = turn_answers_ = 0;
  turn_clean_ = false;
}

// ---- The server's messages ----

void Conversation::OnServerMessage(const ServerMessage& message, Sink& sink) {
  if (answers_lost_ || message.after_loss) {
    if (message.type == server::kErrorResponse) {
      OnError(message.code, sink);
    } else if (message.type == server::kCommandComplete) {
      success_seen_ = true;
    } else if (message.type == server::kReadyForQuery) {
      const Before seen = has_error_ ? Before::kError : success_seen_ ? Before::kNoError : message.before;
      OnReadyAfterLoss(seen, sink);
    }
    return;
  }
  switch (message.type) {
    case server::kParseComplete: return OnStepAnswer(true, sink);
    case server::kBindComplete:
    case server::kCloseComplete:
    case server::kNoData: return OnStepAnswer(false, sink);
    case server::kRowDescription:
      if (!pairs_.empty() && pairs_.front().request.kind >= Kind::kPrepare) OnStepAnswer(false, sink);
      return;
    case server::kCommandComplete:
    case server::kEmptyQueryResponse:
    case server::kPortalSuspended: return OnExecuteAnswer(message, sink);
    case server::kErrorResponse: return OnError(message.code, sink);
    case server::kCopyInResponse: return OnCopyIn();
    case server::kCopyBothResponse: return OnCopyBoth(sink);
    case server::kReadyForQuery: return OnReady(message.status == 'I', sink);
    default: return;
  }
}

void Conversation::OnEncryptionAnswer(char answer, Sink& sink) {
  if (answer == 'N') return;
  for (const Side side : {Side::kRequests, Side::kAnswers}) {
    Half half(*this, side, sink);
    (side == Side::kRequests ? client_ : server_).StopDecoding(decode::Unparsed::kEncrypted, half);
  }
  Finish(decode::Unparsed::kEncrypted);
}

// Whether an answer can be paired. If nothing waits, the request must be behind a hole, or its end is lost.
bool Conversation::HasRequest(Sink& sink) {
  if (pairs_.empty()) RequestsMustBeThere(sink);
  if (pairs_.empty()) {
    Half half(*this, Side::kRequests, sink);
    client_.TellUnfinished(half);
  }
  return !pairs_.empty();
}

// ParseComplete, BindComplete, CloseComplete; RowDescription or NoData, which answer Describe.
void Conversation::OnStepAnswer(bool parse, Sink& sink) {
  if (!HasRequest(sink)) return;
  Entry& front = pairs_.front();
  Request& request = front.request;
  if (request.kind < Kind::kPrepare || request.kind == Kind::kCutOff || request.steps_left == 0 ||
      (parse && !request.parsing)) {
    DropAll();
    return Suspend();
  }
  if (parse) request.parsing = false;
  --request.steps_left;
  if (request.steps_left > 0 || request.kind == Kind::kExecute) return;
  answer_ns_ = last_ns(Side::kAnswers);
  if (open_ && open_kept_ && pairs_.size() == 1) return;  // more messages of it may come
  Complete({.end_ns = answer_ns_}, sink);
}

// CommandComplete, EmptyQueryResponse, PortalSuspended: the end of an Execute, or of a statement of a Query.
void Conversation::OnExecuteAnswer(const ServerMessage& message, Sink& sink) {
  if (!HasRequest(sink)) {
    ++Losses().unmatched_answers;
    return;
  }
  if (open_ && open_kept_ && pairs_.size() == 1) {  // its Execute has been answered, so the end of that is lost
    Half half(*this, Side::kRequests, sink);
    client_.TellUnfinished(half);
    if (pairs_.empty()) return;
  }
  Entry& front = pairs_.front();
  Request& request = front.request;
  if (request.unknown && message.type == server::kCommandComplete) {
    request.what.operation = decode::postgresql::OperationOfCommandTag(message.command_tag);
    request.unknown = false;
  }
  if (request.kind == Kind::kQuery || request.kind == Kind::kReplication) return;
  if (request.kind != Kind::kExecute || request.steps_left > 0 || request.completed) {
    DropAll();
    ++Losses().unmatched_answers;
    return Suspend();
  }
  copying_in_ = false;
  if (pairs_.size() > 1 && pairs_.at(1).request.kind == Kind::kSync) {
    request.completed = true;  // the Sync commits, and may fail
    answer_ns_ = last_ns(Side::kAnswers);
    return;
  }
  Complete({.end_ns = last_ns(Side::kAnswers)}, sink);
}

void Conversation::OnError(std::string_view code, Sink& sink) {
  copying_in_ = false;
  has_code_ = code.size() == code_.size();
  if (has_code_) std::copy(code.begin(), code.end(), code_.begin());
  if (answers_lost_) {
    has_error_ = true;
    return;
  }
  if (!HasRequest(sink)) return;  // the server ends the session, unasked: an administrator, a timeout
  if (open_ && open_kept_ && pairs_.size() == 1 && pairs_.front().request.steps_left == 0) {
    // What is seen of it succeeded: the message that failed is behind a hole, or its end is lost.
    RequestsMustBeThere(sink);
    Half half(*this, Side::kRequests, sink);
    client_.TellUnfinished(half);
    const bool seen = !pairs_.empty() && (!open_ || pairs_.front().request.steps_left > 0);
    if (!seen) {
      DropAll();
      return Suspend();
    }
  }
  const Kind kind = pairs_.front().request.kind;
  answer_ns_ = last_ns(Side::kAnswers);
  if (kind == Kind::kQuery || kind == Kind::kFunctionCall || kind == Kind::kReplication) {
    has_error_ = true;
    return;
  }
  const Outcome outcome = ErrorOutcome(answer_ns_);
  if (kind == Kind::kSync) {  // the commit failed after what it commits had been told
    Tell(pairs_.front(), outcome, sink);
    return;
  }
  if (kind == Kind::kCutOff) return DropAll();
  skipping_ = kind != Kind::kStartup;
  if (open_ && open_kept_ && pairs_.size() == 1) {  // more messages of it may come, which say what it was to be
    open_failed_ = true;
    return;
  }
  if (pairs_.front().request.parsing) statements_.Erase(pairs_.front().request.statement);
  Complete(outcome, sink);
}

void Conversation::OnCopyIn() {
  if (pairs_.empty()) return;
  copying_in_ = true;
  if (pairs_.front().request.kind != Kind::kExecute) return;
  // libpq sends a Sync before it knows that this is a COPY, and another after the data: the server overlooks the first.
  if (pairs_.size() == 2 && pairs_.at(1).request.kind == Kind::kSync) {
    const Entry copy = pairs_.front();
    PopFront();
    pairs_.front() = copy;
    --ready_owed_;
  }
}

// START_REPLICATION: from here both sides send as they like, until both have ended the copy.
void Conversation::OnCopyBoth(Sink& sink) {
  if (pairs_.empty() || pairs_.front().request.kind != Kind::kQuery) return;
  Tell(pairs_.front(), {.end_ns = last_ns(Side::kAnswers)}, sink);
  pairs_.front().request.kind = Kind::kReplication;
  pairs_.front().request.told = true;
}

void Conversation::OnReady(bool idle, Sink& sink) {
  Confirm();
  copying_in_ = false;
  OnServerIdle(sink);
  if (suspended_ || ready_owed_ == 0) RequestsMustBeThere(sink);  // what it answers is behind a hole
  if (!HasRequest(sink)) {
    unmatched_ready_ = true;
    ++turn_answers_;
  }
  const std::uint64_t end_ns = last_ns(Side::kAnswers);
  while (!pairs_.empty()) {
    const Request& front = pairs_.front().request;
    if (front.kind == Kind::kSync) {
      PopFront();
      break;
    }
    if (skipping_ && open_ && open_kept_ && pairs_.size() == 1) {
      DropAll();  // the Sync is lost, and perhaps what this request was to become
    } else if (skipping_) {
      if (front.parsing) statements_.Erase(front.statement);
      Complete({.error = kPipelineAborted, .end_ns = end_ns}, sink);
    } else if (EndsWithReady(front.kind)) {
      Complete(has_error_ ? ErrorOutcome(end_ns) : Outcome{.end_ns = end_ns}, sink);
      break;
    } else if (front.completed) {
      Complete({.end_ns = answer_ns_}, sink);
    } else {  // not the order that was expected
      DropAll();
      Suspend();
      turn_answers_ = 1;
    }
  }
  skipping_ = has_error_ = false;
  if (idle && pairs_.empty() && !batch_begun_ && portals_.has_names())
    portals_.Clear();  // they end with the transaction
}

// If the client's framing is lost, it was in the data of a COPY that is over now, or its next message shows where it
// is.
void Conversation::OnServerIdle(Sink& sink) {
  if (!client_.lost()) return;
  EndLoss(Side::kRequests, true, sink);
  client_.ExpectMessage();
}

// A ReadyForQuery with something lost before it. It belongs to the only request that waits for one; if more do, there
// is no telling.
void Conversation::OnReadyAfterLoss(Before before, Sink& sink) {
  Confirm();
  RequestsMustBeThere(sink);  // those that wait behind a hole may be the ones that it answers
  OnServerIdle(sink);
  const Outcome outcome = before != Before::kError ? Outcome{.end_ns = last_ns(Side::kAnswers)}
                          : has_error_             ? ErrorOutcome(last_ns(Side::kAnswers))
                                                   : Outcome{.error = kUnknownError, .end_ns = last_ns(Side::kAnswers)};
  const bool one = ready_owed_ == 1 && !suspended_;
  const bool none = pairs_.empty() && !suspended_;
  EndLoss(Side::kAnswers, one && before != Before::kUnknown, sink);
  if (one) {
    std::uint32_t steps = 0;  // what is answered before the one that ReadyForQuery answers
    while (!EndsWithReady(pairs_.at(steps).request.kind)) ++steps;
    for (std::uint32_t i = 0; i < steps; ++i) {
      // Of several, the end of the last was seen; if one failed, it may have been any of them.
      const bool last = i + 1 == steps;
      const bool known = last && before != Before::kUnknown && (before == Before::kNoError || steps == 1);
      EndAfterLoss(known && !skipping_, outcome, sink);
    }
    EndAfterLoss(before != Before::kUnknown, outcome, sink);
  }
  if (!pairs_.empty() || (!one && !none)) {
    DropAll();
    if (!suspended_) Suspend();
    ++turn_answers_;
  }
  unmatched_ready_ = none;
  answers_lost_ = success_seen_ = has_error_ = skipping_ = copying_in_ = false;
}

void Conversation::EndAfterLoss(bool known, const Outcome& outcome, Sink& sink) {
  const Entry& front = pairs_.front();
  if (known) return Complete(outcome, sink);
  if (front.request.completed) return Complete({.end_ns = answer_ns_}, sink);
  if (IsTold(front)) ++Losses().unpaired_requests;
  PopFront();
}

// The client has gone on, or the server has fallen silent: the answer whose end was lost is over.
void Conversation::EndLostAnswer(Sink& sink) {
  EndLoss(Side::kAnswers, false, sink);
  DropAll();
  answers_lost_ = success_seen_ = has_error_ = skipping_ = copying_in_ = false;
  server_.ExpectMessage();
}

// ---- What waits ----

bool Conversation::IsTold(const Entry& entry) { return !entry.request.told && entry.request.kind != Kind::kSync; }

// Of the ErrorResponse that came last.
Conversation::Outcome Conversation::ErrorOutcome(std::uint64_t end_ns) const {
  const std::string_view code = has_code_ ? std::string_view(code_.data(), code_.size()) : std::string_view();
  return {.code = code, .error = has_code_ ? code : kUnknownError, .end_ns = end_ns};
}

// The front has its outcome.
void Conversation::Complete(const Outcome& outcome, Sink& sink) {
  const Entry& front = pairs_.front();
  if (front.request.kind == Kind::kCutOff) {
    ++Losses().unpaired_requests;
  } else if (IsTold(front)) {
    Confirm();
    Tell(front, outcome, sink);
  } else if (front.request.told && front.expired) {
    ++Losses().late_answers;
  }
  PopFront();
}

void Conversation::PopFront() {
  if (EndsWithReady(pairs_.front().request.kind)) --ready_owed_;
  popped_ns_ = last_ns(Side::kAnswers);
  pairs_.PopFront();
}

// Takes out everything, as without a known outcome.
void Conversation::DropAll() {
  while (!pairs_.empty()) {
    if (IsTold(pairs_.front())) ++Losses().unpaired_requests;
    pairs_.PopFront();
  }
  ready_owed_ = 0;
  open_ = open_failed_ = has_error_ = false;
}

void Conversation::Tell(const Entry& entry, const Outcome& outcome, Sink& sink) {
  Call call;
  call.connection = id();
  call.role = role();
  call.system = System::kPostgresql;
  call.operation = decode::postgresql::OperationName(entry.request.what.operation);
  call.destination = tables_.NameOf(entry.request.what.table);
  call.code = outcome.code;
  call.error = outcome.error;
  call.no_answer = outcome.no_answer;
  call.start_ns = entry.start_ns;
  call.end_ns = std::max(outcome.end_ns, entry.start_ns);
  sink.OnCall(call);
}

// Bytes came after the front was complete and was the oldest that waits.
bool Conversation::AnswerHasBegun() const {
  auto& pairs = const_cast<Pairs&>(pairs_);
  return last_ns(Side::kAnswers) > std::max(pairs.front().last_byte_ns, popped_ns_);
}

void Conversation::Expire(std::uint64_t now_ns, Sink& sink) {
  if (answers_lost_ && ready_owed_ > 0 && last_ns(Side::kAnswers) + options().lost_end_timeout_ns <= now_ns) {
    EndLostAnswer(sink);
  }
  for (Entry* entry = pairs_.NextWithDeadline(); entry != nullptr; entry = pairs_.NextWithDeadline()) {
    const std::uint64_t deadline_ns = entry->last_byte_ns + options().answer_timeout_ns;
    if (deadline_ns > now_ns) return;
    const bool begun = entry == &pairs_.front() && AnswerHasBegun();
    pairs_.PassDeadline();
    if (begun || !entry->request.synced || !IsTold(*entry) || entry->request.kind == Kind::kCutOff) continue;
    Tell(*entry, {.no_answer = NoAnswer::kTimeout, .end_ns = deadline_ns}, sink);
    entry->request.told = true;
  }
}

std::optional<std::uint64_t> Conversation::ExpiresAt() const {
  std::optional<std::uint64_t> next;
  if (answers_lost_ && ready_owed_ > 0) next = last_ns(Side::kAnswers) + options().lost_end_timeout_ns;
  if (const Entry* entry = pairs_.NextWithDeadline()) {
    const std::uint64_t deadline_ns = entry->last_byte_ns + options().answer_timeout_ns;
    next = std::min(next.value_or(deadline_ns), deadline_ns);
  }
  return next;
}

void Conversation::OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) {
  while (!pairs_.empty()) {
    const Request& front = pairs_.front().request;
    if (front.completed) {
      Complete({.end_ns = answer_ns_}, sink);
    } else if ((has_error_ || open_failed_) &&
               !answers_lost_) {  // the session ended with an error: no ReadyForQuery follows
      Complete(ErrorOutcome(answer_ns_), sink);
      has_error_ = open_failed_ = false;
    } else if (front.kind == Kind::kCancel && why == NoAnswer::kConnectionClosed) {
      Complete({.end_ns = time_ns}, sink);  // the server answers by closing
    } else if (answers_lost_ || front.kind == Kind::kCutOff) {
      if (IsTold(pairs_.front())) ++Losses().unpaired_requests;
      PopFront();
    } else {
      Complete({.no_answer = why, .end_ns = time_ns}, sink);
    }
  }
  open_ = false;
  for (const Side side : {Side::kRequests, Side::kAnswers}) {
    Half half(*this, side, sink);
    (side == Side::kRequests ? client_ : server_).OnClose(half);
  }
}

}  // namespace wiregauge::match::postgresql
