// A MySQL or MariaDB connection: logins and commands with their answers, in order. A prepared statement's executions
// are counted under its verb and table. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "exporter/decode/mysql/answer_decoder.h"
#include "exporter/decode/mysql/request_decoder.h"
#include "exporter/match/ordered_pairs.h"
#include "exporter/match/stream_conversation.h"

namespace wiregauge::match::mysql {

class Conversation final : public StreamConversation {
 public:
  // Statements that a connection has prepared and not closed. max_prepared_stmt_count is 16,382 for a whole server;
  // executions of those beyond are "_OTHER".
  static constexpr std::size_t kStatementsMax = 4'096;
  // What one takes in the map; beyond kStatementsKept it is charged to the budget.
  static constexpr std::size_t kStatementBytes = 128;
  static constexpr std::size_t kStatementsKept = 8;

  Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget);
  ~Conversation() override;

  [[nodiscard]] std::uint64_t pending_bytes() const override;

 protected:
  void OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) override;
  void OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) override;
  void OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) override;
  void Expire(std::uint64_t now_ns, Sink& sink) override;
  [[nodiscard]] std::optional<std::uint64_t> ExpiresAt() const override;

 private:
  class Hearing;

  // What is kept of a request until its answer.
  struct Asked {
    std::string_view operation;  // of static storage
    decode::sql::Summary statement;
    decode::mysql::Expected expected = decode::mysql::Expected::kNothing;
  };
  using Waiting = OrderedPairs<Asked>;

  void Login(const decode::mysql::Login& login, std::uint64_t first_byte_ns, Hearing& hearing);
  void Request(const decode::mysql::Request& request, std::uint64_t first_byte_ns, Hearing& hearing);
  void Ask(const Asked& asked, std::uint64_t first_byte_ns, Hearing& hearing);
  void ClientGoesOn(Hearing& hearing);
  Asked AskedBy(const decode::mysql::Request& request);
  decode::mysql::Expected BeginAnswer(Hearing& hearing);
  void EndAnswer(const decode::mysql::Answer& answer, Hearing& hearing);
  void LoseRequests(Hearing& hearing);
  void Suspend(Hearing& hearing);
  void Leave(decode::Unparsed reason, Hearing& hearing);
  void Confirm();
  void Remember(std::uint32_t statement_id, const decode::sql::Summary& statement);
  void Forget(std::uint32_t statement_id);
  void ForgetAll();
  void Tell(const Waiting::Entry& entry, const decode::mysql::Answer& answer, NoAnswer no_answer, std::uint64_t end_ns,
            Sink& sink);
  void TellUnanswered(const Waiting::Entry& entry, NoAnswer no_answer, std::uint64_t end_ns, Sink& sink);
  void TakeParsed();

  decode::mysql::RequestDecoder requests_;
  decode::mysql::AnswerDecoder answers_;
  Waiting waiting_;
  absl::flat_hash_map<std::uint32_t, decode::sql::Summary> statements_;  // by id
  std::unique_ptr<decode::sql::Summary> last_prepared_;                  // null: none, or not known
  std::size_t charged_ = 0;
  std::uint32_t server_capabilities_ = 0xffffffff;  // until the greeting says
  std::uint32_t client_capabilities_ = 0;
  bool batches_ = false;   // the client was seen to ask again before the answer began
  bool overlaps_ = false;  // and while it came
};

}  // namespace wiregauge::match::mysql
