// For tests: plays segments into a MySQL conversation and keeps what comes out, a line a call.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/decode/mysql/golden_sessions.h"
#include "exporter/match/mysql/conversation.h"

namespace wiregauge::match::mysql {

using decode::mysql::golden::Unhex;

class KeptCalls final : public Sink {
 public:
  void OnRequest(const HttpRequest&) override { all.emplace_back("an HTTP request"); }
  void OnCall(const Call& call) override {
    static constexpr std::string_view kWhy[] = {"", " timeout", " reset", " closed"};
    std::string line(call.operation);
    if (!call.destination.empty()) line += " " + std::string(call.destination);
    if (!call.code.empty()) line += " " + std::string(call.code);
    if (call.error != call.code) line += " another error";
    all.push_back(line + std::string(kWhy[static_cast<std::size_t>(call.no_answer)]));
    times.push_back({call.start_ns, call.end_ns});
  }

  struct Times {
    std::uint64_t start_ns;
    std::uint64_t end_ns;
    bool operator==(const Times&) const = default;
  };
  std::vector<std::string> all;
  std::vector<Times> times;
};

// A packet: header and payload.
inline std::string Packet(std::uint8_t sequence, std::string_view payload) {
  std::string bytes;
  for (int shift = 0; shift < 24; shift += 8) bytes.push_back(static_cast<char>(payload.size() >> shift));
  bytes.push_back(static_cast<char>(sequence));
  return bytes.append(payload);
}
inline std::string Query(std::string_view statement) { return Packet(0, "\x03" + std::string(statement)); }

class Tap {
 public:
  explicit Tap(bool mid_stream = false, probe::Role role = probe::Role::kServer)
      : role_(role), conversation(Open(mid_stream, role), options, budget) {}

  // One segment of which the first `captured` bytes and the last 8 are at hand. Time goes on by 1.
  void Segment(bool request, std::string_view bytes, std::size_t captured = SIZE_MAX) {
    probe::DataRecord record;
    record.connection = 7;
    record.time_ns = time_ns++;
    const bool received = request == (role_ == probe::Role::kServer);
    record.direction = received ? probe::Direction::kReceived : probe::Direction::kSent;
    record.seq = seq_[received ? 0 : 1];
    record.length = static_cast<std::uint32_t>(bytes.size());
    const std::string copy(bytes.substr(0, captured));  // of its own, so that a sanitizer sees views that live too long
    record.captured = AsBytes(copy);
    const std::string tail(bytes.substr(bytes.size() - std::min<std::size_t>(8, bytes.size())));
    if (captured < bytes.size()) record.tail = AsBytes(tail);
    seq_[received ? 0 : 1] += record.length;
    told += bytes.size();
    conversation.OnData(record, sink);
    Account();
  }
  void Request(std::string_view bytes, std::size_t captured = SIZE_MAX) { Segment(true, bytes, captured); }
  void Answer(std::string_view bytes, std::size_t captured = SIZE_MAX) { Segment(false, bytes, captured); }
  // The tap saw it, we did not.
  void LoseRequest(std::size_t size) { Lose(true, size); }
  void LoseAnswer(std::size_t size) { Lose(false, size); }
  void Play(const decode::mysql::golden::Session& session) {
    for (const auto& piece : session) Segment(piece.request, Unhex(piece.hex));
  }
  void Close(bool reset = false) {
    conversation.OnClose({.connection = 7, .time_ns = time_ns, .reset_received = reset}, sink);
    Account();
    EXPECT_EQ(conversation.pending_bytes(), 0u);
  }
  void Tick(std::uint64_t after_ns) {
    time_ns += after_ns;
    conversation.OnTick(time_ns, sink);
    Account();
  }

  std::uint64_t Unparsed(decode::Unparsed reason) const {
    return counts.unparsed_bytes[static_cast<std::size_t>(reason)];
  }
  std::uint64_t Unparsed() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t bytes : counts.unparsed_bytes) sum += bytes;
    return sum;
  }

  std::uint64_t time_ns = 1'000;
  Options options;
  decode::MemoryBudget budget;
  KeptCalls sink;
  ConnectionCounts counts;
  std::uint64_t told = 0;

 private:
  static probe::OpenRecord Open(bool mid_stream, probe::Role role) {
    probe::OpenRecord open;
    open.connection = 7;
    open.role = role;
    open.mid_stream = mid_stream;
    open.received_seq = kFirstSeq;
    open.sent_seq = kFirstSeq;
    return open;
  }
  void Lose(bool request, std::size_t size) {
    const bool received = request == (role_ == probe::Role::kServer);
    seq_[received ? 0 : 1] += static_cast<std::uint32_t>(size);
  }
  // Without losses every byte is parsed, unparsed or pending.
  void Account() {
    counts.Add(conversation.TakeCounts());
    if (seq_[0] + seq_[1] - 2 * kFirstSeq == told) {
      EXPECT_EQ(counts.parsed_bytes + Unparsed() + conversation.pending_bytes(), told);
    }
  }

  static constexpr std::uint32_t kFirstSeq = 0xffffff00;
  probe::Role role_;
  std::uint32_t seq_[2] = {kFirstSeq, kFirstSeq};

 public:
  Conversation conversation;
};

}  // namespace wiregauge::match::mysql
