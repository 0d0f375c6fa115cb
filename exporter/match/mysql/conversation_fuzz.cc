// Fuzz target: records of one MySQL connection, in any order and with any sequence numbers. Checks that no request is
// told that did not begin, that times are in order, that every byte of the streams is accounted for, and that the
// budget is given back. Each op is 8 bytes and up to 255 bytes of payload: see Play.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "exporter/match/mysql/conversation.h"

namespace wiregauge::match {
namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

class Listener final : public Sink {
 public:
  void OnRequest(const HttpRequest&) override { Check(false, "MySQL tells no HTTP"); }
  void OnCall(const Call& call) override {
    Check(call.end_ns >= call.start_ns, "ends before it starts");
    Check(call.system == System::kMysql && call.role != probe::Role::kUnknown, "shape");
    Check(!call.operation.empty() && call.operation.size() <= 32, "operation");
    Check(call.destination.size() <= decode::sql::TableName::kTableBytesMax, "destination");
    Check(call.code == call.error && (call.no_answer == NoAnswer::kNone || call.code.empty()), "code");
  }
};

// The payload bytes told when every piece followed the one before, else nothing.
// flags: 1 sent, 2 tick, 4 not captured, 8 jump by seq_step instead of going on, 16 with a tail.
std::optional<std::uint64_t> Play(ByteReader reader, Conversation& conversation, Listener& listener) {
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
    if ((flags & 2) != 0) conversation.OnTick(now, listener);
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
    conversation.OnData(record, listener);
    const auto deadline = conversation.NextDeadline();
    Check(!deadline || *deadline > 0, "deadline");
  }
  return in_order ? std::optional(told) : std::nullopt;
}

}  // namespace
}  // namespace wiregauge::match

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge;
  if (size == 0) return 0;
  const match::Options options;
  decode::MemoryBudget budget((data[0] & 8) != 0 ? 2'000 : 1u << 20);
  match::Listener listener;
  std::uint64_t accounted = 0;
  {
    probe::OpenRecord open;
    open.role = (data[0] & 1) != 0 ? probe::Role::kServer : probe::Role::kClient;
    open.mid_stream = (data[0] & 4) != 0;
    match::mysql::Conversation conversation(open, options, budget);
    const auto told = match::Play(ByteReader(Bytes(data, size).subspan(1)), conversation, listener);
    conversation.OnClose({.time_ns = UINT64_MAX / 2, .reset_received = (data[0] & 16) != 0}, listener);
    match::Check(conversation.pending_bytes() == 0, "bytes pending after the close");
    const match::ConnectionCounts counts = conversation.TakeCounts();
    for (const std::uint64_t bytes : counts.unparsed_bytes) accounted += bytes;
    accounted += counts.parsed_bytes;
    match::Check(!told || *told == accounted, "bytes not accounted for");
  }
  match::Check(budget.used() == 0, "budget not given back");
  return 0;
}
