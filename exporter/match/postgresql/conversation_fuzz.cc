// Fuzz target: records of one PostgreSQL connection, in any order and with any sequence numbers. Checks that times are
// in order, that calls have their shape, that every byte of the streams is accounted for, and that the budget is given
// back. Each op is 8 bytes and up to 255 bytes of payload: see Play.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "exporter/match/postgresql/conversation.h"

namespace wiregauge::match::postgresql {
namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

class Listener final : public Sink {
 public:
  void OnRequest(const HttpRequest&) override { Check(false, "PostgreSQL tells no HTTP"); }
  void OnCall(const Call& call) override {
    Check(call.end_ns >= call.start_ns, "ends before it starts");
    Check(call.system == System::kPostgresql && !call.operation.empty(), "shape");
    Check(call.destination.size() <= decode::sql::TableName::kTableBytesMax, "table");
    Check(call.code.empty() || (call.code.size() == 5 && call.error == call.code), "code");
    Check(call.no_answer == NoAnswer::kNone || call.error.empty(), "an error without an answer");
  }
};

// The payload bytes told when every piece followed the one before, else nothing.
// flags: 1 sent, 2 tick, 4 not captured, 8 jump by seq_step instead of going on, 16 with a tail.
std::optional<std::uint64_t> Play(ByteReader reader, Conversation& conversation, Listener& listener) {
  std::uint32_t next[2] = {0, 0};
  std::uint64_t now = 1;
  std::uint64_t told = 0;
  bool in_order = true;
  while (reader.ok() && reader.remaining() > 0) {
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
}  // namespace wiregauge::match::postgresql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge;
  using namespace wiregauge::match;
  using namespace wiregauge::match::postgresql;
  if (size == 0) return 0;
  const Options options;
  decode::MemoryBudget budget((data[0] & 8) != 0 ? 500 : 1u << 20);
  Listener listener;
  std::uint64_t accounted = 0;
  {
    probe::OpenRecord open;
    open.role = (data[0] & 1) != 0 ? probe::Role::kServer : probe::Role::kClient;
    open.mid_stream = (data[0] & 4) != 0;
    postgresql::Conversation conversation(open, options, budget);
    const auto told = Play(ByteReader(Bytes(data, size).subspan(1)), conversation, listener);
    conversation.OnClose({.time_ns = UINT64_MAX / 2, .reset_received = (data[0] & 16) != 0}, listener);
    Check(conversation.pending_bytes() == 0, "bytes pending after the close");
    const ConnectionCounts counts = conversation.TakeCounts();
    for (const std::uint64_t bytes : counts.unparsed_bytes) accounted += bytes;
    accounted += counts.parsed_bytes;
    Check(!told || *told == accounted, "bytes not accounted for");
  }
  Check(budget.used() == 0, "budget not given back");
  return 0;
}
