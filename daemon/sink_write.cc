#include "daemon/sink_write.h"

#include <string>

#include <fmt/format.h>

#include "daemon/http/status.h"
#include "remote_write/receive/remote_write_v1.h"

namespace wiregauge::daemon {

void WriteCounters::CountRequest(std::string_view protocol, int status) {
  const std::lock_guard lock(mutex_);
  ++requests_[{std::string(protocol), status}];
}

void WriteCounters::CountSamples(std::uint64_t written, const receive::Verdicts& verdicts) {
  samples_written_.fetch_add(written, std::memory_order_relaxed);
  if (verdicts.empty()) return;
  for (std::size_t i = 0; i < receive::kReasonCount; ++i) {
    rejected_[i].fetch_add(verdicts.Count(static_cast<receive::Reason>(i)), std::memory_order_relaxed);
  }
}

std::map<std::pair<std::string, int>, std::uint64_t> WriteCounters::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

bool ByteBudget::Take(std::size_t bytes) {
  if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit_) return true;
  Give(bytes);
  return false;
}

// What a request needs while it is worked on. One for a thread, reused, so that ordinary requests allocate nothing;
// what an extraordinary one took is given back.
struct WriteEndpoint::Scratch {
  receive::DecodeBuffer buffer;
  receive::WriteRequest request;
  encode::EncodedRequest encoded;

  // Samples (and series) whose room is kept: far above the 2,000 (10,000 at most) that senders put in a request.
  static constexpr std::size_t kKeepSamples = 64u << 10;

  void Shrink() {
    buffer.Shrink();
    if (request.samples.capacity() > kKeepSamples || request.series.capacity() > kKeepSamples ||
        request.metadata.capacity() > kKeepSamples) {
      request = {};
      encoded = {};
    }
    request.gathered.clear();
  }
};

http::Response WriteEndpoint::Handle(const http::Request& request, std::int64_t now_ms) {
  http::Response response = Write(request, now_ms);
  counters_.CountRequest(receive::ProtocolName(receive::Protocol::kRemoteWrite1), response.status);
  return response;
}

http::Response WriteEndpoint::Write(const http::Request& request, std::int64_t now_ms) {
  const auto protocol = receive::Negotiate(request.Header("Content-Type"), request.Header("Content-Encoding"));
  if (!protocol) return http::ErrorResponse(protocol.error());
  const auto declared = receive::DeclaredSize(AsBytes(request.body));
  if (!declared) return http::ErrorResponse(declared.error());
  const std::size_t memory = *declared * kMemoryPerDecodedByte;
  if (!in_flight_.Take(memory)) {
    return http::ErrorResponse({Code::kUnavailable, fmt::format("write requests in flight hold {} bytes, the limit; "
                                                                "try again",
                                                                kMaxInFlightBytes)});
  }
  thread_local Scratch scratch;
  http::Response response = Decode(request, *declared, now_ms, scratch);
  scratch.Shrink();
  in_flight_.Give(memory);
  return response;
}

http::Response WriteEndpoint::Decode(const http::Request& request, std::size_t declared, std::int64_t now_ms,
                                     Scratch& scratch) {
  const auto message = scratch.buffer.Uncompress(AsBytes(request.body), declared);
  if (!message) return http::ErrorResponse(message.error());
  const auto written = Store(*message, now_ms, scratch);
  if (!written) return http::ErrorResponse(written.error());
  const receive::Verdicts& verdicts = scratch.request.verdicts;
  counters_.CountSamples(*written, verdicts);
  if (verdicts.empty()) return {.status = 204, .body = ""};
  return {.status = 400, .body = verdicts.Report(*written)};
}

// The number of samples stored.
Result<std::uint64_t> WriteEndpoint::Store(Bytes message, std::int64_t now_ms, Scratch& scratch) {
  const receive::TimeWindow window{store_.OldestAccepted(now_ms), now_ms + receive::kMaxFutureMs};
  Status decoded = receive::DecodeV1(message, window, scratch.request);
  if (!decoded) return decoded.error();
  Status encoded = dictionary_.Encode(scratch.request, scratch.encoded);
  if (!encoded) return encoded.error();
  Status stored = dictionary_.Write(store_, scratch.encoded);
  if (!stored) return stored.error();
  KeepMetadata(scratch.request);
  return scratch.encoded.batch.samples.size();
}

void WriteEndpoint::KeepMetadata(const receive::WriteRequest& request) {
  std::uint64_t refused = 0;
  for (const receive::Metadata& entry : request.metadata) {
    if (!metadata_.Set(entry.family, entry.type, entry.help, entry.unit)) ++refused;
  }
  if (refused > 0) counters_.CountRefusedMetadata(refused);
}

}  // namespace wiregauge::daemon
