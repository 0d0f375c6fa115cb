// For the fuzz targets of conversations over TCP: plays records in any order and with any sequence numbers, and checks
// what holds of every protocol: every byte of the streams is accounted for, and the budget is given back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "exporter/match/conversation.h"

namespace wiregauge::match {

inline void FuzzCheck(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

// Checks what holds of every call.
class FuzzListener : public Sink {
 public:
  explicit FuzzListener(System system) : system_(system) {}
  virtual ~FuzzListener() = default;
  void OnRequest(const HttpRequest&) override { FuzzCheck(false, "a request of HTTP"); }
  void OnCall(const Call& call) override {
    FuzzCheck(call.system == system_, "a call of another protocol");
    FuzzCheck(call.end_ns >= call.start_ns, "ends before it starts");
    FuzzCheck(call.role != probe::Role::kUnknown, "a call without a role");
    FuzzCheck(!call.operation.empty() && call.operation.size() <= 64 && call.code.size() <= 64, "shape");
  }

 private:
  System system_;
};

// The payload bytes told when every piece followed the one before, else nothing. Each op is 8 bytes and up to 255 bytes
// of payload; flags: 1 sent, 2 tick, 4 not captured, 8 jump by seq_step instead of going on, 16 with a tail.
inline std::optional<std::uint64_t> FuzzRecords(ByteReader reader, Conversation& conversation, Sink& sink) {
  std::uint32_t next[2] = {0, 0};
  std::uint64_t now = 1;
  std::uint64_t told = 0;
  bool in_order = true;
  while (reader.ok() && reader.remaining() > 0 && conversation.state() != Conversation::State::kRefuted) {
    const auto flags = reader.Read<std::uint8_t>();
    const auto size = reader.Read<std::uint8_t>();
    const auto more = reader.Read<std::uint16_t>();
    const auto seq_step = reader.Read<std::int16_t>();
    const auto wait = reader.Read<std::uint16_t>();
    if (!reader.ok()) break;
    now += std::uint64_t{wait} * 10'000'000;  // up to eleven minutes
    if ((flags & 2) != 0) conversation.OnTick(now, sink);
    probe::DataRecord record;
    record.time_ns = now;
    record.direction = (flags & 1) != 0 ? probe::Direction::kSent : probe::Direction::kReceived;
    std::uint32_t& seq = next[flags & 1];
    record.captured = reader.Take(std::min<std::size_t>(size, reader.remaining()));
    record.length = static_cast<std::uint32_t>(record.captured.size()) + ((flags & 4) != 0 ? more : 0u);
    if ((flags & 20) == 20) record.tail = reader.Take(std::min<std::size_t>({8, reader.remaining(), record.length}));
    record.seq = (flags & 8) != 0 ? seq + static_cast<std::uint32_t>(std::int32_t{seq_step}) : seq;
    in_order = in_order && (flags & 8) == 0;
    told += record.length;
    seq = record.seq + record.length;
    conversation.OnData(record, sink);
    const auto deadline = conversation.NextDeadline();
    FuzzCheck(!deadline || *deadline > 0, "deadline");
  }
  return in_order ? std::optional(told) : std::nullopt;
}

// What the first byte of an input says beside the role.
constexpr std::uint8_t kFuzzMidStream = 4;
constexpr std::uint8_t kFuzzSmallBudget = 8;
constexpr std::uint8_t kFuzzReset = 16;

// `role` gives that of the observed end by the first byte; `make(conversation, setup, open, options, budget)` emplaces
// a std::optional<Made>.
template <typename Made, typename RoleOf, typename Make>
int FuzzConnection(Bytes data, Sink& listener, RoleOf role, Make make) {
  if (data.empty()) return 0;
  const std::uint8_t setup = data[0];
  const Options options;
  decode::MemoryBudget budget((setup & kFuzzSmallBudget) != 0 ? 2'000 : 1u << 20);
  {
    probe::OpenRecord open;
    open.role = role(setup);
    open.mid_stream = (setup & kFuzzMidStream) != 0;
    std::optional<Made> made;
    make(made, setup, open, options, budget);
    Conversation& conversation = *made;
    const auto told = FuzzRecords(ByteReader(data.subspan(1)), conversation, listener);
    conversation.OnClose({.time_ns = UINT64_MAX / 2, .reset_received = (setup & kFuzzReset) != 0}, listener);
    FuzzCheck(conversation.pending_bytes() == 0, "bytes pending after the close");
    const ConnectionCounts counts = conversation.TakeCounts();
    std::uint64_t accounted = counts.parsed_bytes;
    for (const std::uint64_t bytes : counts.unparsed_bytes) accounted += bytes;
    FuzzCheck(!told || *told == accounted, "bytes not accounted for");
  }
  FuzzCheck(budget.used() == 0, "budget not given back");
  return 0;
}

inline probe::Role FuzzClientIfOdd(std::uint8_t setup) {
  return (setup & 1) != 0 ? probe::Role::kClient : probe::Role::kServer;
}
inline probe::Role FuzzServerIfOdd(std::uint8_t setup) {
  return (setup & 1) != 0 ? probe::Role::kServer : probe::Role::kClient;
}

template <typename Made, typename RoleOf>
int FuzzConnection(Bytes data, Sink& listener, RoleOf role) {
  return FuzzConnection<Made>(data, listener, role,
                              [](std::optional<Made>& made, std::uint8_t, const auto& open, const auto& options,
                                 auto& budget) { made.emplace(open, options, budget); });
}

template <typename Made>
int FuzzConversation(Bytes data, System system) {
  FuzzListener listener(system);
  return FuzzConnection<Made>(data, listener, FuzzClientIfOdd);
}

}  // namespace wiregauge::match
