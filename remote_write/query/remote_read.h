// Prometheus remote read, response type SAMPLES: matchers and a time range in, raw samples out, both as snappy-block
// protobuf. Schemas (read with receive's wire reader, written by hand):
//   ReadRequest  1 queries (rep), 2 accepted_response_types (rep enum; 0 SAMPLES, 1 STREAMED_XOR_CHUNKS)
//   Query        1 start_ms, 2 end_ms (both included), 3 matchers (rep), 4 hints
//   LabelMatcher 1 type (0 =, 1 !=, 2 =~, 3 !~), 2 name, 3 value          ReadHints 2 func
//   ReadResponse 1 results (rep) { 1 timeseries (rep) { 1 labels (rep), 2 samples (rep) } }
// Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <semaphore>
#include <string>
#include <vector>

#include "base/http.h"
#include "base/result.h"
#include "remote_write/encode/dictionary.h"
#include "remote_write/store/store.h"

namespace wiregauge::query {

// Samples of one query: Prometheus' storage.remote.read-sample-limit.
inline constexpr std::uint64_t kMaxReadSamples = 50'000'000;
// Bytes of one uncompressed answer: what a sender of remote read (a Prometheus) has to hold at once, and we too.
inline constexpr std::size_t kMaxReadAnswerBytes = 1u << 30;
// Reads at once, as Prometheus; the next waits kMaxReadWait, then gets a 503.
inline constexpr std::ptrdiff_t kMaxConcurrentReads = 10;
// Queries of one request: Prometheus sends one.
inline constexpr std::size_t kMaxReadQueries = 64;
// Matchers of one query.
inline constexpr std::size_t kMaxReadMatchers = 256;

struct ReadQuery {
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::vector<encode::Matcher> matchers;
  bool labels_only = false;  // hints.func is "series"
};

// The queries of an uncompressed ReadRequest. kInvalidArgument: malformed, too many, a bad matcher, or no accepted
// response type that is built in.
Result<std::vector<ReadQuery>> ParseReadRequest(Bytes message);

class RemoteRead {
 public:
  // Borrows both. `max_samples` of one query is a parameter for tests.
  RemoteRead(const encode::Dictionary& dictionary, const store::Store& store,
             std::uint64_t max_samples = kMaxReadSamples)
      : dictionary_(dictionary), store_(store), max_samples_(max_samples) {}

  // The answer, or what went wrong: kInvalidArgument also for a query over the sample limit, as Prometheus has it.
  Result<http::Response> Serve(const http::Request& request);

 private:
  Result<std::string> Answer(const std::vector<ReadQuery>& queries) const;
  Status AppendResult(const ReadQuery& query, std::string& out) const;

  const encode::Dictionary& dictionary_;
  const store::Store& store_;
  const std::uint64_t max_samples_;
  std::counting_semaphore<kMaxConcurrentReads> slots_{kMaxConcurrentReads};
};

}  // namespace wiregauge::query
