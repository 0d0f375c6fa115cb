// One HTTP/1 connection: the probe's records go in, finished requests come out. Pairs requests with answers in their
// order (RFC 9112 section 9.3.2), bridges what the decoders cannot read, and never pairs by guess: where a loss leaves
// it open which answer belongs to which request, both are counted and left out until the order is certain again.
// Pure: time comes with the records and OnTick. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "exporter/decode/http1/decoder.h"
#include "exporter/decode/stream.h"
#include "exporter/match/conversation.h"
#include "exporter/match/outstanding.h"
#include "exporter/probe/record.h"

namespace wiregauge::match {

class HttpConnection final : public Conversation {
 public:
  // `options` and `budget` are shared by all connections of a thread and must outlive them.
  HttpConnection(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget);
  ~HttpConnection() override;
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void OnData(const probe::DataRecord& record, Sink& sink) override;
  void OnClose(const probe::CloseRecord& record, Sink& sink) override;
  void OnTick(std::uint64_t now_ns, Sink& sink) override;
  [[nodiscard]] std::optional<std::uint64_t> NextDeadline() const override;
  ConnectionCounts TakeCounts() override;
  [[nodiscard]] std::uint64_t pending_bytes() const override;
  [[nodiscard]] State state() const override { return state_; }
  std::unique_ptr<UpgradeToHttp2> TakeUpgrade() override;

  [[nodiscard]] probe::Role role() const { return role_; }

 private:
  class Half;
  struct KeptUpgrade;
  using Entry = Outstanding::Entry;

  void OnRequestLine(probe::Direction direction, const decode::http1::RequestLine& line, std::uint64_t first_byte_ns,
                     Sink& sink);
  void OnTrace(const decode::Trace& trace);
  decode::http1::Method OnStatusLine(probe::Direction direction, const decode::http1::StatusLine& line, Sink& sink);
  void OnRequestEnd(probe::Direction direction);
  void OnAnswerEnd(probe::Direction direction, Sink& sink);
  void OnRequestsLost(decode::http1::Loss loss);
  void StopDecoding(decode::Unparsed reason, Sink& sink);

  void LearnRole(probe::Direction requests);
  bool CanResume() const;
  void Suspend(std::uint32_t requests_lost);
  void DropUncertain();
  void DropAll();
  void Expire(std::uint64_t now_ns, Sink& sink);
  bool FrontIsOpen() const;
  void KeepUpgrade(std::uint64_t end_ns);
  HttpRequest RequestOf(const Entry& entry, NoAnswer no_answer, std::uint64_t end_ns) const;
  void Tell(const Entry& entry, NoAnswer no_answer, std::uint64_t end_ns, Sink& sink);
  ConnectionCounts& Losses();

  [[nodiscard]] probe::Direction RequestDirection() const {
    return role_ == probe::Role::kClient ? probe::Direction::kSent : probe::Direction::kReceived;
  }
  [[nodiscard]] probe::Direction AnswerDirection() const {
    return role_ == probe::Role::kClient ? probe::Direction::kReceived : probe::Direction::kSent;
  }
  decode::http1::Decoder& decoder(probe::Direction direction) {
    return direction == probe::Direction::kSent ? sent_decoder_ : received_decoder_;
  }
  const decode::http1::Decoder& decoder(probe::Direction direction) const {
    return direction == probe::Direction::kSent ? sent_decoder_ : received_decoder_;
  }
  std::uint64_t& last_ns(probe::Direction direction) {
    return direction == probe::Direction::kSent ? sent_last_ns_ : received_last_ns_;
  }

  const Options& options_;
  decode::MemoryBudget& budget_;
  probe::ConnectionId id_;
  decode::Stream received_;
  decode::Stream sent_;
  decode::http1::Decoder received_decoder_;
  decode::http1::Decoder sent_decoder_;
  Outstanding outstanding_;
  std::uint64_t received_last_ns_ = 0;  // time of the latest byte
  std::uint64_t sent_last_ns_ = 0;
  std::unique_ptr<ConnectionCounts> losses_;  // null while there are none: most connections never need it
  std::unique_ptr<KeptUpgrade> upgrade_;      // null unless the connection goes on as HTTP/2
  // While suspended: requests seen or known to be lost whose answers are still to come, at least.
  std::uint32_t answers_owed_ = 0;
  std::uint16_t status_ = 0;  // of the answer that began last
  std::uint8_t minor_version_ = 1;
  decode::http1::Method untold_method_ = decode::http1::Method::kOther;  // of the last request not kept
  probe::Role role_;
  State state_ = State::kUndecided;
  bool request_open_ : 1 = false;    // outstanding_.back() has not ended
  bool answering_ : 1 = false;       // the answer to outstanding_.front() has begun
  bool informational_ : 1 = false;   // the answer that began last is a 1xx
  bool pipelines_ : 1 = false;       // the client was seen sending a request before the answer to the one before
  bool suspended_ : 1 = false;       // requests after those in outstanding_ are lost: nothing new is kept
  bool answered_since_ : 1 = false;  // an answer began since suspended_
  bool answers_lost_ : 1 = false;    // answers may be lost between the last that was seen and the next one
  bool unmatched_since_request_ : 1 = false;  // an answer without a request came after the last request
};

}  // namespace wiregauge::match
