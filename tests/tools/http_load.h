// A bounded HTTP/1.1 load with exact accounts: so many requests, no more, each answer checked, none retried. What it
// reports is what a measuring program beside it must report too. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "tests/tools/tcp_totals.h"

namespace wiregauge::tools {

// One kind of request of the mix.
struct LoadRequest {
  std::string method = "GET";
  std::string path = "/";
  int status = 0;                // expected; 0 = any
  std::int64_t body_bytes = -1;  // expected of the answer; -1 = any
};

struct LoadOptions {
  std::string host = "127.0.0.1";  // a numeric address
  std::uint16_t port = 0;
  std::uint64_t requests = 1;
  std::uint32_t connections = 1;
  std::uint32_t pipeline = 1;  // requests on their way on one connection
  std::vector<LoadRequest>
      mix;  // request k of the run is mix[k % size]; connection i has a contiguous share of the run
  std::uint64_t send_bytes = 0;  // body of each POST, PUT and PATCH
  bool close = false;            // one request a connection
  std::uint32_t timeout_s = 60;  // of the whole run
};

// What came back. Bytes are those that the program wrote and read, headers included.
struct LoadReport {
  using Key = std::tuple<std::string, std::string, int>;  // method, path, status
  std::map<Key, std::uint64_t> answers;
  std::uint64_t answered = 0;
  std::uint64_t mismatched = 0;  // an answer with another status or body length than expected
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t opened = 0;         // connections
  double duration_seconds_sum = 0;  // from a request's first byte handed to the kernel to its answer's last byte read
  double wall_seconds = 0;
};

void to_json(nlohmann::json& json, const LoadReport& report);

class Connection;

// Use: Connect, Run, then Totals as often as wanted; the destructor closes what is open.
class Load {
 public:
  explicit Load(LoadOptions options);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Opens all connections (with `close`, the first of each slot). kIo, kTimeout or kInvalidArgument.
  Status Connect();

  // Sends everything and reads every answer. kCorrupt when an answer is none, kIo when a connection ends with requests
  // unanswered, kTimeout at the deadline; report() then has what was seen until there.
  Status Run();

  [[nodiscard]] const LoadReport& report() const { return report_; }

  // The sockets' own figures: of those that are open, and of closed ones as they were when their answer was complete.
  Result<TcpTotals> Totals() const;

 private:
  friend class Connection;

  LoadOptions options_;
  LoadReport report_;
  TcpTotals closed_;
  std::vector<std::string> wire_;  // each request of the mix as bytes
  std::vector<Connection> connections_;
  int epoll_ = -1;
};

}  // namespace wiregauge::tools
