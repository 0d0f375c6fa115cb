// For tests: plays a TCP connection's records into a conversation and keeps the calls that come out.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/match/conversation.h"

namespace wiregauge::match {

struct ToldCall {
  std::string operation;
  std::string code;
  std::string error;
  std::string destination;
  NoAnswer no_answer = NoAnswer::kNone;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  probe::Role role = probe::Role::kUnknown;

  bool operator==(const ToldCall&) const = default;
};

class KeptCalls final : public Sink {
 public:
  void OnRequest(const HttpRequest&) override {}
  void OnCall(const Call& call) override {
    all.push_back({std::string(call.operation), std::string(call.code), std::string(call.error),
                   std::string(call.destination), call.no_answer, call.start_ns, call.end_ns, call.role});
  }

  // "GET SET:WRONGTYPE GET!timeout": each operation with its code and why it has no answer.
  [[nodiscard]] std::string Text() const {
    constexpr std::string_view kNoAnswer[] = {"", "!timeout", "!reset", "!closed"};
    std::string text;
    for (const ToldCall& call : all) {
      text += (text.empty() ? "" : " ") + call.operation + (call.code.empty() ? "" : ":" + call.code);
      text += kNoAnswer[static_cast<std::size_t>(call.no_answer)];
    }
    return text;
  }

  std::vector<ToldCall> all;
};

// The observed socket is the server's unless said otherwise. Each call passes one segment at time_ns, which then goes
// on by 1.
template <typename Made>
class ConversationTap {
 public:
  explicit ConversationTap(probe::Role role = probe::Role::kServer, bool mid_stream = false)
      : role_(role), made(Open(role, mid_stream), options, budget), conversation(made) {}

  void Request(std::string_view text) { Segment(true, text, text.size()); }
  void Answer(std::string_view text) { Segment(false, text, text.size()); }
  // Only the first `captured` bytes and the tail are at hand.
  void Request(std::string_view text, std::size_t captured) { Segment(true, text, captured); }
  void Answer(std::string_view text, std::size_t captured) { Segment(false, text, captured); }
  // The tap saw it, we did not.
  void LoseRequest(std::string_view text) { request_seq += static_cast<std::uint32_t>(text.size()); }
  void LoseAnswer(std::string_view text) { answer_seq += static_cast<std::uint32_t>(text.size()); }

  void Close() { conversation.OnClose({.connection = 7, .time_ns = time_ns}, sink); }
  void Reset() { conversation.OnClose({.connection = 7, .time_ns = time_ns, .reset_received = true}, sink); }
  void Tick() { conversation.OnTick(time_ns, sink); }
  // Counts since the beginning.
  const ConnectionCounts& Counts() {
    counts_.Add(conversation.TakeCounts());
    return counts_;
  }
  std::uint64_t Unparsed(decode::Unparsed reason) { return Counts().unparsed_bytes[static_cast<std::size_t>(reason)]; }
  std::uint64_t Unparsed() {
    std::uint64_t sum = 0;
    for (const std::uint64_t bytes : Counts().unparsed_bytes) sum += bytes;
    return sum;
  }

 private:
  static constexpr std::uint32_t kFirstSeq = 0xffffff00;
  static probe::OpenRecord Open(probe::Role role, bool mid_stream) {
    probe::OpenRecord open;
    open.connection = 7;
    open.role = role;
    open.mid_stream = mid_stream;
    const bool client = role == probe::Role::kClient;
    open.sent_seq = client ? kFirstSeq : kFirstSeq + 0x1000;
    open.received_seq = client ? kFirstSeq + 0x1000 : kFirstSeq;
    return open;
  }

  void Segment(bool request, std::string_view text, std::size_t captured) {
    std::uint32_t& seq = request ? request_seq : answer_seq;
    const std::string copy(text);  // so that a sanitizer sees views that live too long
    const std::string_view bytes = copy;
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
    conversation.OnData(record, sink);
    seq += record.length;
  }

  probe::Role role_;
  ConnectionCounts counts_;

 public:
  std::uint32_t request_seq = kFirstSeq;
  std::uint32_t answer_seq = kFirstSeq + 0x1000;
  std::uint64_t time_ns = 1'000;
  Options options;
  decode::MemoryBudget budget;
  KeptCalls sink;
  Made made;
  Conversation& conversation;
};

}  // namespace wiregauge::match
