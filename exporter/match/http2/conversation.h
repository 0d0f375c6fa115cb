// One HTTP/2 connection: the probe's records go in, finished requests and gRPC calls come out. Pairs by stream number
// (RFC 9113 section 5), so what is told is certain however much was lost; what a loss leaves open is counted. gRPC over
// HTTP/2 is told as Call: its outcome is grpc-status, which comes in the trailers. Pure; one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "exporter/decode/http1/types.h"
#include "exporter/decode/http2/decoder.h"
#include "exporter/match/http2/streams.h"
#include "exporter/match/stream_conversation.h"

namespace wiregauge::match::http2 {

class Conversation final : public StreamConversation {
 public:
  Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget);
  // After an upgrade from HTTP/1.1: `open` begins behind it, and the request that asked for it is stream 1
  // (an empty method: it was not seen).
  Conversation(const probe::OpenRecord& open, const Options& options, decode::MemoryBudget& budget,
               const HttpRequest& upgraded);
  ~Conversation() override;

  [[nodiscard]] std::uint64_t pending_bytes() const override;

 protected:
  void OnBytes(Side side, Bytes bytes, std::uint64_t time_ns, Sink& sink) override;
  void OnGap(Side side, std::uint64_t length, Bytes tail, std::uint64_t time_ns, Sink& sink) override;
  void OnEnd(NoAnswer why, std::uint64_t time_ns, Sink& sink) override;
  void Expire(std::uint64_t now_ns, Sink& sink) override;
  [[nodiscard]] std::optional<std::uint64_t> ExpiresAt() const override;

 private:
  class Half;
  using Section = decode::http2::Section;

  void OnRequestSection(Section& section, Sink& sink);
  void OnAnswerSection(Section& section, Sink& sink);
  void OnDataFrame(Side side, const decode::http2::Data& data, Sink& sink);
  void OnReset(Side side, std::uint32_t number, std::uint32_t error, Sink& sink);
  void OnGoAway(Side side, std::uint32_t last_stream, std::uint32_t error, Sink& sink);
  void OnLost(Side side);
  void OnHttp2();
  void OnNotHttp2(Sink& sink);

  void BeginRequest(Section& section, Sink& sink);
  void NoteMissing(std::uint32_t before);
  Stream* FindAnswered(std::uint32_t number, Sink& sink);
  void OnAnswerToNothing(std::uint32_t number, bool end_stream);
  void EndAnswer(Stream& stream, Sink& sink);
  // Tells and forgets the stream. `error` is an HTTP/2 error code when one ended it.
  void End(Stream& stream, NoAnswer no_answer, std::optional<std::uint32_t> error, std::uint64_t end_ns, Sink& sink);
  void TellRequest(const Stream& stream, NoAnswer no_answer, std::string_view error, std::uint64_t end_ns, Sink& sink);
  void TellCall(const Stream& stream, NoAnswer no_answer, std::optional<std::uint32_t> error, std::uint64_t end_ns,
                Sink& sink);
  [[nodiscard]] bool IsGrpc(const Stream& stream) const;
  [[nodiscard]] bool Waits(const Stream& stream) const;
  void WaitFrom(std::uint64_t last_ns);

  decode::http2::Decoder requests_;
  decode::http2::Decoder answers_;
  Streams streams_;
  // No stream expires before; only a lower bound, so that each record need not look through all streams.
  std::optional<std::uint64_t> expires_at_;
  std::int64_t highest_ = -1;       // the highest stream number of a request that is known to have been
  std::uint32_t first_ = 0;         // the first request seen; answers to earlier ones are answers to nothing. 0: none
  std::uint32_t last_stream_;       // of the server's GOAWAY
  std::uint32_t goaway_error_ = 0;  // of the latest GOAWAY
  bool requests_lost_ : 1 = false;  // requests may be missing between highest_ and the next one
  bool grpc_seen_ : 1 = false;      // a gRPC call was seen on this connection
};

}  // namespace wiregauge::match::http2
