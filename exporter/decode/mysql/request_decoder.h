// The client's direction of a MySQL connection: bytes in order go in, logins and commands come out. Push style: a
// packet may be split anywhere, and only a statement that is split before its table is copied. A command is told as
// soon as what is looked at of it is at hand. Pure: no clock, no I/O. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "exporter/decode/mysql/parse.h"
#include "exporter/decode/mysql/types.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode::mysql {

// Hears what a RequestDecoder finds, in stream order. Of the decoder's functions it may call SetExchange and
// StopDecoding.
class RequestHandler {
 public:
  virtual void OnLogin(const Login& login, std::uint64_t first_byte_ns) = 0;
  virtual void OnRequest(const Request& request, std::uint64_t first_byte_ns) = 0;
  // Commands were lost, perhaps several, before anything of them was known.
  virtual void OnRequestsLost() = 0;
  // The first bytes of this direction are no MySQL.
  virtual void OnNotMysql() = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;

 protected:
  ~RequestHandler() = default;
};

// Every byte told by OnBytes and OnGap is, once, parsed (TakeParsedBytes), unparsed (OnUnparsed), or pending.
class RequestDecoder {
 public:
  // `mid_stream`: the first byte may be anywhere, though likely where a command begins.
  explicit RequestDecoder(bool mid_stream);
  ~RequestDecoder();
  RequestDecoder(const RequestDecoder&) = delete;
  RequestDecoder& operator=(const RequestDecoder&) = delete;

  void OnBytes(Bytes bytes, std::uint64_t time_ns, RequestHandler& handler);
  // `length` bytes are missing.
  void OnGap(std::uint64_t length, RequestHandler& handler);
  // Nothing follows.
  void OnClose(RequestHandler& handler);

  // While true, what the client sends belongs to what it sent before: rounds of authentication, a file.
  void SetExchange(bool exchange) { exchange_ = exchange; }
  void Confirm() { confirmed_ = true; }  // what breaks the grammar from now on is malformed, not another protocol
  // The server answers the command that is not told yet: tells it with what is at hand.
  void TellBeginning(RequestHandler& handler);
  // The server answers: a command or an exchange whose framing was lost is over.
  void EndLostMessage();
  // Everything from now on is counted as `reason`.
  void StopDecoding(Unparsed reason, RequestHandler& handler);

  [[nodiscard]] std::uint64_t pending_bytes() const { return header_size_ + lost_bytes_; }
  // Bytes understood since the last call.
  std::uint64_t TakeParsedBytes();

 private:
  enum class State : std::uint8_t {
    kHeader,
    kHead,     // in what is looked at of a login or command
    kPayload,  // behind it
    kLost,     // in a command of several packets, or an exchange, whose framing is lost
    kResync,   // between commands, the next beginning not found yet
    kOpaque,   // for good
  };
  struct Beginning;

  std::size_t Step(Bytes run, std::uint64_t time_ns, RequestHandler& handler);
  std::size_t StepHeader(Bytes run, std::uint64_t time_ns, RequestHandler& handler);
  std::size_t StepHead(Bytes run, RequestHandler& handler);
  void EndHeader(Header header, RequestHandler& handler);
  bool TellHead(Bytes payload, bool all, RequestHandler& handler);
  void EndHead(std::uint32_t size);
  void SkipPayload(std::uint64_t bytes);
  void Fail(Unparsed reason, RequestHandler& handler);

  std::unique_ptr<Beginning> beginning_;  // only while a head is split over runs
  std::uint64_t first_byte_ns_ = 0;       // of the packet that began last
  std::uint64_t parsed_bytes_ = 0;        // since TakeParsedBytes
  std::uint64_t lost_bytes_ = 0;          // in kLost: parsed when the server answers
  std::uint32_t length_ = 0;              // of the packet's payload
  std::uint32_t left_ = 0;                // of it, to go
  std::array<std::uint8_t, kHeaderBytes> header_{};
  std::uint8_t header_size_ = 0;  // of a header that is split over runs
  std::uint8_t sequence_ = 0;     // of the packet before
  State state_;
  Unparsed loss_ = Unparsed::kMidStream;  // why the state is kResync or kOpaque
  bool await_login_;                      // nothing came yet
  bool mid_stream_;
  bool login_;      // the head is a login
  bool continues_;  // the payload goes on in the next packet
  bool exchange_ = false;
  bool confirmed_ = false;
};

}  // namespace wiregauge::decode::mysql
