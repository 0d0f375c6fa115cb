// For tests: plays a connection's records into a Conversation and keeps what comes out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/decode/http2/test_frames.h"
#include "exporter/match/http2/conversation.h"

namespace wiregauge::match::http2 {

// Each request in a line: what was told of it.
class KeptLines final : public Sink {
 public:
  void OnRequest(const HttpRequest& request) override {
    std::string line = std::string(request.method) + " " + std::string(request.path) + " " +
                       std::to_string(request.status) + Suffix(request.no_answer);
    if (!request.error.empty()) line += " " + std::string(request.error);
    if (request.major_version != 2 || request.minor_version != 0) line += " not 2";
    if (request.trace != nullptr) line += " traced";
    Keep(line, request.start_ns, request.end_ns);
  }
  void OnCall(const Call& call) override {
    std::string line = "grpc " + std::string(call.operation) + " " + std::string(call.code) + Suffix(call.no_answer);
    if (!call.error.empty()) line += " error " + std::string(call.error);
    if (call.trace != nullptr) line += " traced";
    Keep(line, call.start_ns, call.end_ns);
  }

  // What was told since the last call.
  std::vector<std::string> Take() {
    std::vector<std::string> taken;
    taken.swap(lines);
    return taken;
  }

  std::vector<std::string> lines;
  std::uint64_t start_ns = 0;  // of the last one
  std::uint64_t end_ns = 0;

 private:
  static std::string Suffix(NoAnswer no_answer) {
    static constexpr std::string_view kTexts[] = {"", " timeout", " reset", " connection_closed"};
    return std::string(kTexts[static_cast<std::size_t>(no_answer)]);
  }
  void Keep(const std::string& line, std::uint64_t start, std::uint64_t end) {
    lines.push_back(line);
    start_ns = start;
    end_ns = end;
  }
};

// Each call passes one segment at time_ns, which then goes on by 1.
class Tap {
 public:
  explicit Tap(probe::Role role = probe::Role::kServer, bool mid_stream = false)
      : role_(role), connection(Open(role, mid_stream), options, budget) {}
  Tap(const HttpRequest& upgraded, probe::Role role)
      : role_(role), connection(Open(role, false), options, budget, upgraded) {}

  void Request(std::string_view bytes) { Segment(true, bytes, bytes.size()); }
  void Answer(std::string_view bytes) { Segment(false, bytes, bytes.size()); }
  // Only the first `captured` bytes are at hand.
  void Answer(std::string_view bytes, std::size_t captured) { Segment(false, bytes, captured); }
  void Request(std::string_view bytes, std::size_t captured) { Segment(true, bytes, captured); }
  // The tap saw it, we did not.
  void LoseRequest(std::string_view bytes) { request_seq += static_cast<std::uint32_t>(bytes.size()); }
  void LoseAnswer(std::string_view bytes) { answer_seq += static_cast<std::uint32_t>(bytes.size()); }

  void Close() { connection.OnClose({.connection = 7, .time_ns = time_ns}, sink); }
  void Reset() { connection.OnClose({.connection = 7, .time_ns = time_ns, .reset_received = true}, sink); }
  void Tick() { connection.OnTick(time_ns, sink); }
  // The counts since the last call.
  ConnectionCounts Counts() { return connection.TakeCounts(); }
  static std::uint64_t Unparsed(const ConnectionCounts& counts) {
    std::uint64_t sum = 0;
    for (const std::uint64_t bytes : counts.unparsed_bytes) sum += bytes;
    return sum;
  }

 private:
  static probe::OpenRecord Open(probe::Role role, bool mid_stream) {
    probe::OpenRecord open;
    open.connection = 7;
    open.role = role;
    open.mid_stream = mid_stream;
    open.sent_seq = open.received_seq = 1'000;
    return open;
  }

  void Segment(bool request, std::string_view bytes, std::size_t captured) {
    std::uint32_t& seq = request ? request_seq : answer_seq;
    probe::DataRecord record;
    record.connection = 7;
    record.time_ns = time_ns++;
    const bool sent = request == (role_ == probe::Role::kClient);
    record.direction = sent ? probe::Direction::kSent : probe::Direction::kReceived;
    record.seq = seq;
    record.length = static_cast<std::uint32_t>(bytes.size());
    record.captured = AsBytes(bytes.substr(0, captured));
    if (captured < bytes.size())
      record.tail = AsBytes(bytes.substr(bytes.size() - std::min<std::size_t>(8, bytes.size())));
    connection.OnData(record, sink);
    seq += record.length;
  }

  probe::Role role_;

 public:
  std::uint32_t request_seq = 1'000;
  std::uint32_t answer_seq = 1'000;
  std::uint64_t time_ns = 1'000;
  Options options;
  decode::MemoryBudget budget;
  KeptLines sink;
  Conversation connection;
};

}  // namespace wiregauge::match::http2
