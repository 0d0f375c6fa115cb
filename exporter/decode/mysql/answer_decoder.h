// The server's direction of a MySQL connection: bytes in order go in, whole answers come out. What a packet means
// depends on the command that it answers, which the handler says; whether the old or the new form of EOF is in use
// shows in the bytes. Push style: a packet may be split anywhere; at most 28 bytes of one are copied, and nothing is
// allocated. Where the framing is lost among rows, an answer goes on until a segment ends with the packet that ends
// rows, or the client goes on (the handler knows). Pure: no clock, no I/O. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "exporter/decode/mysql/parse.h"
#include "exporter/decode/mysql/types.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode::mysql {

// Hears what an AnswerDecoder finds, in stream order. Of the decoder's functions it may call Skip and StopDecoding.
class AnswerHandler {
 public:
  virtual void OnGreeting(const Greeting& greeting) = 0;
  // An answer begins. Gives what it answers; kNothing when no request waits: it is skipped then.
  virtual Expected OnAnswer() = 0;
  // The server waits for the client: more authentication, or a file.
  virtual void OnExchange() = 0;
  // The answer that began last is complete.
  virtual void OnAnswerEnd(const Answer& answer) = 0;
  // Answers were lost, or the answer that began last cannot be followed: what comes is skipped until Expect.
  virtual void OnAnswersLost() = 0;
  // The end of the answer that began last may not be seen. False when it is to be skipped.
  virtual bool OnEndLost() = 0;
  // These bytes are no MySQL. Only while that was not confirmed.
  virtual void OnNotMysql() = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;

 protected:
  ~AnswerHandler() = default;
};

// Every byte told by OnBytes and OnGap is, once, parsed (TakeParsedBytes), unparsed (OnUnparsed), or pending.
class AnswerDecoder {
 public:
  // `mid_stream`: skips until the first Expect.
  explicit AnswerDecoder(bool mid_stream);

  void OnBytes(Bytes bytes, AnswerHandler& handler);
  // `length` bytes are missing, the last of them are `tail`.
  void OnGap(std::uint64_t length, Bytes tail, AnswerHandler& handler);
  // Nothing follows.
  void OnClose(AnswerHandler& handler);

  // The client has asked: the next packet begins an answer, if it was to be skipped.
  void Expect();
  void Confirm() { confirmed_ = true; }
  // What comes is counted as `reason` until the client asks.
  void Skip(Unparsed reason, AnswerHandler& handler);
  // The answer without a seen end is over, as the client went on. Its last bytes tell whether it failed.
  void EndLostAnswer(AnswerHandler& handler);
  // Everything from now on is counted as `reason`.
  void StopDecoding(Unparsed reason, AnswerHandler& handler);

  // An answer has begun that is not ended.
  [[nodiscard]] bool in_answer() const { return state_ >= State::kOk && state_ <= State::kLost; }
  [[nodiscard]] bool end_lost() const { return state_ == State::kLost; }
  // Only when end_lost(): the last bytes are at hand, and those of an ERR packet, or of rows.
  [[nodiscard]] bool ends_with_text() const;
  [[nodiscard]] bool skipping() const { return state_ == State::kSkip; }
  // Bytes came since skipping began.
  [[nodiscard]] bool skipped() const { return skipped_; }

  [[nodiscard]] std::uint64_t pending_bytes() const { return head_size_ + lost_bytes_; }
  // Bytes understood since the last call.
  std::uint64_t TakeParsedBytes();

 private:
  enum class State : std::uint8_t {
    kGreeting,
    kBetween,  // answers
    // In an answer, at:
    kOk,        // its only packet
    kLogin,     // a packet of authentication
    kText,      // its only packet, of text
    kStream,    // its first packet
    kResult,    // the first packet of a result
    kPrepared,  // the first packet of the answer to a kStmtPrepare
    // and where its outcome is known:
    kDefinitions,     // of columns: definitions_left_ to go
    kDefinitionsEnd,  // an EOF of the old form, or a row
    kRows,            // rows, or definitions of unknown number, until EOF
    kParameters,      // definitions of parameters: definitions_left_ to go
    kParametersEnd,   // an EOF of the old form, or definitions of columns
    kColumns,         // as kDefinitions, of a prepared statement
    kColumnsEnd,      // an EOF of the old form
    kLost,            // anywhere behind them
    // Not to be read:
    kSkip,    // until the client asks
    kOpaque,  // for good
  };
  enum class Eof : std::uint8_t { kUnknown, kOld, kNew };

  std::size_t Step(Bytes run, AnswerHandler& handler);
  std::size_t StepRows(Bytes run);
  std::size_t StepLost(Bytes run, AnswerHandler& handler);
  std::size_t StepHead(Bytes run, AnswerHandler& handler);
  std::size_t HeadWanted(Header header) const;
  void OnHead(Bytes head, AnswerHandler& handler);
  bool OnPacket(Header header, Bytes payload, AnswerHandler& handler);
  bool OnFirstPacket(Header header, Bytes payload, AnswerHandler& handler);
  bool OnResult(Bytes payload, std::uint32_t length, Packet kind, AnswerHandler& handler);
  bool OnRow(Bytes payload, Packet kind);
  bool OnPrepared(Bytes payload, std::uint32_t length, Packet kind);
  void AfterParameters();
  void AfterColumns();
  bool OnLogin(Packet kind, AnswerHandler& handler);
  bool EndByError(Bytes payload);
  void EndResult(std::uint16_t status);
  void EndPacket(AnswerHandler& handler);
  void Fail(AnswerHandler& handler);
  void KeepLast(Bytes run);

  std::uint64_t parsed_bytes_ = 0;  // since TakeParsedBytes
  std::uint64_t lost_bytes_ = 0;    // in kLost: parsed if its end is seen
  std::uint32_t left_ = 0;          // of the packet's payload, to go
  std::uint16_t definitions_left_ = 0;
  std::uint16_t columns_ = 0;  // of a prepared statement, while its parameters are told
  Answer answer_;
  std::array<std::uint8_t, kHeaderBytes + kAnswerBytesRead> head_{};
  std::array<std::uint8_t, kTerminatorBytes> last_{};  // in kLost: the last bytes that passed
  std::uint8_t last_size_ = 0;
  std::uint8_t head_size_ = 0;  // of a packet's beginning that is split over runs
  std::uint8_t sequence_ = 0;   // of the next packet of the answer
  State state_;
  Unparsed loss_ = Unparsed::kMidStream;  // why the state is kSkip or kOpaque
  Eof eof_ = Eof::kUnknown;
  bool ends_ = false;            // the answer, with this packet
  bool continues_ = false;       // the payload goes on in the next packet
  bool any_sequence_ = false;    // behind an exchange the numbers go on from the client's
  bool eof_may_follow_ = false;  // behind the answer: it ended with definitions, and eof_ is not known
  bool by_tail_ = false;         // in kLost: rows were being told
  bool skipped_ = false;
  bool confirmed_ = false;
};

}  // namespace wiregauge::decode::mysql
