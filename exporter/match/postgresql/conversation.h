// One PostgreSQL connection. A request is: a Query, whatever its number of statements; each Execute, from the first
// byte of its Bind (or of its Parse, in the same batch) to its own answer; a Parse, Describe or Close that stands
// alone; a FunctionCall; the opening (CONNECT); a cancellation (CANCEL). Answers come in the order of the requests, so
// a FIFO pairs them, with an entry for each Sync between; how many messages each request has that are answered is
// compared with the answers, so that a wrong order shows itself. Rules: PostgreSQL manual, "Message Flow". One thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "exporter/decode/postgresql/decoder.h"
#include "exporter/match/ordered_pairs.h"
#include "exporter/match/postgresql/statements.h"
#include "exporter/match/stream_conversation.h"

namespace wiregauge::match::postgresql {

// The error of a request that the server skipped because one before it in the same batch had failed: libpq's
// PGRES_PIPELINE_ABORTED. It was never run.
inline constexpr std::string_view kPipelineAborted = "pipeline_aborted";
// The error of an ErrorResponse whose SQLSTATE was not seen.
inline constexpr std::string_view kUnknownError = "_OTHER";

class Conversation final : public StreamConversation {
 public:
  Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget);
  ~Conversation() override;

  [[nodiscard]] std::uint64_t pending_bytes() const override;

 private:
  class Half;

  enum class Kind : std::uint8_t {
    kStartup,
    kCancel,
    kQuery,  // answered by ReadyForQuery, as are kFunctionCall, kReplication and kSync
    kFunctionCall,
    kReplication,  // a Query that was told when the connection turned into a stream
    kSync,         // told only when the implicit commit fails
    // The extended protocol: answered message by message.
    kPrepare,
    kBind,
    kDescribe,
    kClose,
    kExecute,
    kCutOff,  // one of these whose other messages are lost
  };

  struct Request {
    decode::postgresql::NameId statement = decode::postgresql::kUnknownName;  // that it parses
    Statement what;
    std::uint16_t steps_left = 0;  // messages before an Execute, or instead of one, that are not answered yet
    Kind kind = Kind::kSync;
    bool unknown : 1 = false;    // of a statement that was not seen: the answer's command tag says what it did
    bool parsing : 1 = false;    // ParseComplete has not come
    bool told : 1 = false;       // timed out, or not to be told
    bool synced : 1 = false;     // the client has asked for the answer
    bool completed : 1 = false;  // kExecute: the answer is there, the commit by the Sync behind it is not
  };
  using Pairs = OrderedPairs<Request>;
  using Entry = Pairs::Entry;

  struct Outcome {
    std::string_view code;
    std::string_view error;
    NoAnswer no_answer = NoAnswer::kNone;
    std::uint64_t end_ns = 0;
  };

