// Fuzz target: records of one HTTP/2 connection, in any order and with any sequence numbers. Checks that what is told
// is possible, that every byte of the streams is accounted for, and that the budget is given back. Each op is 8 bytes
// and up to 255 bytes of payload: see Play.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "exporter/match/http2/conversation.h"

namespace wiregauge::match::http2 {
namespace {

void Check(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

class Listener final : public Sink {
 public:
  void OnRequest(const HttpRequest& request) override {
    ++told;
    Check(request.end_ns >= request.start_ns, "ends before it starts");
    Check(request.status <= 599, "status out of range");
    Check(request.major_version == 2 && request.minor_version == 0, "version");
    Check(!request.method.empty() && request.path.size() <= 1'024, "shape");
    Check(request.error.empty() || request.no_answer == NoAnswer::kReset, "an error that ended nothing");
  }
  void OnCall(const Call& call) override {
    ++told;
    Check(call.end_ns >= call.start_ns, "a call ends before it starts");
    Check(call.system == System::kGrpc && call.operation.size() <= 1'024, "shape of a call");
    Check(call.error.empty() || call.error == call.code, "an error without its code");
    Check(call.code.empty() || call.no_answer == NoAnswer::kNone, "a code without an answer");
  }
  std::uint64_t told = 0;
};

// The payload bytes told when every piece followed the one before, else nothing.
// flags: 1 sent, 2 tick, 4 not captured, 8 jump by seq_step instead of going on, 16 with a tail.
std::optional<std::uint64_t> Play(ByteReader reader, Conversation& connection, Listener& listener) {
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
    if ((flags & 2) != 0) connection.OnTick(now, listener);
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
    connection.OnData(record, listener);
    const auto deadline = connection.NextDeadline();
    Check(!deadline || *deadline > 0, "deadline");
  }
  return in_order ? std::optional(told) : std::nullopt;
}

}  // namespace
}  // namespace wiregauge::match::http2

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wiregauge;
  using namespace wiregauge::match::http2;
  if (size == 0) return 0;
  const match::Options options;
  decode::MemoryBudget budget((data[0] & 8) != 0 ? 2'000 : 1u << 20);
  Listener listener;
  std::uint64_t accounted = 0;
  {
    probe::OpenRecord open;
    open.role = (data[0] & 1) != 0 ? probe::Role::kClient : probe::Role::kServer;
    open.mid_stream = (data[0] & 4) != 0;
    std::optional<Conversation> connection;
    match::HttpRequest upgraded;
    upgraded.path = "/upgraded";
    if ((data[0] & 32) != 0) {
      connection.emplace(open, options, budget, upgraded);
    } else {
      connection.emplace(open, options, budget);
    }
    const auto told = Play(ByteReader(Bytes(data, size).subspan(1)), *connection, listener);
    connection->OnClose({.time_ns = UINT64_MAX / 2, .reset_received = (data[0] & 16) != 0}, listener);
    Check(connection->pending_bytes() == 0, "bytes pending after the close");
    const match::ConnectionCounts counts = connection->TakeCounts();
    for (const std::uint64_t bytes : counts.unparsed_bytes) accounted += bytes;
    accounted += counts.parsed_bytes;
    Check(!told || *told == accounted, "bytes not accounted for");
    connection.reset();
  }
  Check(budget.used() == 0, "budget not given back");
  return 0;
}
