// For tests: plays a PostgreSQL connection's records into a Conversation and keeps what comes out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/decode/postgresql/golden.h"
#include "exporter/match/postgresql/conversation.h"

namespace wiregauge::match::postgresql {

class KeptCalls final : public Sink {
 public:
  void OnRequest(const HttpRequest&) override {}
  // "SELECT items", "INSERT items 23505", "UPDATE items timeout"
  void OnCall(const Call& call) override {
    std::string text(call.operation);
    if (!call.destination.empty()) text += " " + std::string(call.destination);
    if (!call.error.empty()) text += " " + std::string(call.error);
    if (call.code != call.error && call.error != kPipelineAborted) text += " code " + std::string(call.code);
    static constexpr std::string_view kNames[] = {"", " timeout", " reset", " closed"};
    text += kNames[static_cast<std::size_t>(call.no_answer)];
    all.push_back(text);
    times.emplace_back(call.start_ns, call.end_ns);
    roles.push_back(call.role);
  }

  std::vector<std::string> all;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> times;
  std::vector<probe::Role> roles;
};

// Each call passes one segment at time_ns, which then goes on by 1.
class Tap {
 public:
  using Sender = decode::postgresql::Sender;

  explicit Tap(probe::Role role = probe::Role::kServer, bool mid_stream = false)
      : role_(role), conversation(Open(role, mid_stream), options, budget) {}

  void Client(std::string_view text) { Pass(Sender::kClient, text, text.size()); }
  void Server(std::string_view text) { Pass(Sender::kServer, text, text.size()); }
  // Only the first `captured` bytes and the tail are at hand.
  void Client(std::string_view text, std::size_t captured) { Pass(Sender::kClient, text, captured); }
  void Server(std::string_view text, std::size_t captured) { Pass(Sender::kServer, text, captured); }
  // The connection carried it, the tap told nothing.
  void Lose(Sender sender, std::string_view text) { seq_[Index(sender)] += static_cast<std::uint32_t>(text.size()); }

  void Play(const decode::postgresql::golden::Turns& turns) {
    for (const auto& turn : turns) Pass(turn.sender, turn.bytes, turn.bytes.size());
  }

  void Pass(Sender sender, std::string_view text, std::size_t captured) {
    probe::DataRecord record;
    record.connection = 7;
    record.time_ns = time_ns++;
    const bool sent = (sender == Sender::kClient) == (role_ == probe::Role::kClient);
    record.direction = sent ? probe::Direction::kSent : probe::Direction::kReceived;
    record.seq = seq_[Index(sender)];
    record.length = static_cast<std::uint32_t>(text.size());
    record.captured = AsBytes(text.substr(0, captured));
    if (captured < text.size()) record.tail = AsBytes(text.substr(text.size() - std::min<std::size_t>(8, text.size())));
    seq_[Index(sender)] += record.length;
    told += record.length;
    conversation.OnData(record, sink);
  }

  void Close() { conversation.OnClose({.connection = 7, .time_ns = time_ns}, sink); }
  void Reset() { conversation.OnClose({.connection = 7, .time_ns = time_ns, .reset_received = true}, sink); }
  void Tick() { conversation.OnTick(time_ns, sink); }

  // What was counted so far, all in all.
  const ConnectionCounts& Counts() {
    counts_.Add(conversation.TakeCounts());
    return counts_;
  }
  std::uint64_t Unparsed() {
    std::uint64_t sum = 0;
    for (const std::uint64_t bytes : Counts().unparsed_bytes) sum += bytes;
    return sum;
  }

 private:
  static std::size_t Index(Sender sender) { return sender == Sender::kClient ? 0 : 1; }
  static probe::OpenRecord Open(probe::Role role, bool mid_stream) {
    return {.connection = 7, .role = role, .mid_stream = mid_stream, .sent_seq = 1'000, .received_seq = 1'000};
  }

  probe::Role role_;
  std::uint32_t seq_[2] = {1'000, 1'000};
  ConnectionCounts counts_;

 public:
  std::uint64_t time_ns = 1'000;
  std::uint64_t told = 0;
  Options options;
  decode::MemoryBudget budget;
  KeptCalls sink;
  Conversation conversation;
};

}  // namespace wiregauge::match::postgresql
