// One direction of a PostgreSQL connection: bytes in order go in, messages come out. Push style: a message may be split
// anywhere, and nothing is copied unless what is looked at of it is split. Rows and other bodies are skipped by their
// length, captured or not. After a loss that the framing cannot bridge the decoder says so (OnLost), counts what it
// cannot read, and goes on where the sender's turn ends or a message is due. Pure: no clock, no I/O. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "exporter/decode/postgresql/parse.h"
#include "exporter/decode/postgresql/types.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode::postgresql {

// Hears what a Decoder finds, in stream order: of a client's or of a server's, by its Sender. May call StopDecoding,
// and anything of the other direction's Decoder.
class Handler {
 public:
  virtual void OnClientMessage(const ClientMessage& message) = 0;
  virtual void OnServerMessage(const ServerMessage& message) = 0;
  // The one byte that answers SSLRequest or GSSENCRequest: 'N', 'S' or 'G'.
  virtual void OnEncryptionAnswer(char answer) = 0;
  // The framing is lost: messages may be missing from here on. True when what comes until the next message may turn
  // out to be known (rows of the only answer that is due): it is pending then, until EndLoss.
  virtual bool OnLost(Unparsed reason) = 0;
  // These bytes are no PostgreSQL; only before Confirm().
  virtual void OnNotPostgresql() = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;

 protected:
  ~Handler() = default;
};

// Every byte told by OnBytes and OnGap is, once, parsed (TakeParsedBytes), unparsed (OnUnparsed), or pending
// (pending_bytes): part of a header that is not complete yet, or of a loss that is held.
class Decoder {
 public:
  // `mid_stream`: without an opening, and the first byte may be anywhere in a message.
  Decoder(Sender sender, bool mid_stream);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  void OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler);
  // `length` bytes are missing, the last of them are `tail`.
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, Handler& handler);
  // Nothing follows: a pending header is counted as kCutOff.
  void OnClose(Handler& handler);

  // What breaks the grammar from now on is malformed, not another protocol.
  void Confirm() { confirmed_ = true; }
  // Of a server: the next byte answers SSLRequest or GSSENCRequest.
  void ExpectEncryptionAnswer() { encryption_answer_ = true; }
  // If the framing is lost: the next byte begins a message, as the other side has shown.
  void ExpectMessage() { message_due_ = true; }
  // The message that goes on has been answered, so its end is lost: tells it now. True when there was one to tell.
  bool TellUnfinished(Handler& handler);
  // What is held of a loss was `known` after all, or was not.
  void EndLoss(bool known, Handler& handler);
  // Everything from now on is counted as `reason`, a pending header too.
  void StopDecoding(Unparsed reason, Handler& handler);

  [[nodiscard]] bool lost() const { return state_ == State::kLost; }
  [[nodiscard]] std::uint64_t pending_bytes() const { return header_size_ + held_bytes_; }
  // Bytes understood since the last call.
  std::uint64_t TakeParsedBytes() { return std::exchange(parsed_bytes_, 0); }

 private:
  enum class State : std::uint8_t {
    kOpening,  // of a client: before the StartupMessage
    kBetween,  // in no message, or in its header
    kBody,     // body_left_ bytes to go
    kLost,     // anywhere
    kOpaque,   // for good
  };

  // What a Parse of an unnamed statement said: drivers send the same few texts again and again.
  struct Recent {
    std::uint64_t hash = 0;  // of the message
    Operation operation = Operation::kOther;
    sql::TableName table;
  };
  static constexpr std::size_t kRecent = 4;

  std::size_t Step(Bytes run, std::uint64_t time_ns, Handler& handler);
  std::size_t StepWholeMessages(Bytes run, std::uint64_t time_ns, Handler& handler);
  std::size_t StepHeader(Bytes run, std::uint64_t time_ns, Handler& handler);
  std::size_t StepEncryptionAnswer(char answer, Handler& handler);
  void EndHeader(Handler& handler);
  std::size_t StepBody(Bytes run, Handler& handler);
  std::size_t StepLost(Bytes run, std::uint64_t time_ns, Handler& handler);
  void KeepBody(Bytes part);
  void EndMessage(Handler& handler);
  void Tell(char type, Bytes body, bool whole, std::uint64_t first_byte_ns, Handler& handler);
  void TellOpening(Handler& handler);
  void TellUnnamedParse(Bytes body, std::uint64_t first_byte_ns, Handler& handler);
  void FindTurnEnd(Bytes run, std::uint64_t time_ns, Handler& handler);
  void Fail(Unparsed reason, Handler& handler);
  void CountLost(std::uint64_t bytes, Handler& handler);

  std::uint64_t parsed_bytes_ = 0;
  std::uint64_t held_bytes_ = 0;                         // of a loss
  std::uint64_t first_byte_ns_ = 0;                      // of the message that is split
  std::unique_ptr<std::vector<std::uint8_t>> kept_;      // what is looked at of a split body
  std::unique_ptr<std::array<Recent, kRecent>> recent_;  // null before the first
  std::uint32_t body_bytes_ = 0;
  std::uint32_t body_left_ = 0;
  std::array<std::uint8_t, kOpeningHeaderBytes> header_{};  // split; while lost the last bytes that passed
  std::uint8_t header_size_ = 0;
  std::uint8_t last_size_ = 0;  // while lost: so many of header_
  char type_ = '\0';            // of the message that is split; '\0': an opening
  Opening opening_ = Opening::kNone;
  Sender sender_;
  State state_;
  Unparsed loss_ = Unparsed::kGap;
  bool confirmed_ = false;
  bool encryption_answer_ = false;
  bool message_due_ = false;
  bool holds_loss_ = false;
  bool told_early_ = false;  // the message in whose body this is
  bool kept_cut_ = false;    // bytes are missing in what is kept
  bool searched_ = false;    // the framing was lost, and nothing has proven yet where it was found
};

}  // namespace wiregauge::decode::postgresql
