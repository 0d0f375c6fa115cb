// The write path of the sink: an HTTP request in, samples on disk, the status table of the interface out. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "base/http.h"
#include "base/result.h"
#include "remote_write/encode/dictionary.h"
#include "remote_write/query/metadata_table.h"
#include "remote_write/receive/body.h"
#include "remote_write/receive/verdicts.h"
#include "remote_write/store/store.h"

namespace wiregauge::daemon {

// Bytes of a compressed body: the reference receiver's cap. More is 413, before the body is read.
inline constexpr std::size_t kMaxWriteBodyBytes = 32u << 20;

// Memory that all requests together may hold while they are decoded: two of the largest. Beyond it a request is
// answered 503 and costs nothing, so that any number of senders of large bodies leaves the process flat.
inline constexpr std::size_t kMaxInFlightBytes = 512u << 20;
// What a decoded byte may need at worst: the byte, and for every 11 of them (the smallest series with one sample in the
// time window) a series, a key, and the sample twice.
inline constexpr std::size_t kMemoryPerDecodedByte = 8;

// What the write path did, for /metrics. Thread-safe.
class WriteCounters {
 public:
  void CountRequest(std::string_view protocol, int status);
  void CountSamples(std::uint64_t written, const receive::Verdicts& verdicts);
  void CountRefusedMetadata(std::uint64_t count) { refused_metadata_ += count; }

  [[nodiscard]] std::map<std::pair<std::string, int>, std::uint64_t> requests() const;  // (protocol, status)
  [[nodiscard]] std::uint64_t samples_written() const { return samples_written_; }
  [[nodiscard]] std::uint64_t rejected(receive::Reason reason) const {
    return rejected_[static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] std::uint64_t refused_metadata() const { return refused_metadata_; }

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;
  std::atomic<std::uint64_t> samples_written_ = 0;
  std::atomic<std::uint64_t> refused_metadata_ = 0;
  std::array<std::atomic<std::uint64_t>, receive::kReasonCount> rejected_{};
};

// Bytes in flight against kMaxInFlightBytes. Thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t limit) : limit_(limit) {}
  // False when that many more would be over the limit; true must be paired with Give.
  bool Take(std::size_t bytes);
  void Give(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_ = 0;
};

class WriteEndpoint {
 public:
  // Borrows all three for its life.
  WriteEndpoint(encode::Dictionary& dictionary, store::Store& store, query::MetadataTable& metadata)
      : dictionary_(dictionary), store_(store), metadata_(metadata) {}

  // 204 all stored; 400 with what was refused, the rest stored; 415; 503 with Retry-After and nothing promised.
  http::Response Handle(const http::Request& request, std::int64_t now_ms);

  [[nodiscard]] const WriteCounters& counters() const { return counters_; }

 private:
  struct Scratch;

  http::Response Write(const http::Request& request, std::int64_t now_ms);
  http::Response Decode(const http::Request& request, std::size_t declared, std::int64_t now_ms, Scratch& scratch);
  Result<std::uint64_t> Store(Bytes message, std::int64_t now_ms, Scratch& scratch);
  void KeepMetadata(const receive::WriteRequest& request);

  encode::Dictionary& dictionary_;
  store::Store& store_;
  query::MetadataTable& metadata_;
  WriteCounters counters_;
  ByteBudget in_flight_{kMaxInFlightBytes};
};

}  // namespace wiregauge::daemon
