// For tests: plays a connection's records into an HttpConnection and keeps what comes out.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/match/http_connection.h"

namespace wiregauge::match {

struct ToldRequest {
  std::string method;
  std::string path;
  int status = 0;
  NoAnswer no_answer = NoAnswer::kNone;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  probe::Role role = probe::Role::kUnknown;
  int minor_version = 1;
  bool path_cut = false;

  bool operator==(const ToldRequest&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const ToldRequest& told) {
  return out << told.method << ' ' << told.path << ' ' << told.status << " no_answer "
             << static_cast<int>(told.no_answer) << " [" << told.start_ns << ", " << told.end_ns << "] 1."
             << told.minor_version;
}

class KeptRequests final : public Sink {
 public:
  void OnRequest(const HttpRequest& request) override {
    all.push_back({std::string(request.method), std::string(request.path), request.status, request.no_answer,
                   request.start_ns, request.end_ns, request.role, request.minor_version, request.path_cut});
    traces.push_back(request.trace == nullptr ? std::nullopt : std::optional(*request.trace));
  }

  void OnCall(const Call&) override {}

  std::vector<ToldRequest> all;
  std::vector<std::optional<Trace>> traces;  // of each in `all`
};

// The observed socket is the server's: requests are received, answers sent. Each call passes one segment at time_ns,
// which then goes on by 1.
class Tap {
 public:
  explicit Tap(probe::Role role = probe::Role::kServer, bool mid_stream = false, std::uint32_t first_seq = 0xffffff00)
      : request_direction_(role == probe::Role::kClient ? probe::Direction::kSent : probe::Direction::kReceived),
        request_seq(first_seq),
        answer_seq(first_seq + 0x1000),
        connection(Open(role, mid_stream, request_direction_, request_seq, answer_seq), options, budget) {}

  void Request(std::string_view text) { Segment(true, text, text.size()); }
  void Answer(std::string_view text) { Segment(false, text, text.size()); }
  // Only the first `captured` bytes and the tail are at hand.
  void Request(std::string_view text, std::size_t captured) { Segment(true, text, captured); }
  void Answer(std::string_view text, std::size_t captured) { Segment(false, text, captured); }
  // The tap saw it, we did not.
  void LoseRequest(std::string_view text) { request_seq += static_cast<std::uint32_t>(text.size()); }
  void LoseAnswer(std::string_view text) { answer_seq += static_cast<std::uint32_t>(text.size()); }

  void Close() { connection.OnClose({.connection = 7, .time_ns = time_ns}, sink); }
  void Reset() { connection.OnClose({.connection = 7, .time_ns = time_ns, .reset_received = true}, sink); }
  void Tick() { connection.OnTick(time_ns, sink); }

  void Piece(bool request, std::uint32_t seq, std::string_view text, std::size_t captured) {
    probe::DataRecord record;
    record.connection = 7;
    record.time_ns = time_ns++;
    const bool received = request == (request_direction_ == probe::Direction::kReceived);
    record.direction = received ? probe::Direction::kReceived : probe::Direction::kSent;
    record.seq = seq;
    record.length = static_cast<std::uint32_t>(text.size());
    record.captured = AsBytes(text.substr(0, captured));
    if (captured < text.size()) record.tail = AsBytes(text.substr(text.size() - std::min<std::size_t>(8, text.size())));
    connection.OnData(record, sink);
  }

  static std::uint64_t Unparsed(const ConnectionCounts& counts) {
    std::uint64_t sum = 0;
    for (const std::uint64_t bytes : counts.unparsed_bytes) sum += bytes;
    return sum;
  }

 private:
  static probe::OpenRecord Open(probe::Role role, bool mid_stream, probe::Direction request_direction,
                                std::uint32_t request_seq, std::uint32_t answer_seq) {
    probe::OpenRecord open;
    open.connection = 7;
    open.role = role;
    open.mid_stream = mid_stream;
    const bool sent = request_direction == probe::Direction::kSent;
    open.sent_seq = sent ? request_seq : answer_seq;
    open.received_seq = sent ? answer_seq : request_seq;
    return open;
  }

  void Segment(bool request, std::string_view text, std::size_t captured) {
    std::uint32_t& seq = request ? request_seq : answer_seq;
    Piece(request, seq, text, captured);
    seq += static_cast<std::uint32_t>(text.size());
  }

  probe::Direction request_direction_;

 public:
  std::uint32_t request_seq;
  std::uint32_t answer_seq;
  std::uint64_t time_ns = 1'000;
  Options options;
  decode::MemoryBudget budget;
  KeptRequests sink;
  HttpConnection connection;
};

}  // namespace wiregauge::match