  void OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) override;
  void OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) override;
  void OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) override;
  void Expire(std::uint64_t now_ns, Sink& sink) override;
  [[nodiscard]] std::optional<std::uint64_t> ExpiresAt() const override;

  // The client's messages.
  void OnClientMessage(const decode::postgresql::ClientMessage& message, Sink& sink);
  void OnOpening(const decode::postgresql::ClientMessage& message);
  void OnQuery(const decode::postgresql::ClientMessage& message);
  void OnParse(const decode::postgresql::ClientMessage& message);
  void OnBind(const decode::postgresql::ClientMessage& message, Sink& sink);
  void OnExecute(const decode::postgresql::ClientMessage& message, Sink& sink);
  void OnStep(Kind kind, std::uint64_t first_byte_ns);
  void OnSync(std::uint64_t first_byte_ns, Sink& sink);
  bool OnRequestsLost();

  // The server's.
  void OnServerMessage(const decode::postgresql::ServerMessage& message, Sink& sink);
  void OnEncryptionAnswer(char answer, Sink& sink);
  void OnStepAnswer(bool parse, Sink& sink);
  void OnExecuteAnswer(const decode::postgresql::ServerMessage& message, Sink& sink);
  void OnError(std::string_view code, Sink& sink);
  void OnCopyIn();
  void OnCopyBoth(Sink& sink);
  void OnReady(bool idle, Sink& sink);
  void OnServerIdle(Sink& sink);
  bool OnAnswersLost();
  void OnReadyAfterLoss(decode::postgresql::Before before, Sink& sink);

  void EndAfterLoss(bool known, const Outcome& outcome, Sink& sink);

  void BeginTurn(Sink& sink);
  bool Push(Kind kind, Statement what, std::uint64_t first_byte_ns);
  Entry* Begin(Kind kind, Statement what, std::uint64_t first_byte_ns);
  void EndOpen(Sink& sink);
  void EndFailed(Sink& sink);
  [[nodiscard]] bool is_open(Kind kind) const { return open_ && open_kind_ == kind; }
  [[nodiscard]] Entry* OpenEntry() { return open_ && open_kept_ ? &pairs_.back() : nullptr; }
  bool HasRequest(Sink& sink);
  void Complete(const Outcome& outcome, Sink& sink);
  void PopFront();
  void Tell(const Entry& entry, const Outcome& outcome, Sink& sink);
  void DropAll();
  void Suspend();
  void Confirm();
  void EndLostAnswer(Sink& sink);
  void EndLoss(Side side, bool known, Sink& sink);
  [[nodiscard]] bool AnswerHasBegun() const;
  [[nodiscard]] static bool EndsWithReady(Kind kind) { return kind <= Kind::kSync && kind != Kind::kCancel; }
  [[nodiscard]] static bool IsTold(const Entry& entry);
  [[nodiscard]] Outcome ErrorOutcome(std::uint64_t end_ns) const;
  std::uint16_t TableNumber(const decode::sql::TableName& table);
  void MarkSynced();

  decode::postgresql::Decoder client_;
  decode::postgresql::Decoder server_;
  Pairs pairs_;
  NamedStatements statements_;
  NamedStatements portals_;
  Tables tables_;
  std::uint64_t answer_ns_ = 0;  // when the last message of the front's answer passed that is kept back
  std::uint64_t popped_ns_ = 0;  // when the request before the front was answered
  decode::postgresql::NameId open_statement_ = decode::postgresql::kUnknownName;
  decode::postgresql::NameId open_portal_ = decode::postgresql::kUnknownName;
  std::uint32_t ready_owed_ = 0;     // ReadyForQuery messages that what is in pairs_ has to come
  std::uint32_t turn_requests_ = 0;  // while suspended: messages in this turn that ReadyForQuery answers,
  std::uint32_t turn_answers_ = 0;   // and those that came
  std::array<char, 5> code_{};       // of the front's error
  Kind open_kind_ = Kind::kSync;
  bool has_error_ : 1 = false;  // the front is a Query that has failed; ReadyForQuery is to come
  bool has_code_ : 1 = false;
  bool open_ : 1 = false;         // the last request of the extended protocol may get further messages
  bool open_kept_ : 1 = false;    // it is pairs_.back()
  bool open_failed_ : 1 = false;  // it has, and is told when it is whole
  bool batch_begun_ : 1 = false;  // since the last Sync or Query
  bool batch_has_requests_ : 1 = false;
  bool copying_in_ : 1 = false;       // the server takes CopyData; Sync and Flush mean nothing
  bool skipping_ : 1 = false;         // the server skips everything up to the next Sync
  bool pipelines_ : 1 = false;        // the client was seen to go on before the server was ready
  bool suspended_ : 1 = false;        // requests are lost after those in pairs_: nothing is kept
  bool turn_clean_ : 1 = false;       // nothing was lost in this turn
  bool answers_lost_ : 1 = false;     // in the answer to the front, or after it
  bool success_seen_ : 1 = false;     // a CommandComplete after answers_lost_
  bool unmatched_ready_ : 1 = false;  // the server got ready without a request that was seen
  bool deallocated_ : 1 = false;      // by SQL: names may be used again
};

}  // namespace wiregauge::match::postgresql
