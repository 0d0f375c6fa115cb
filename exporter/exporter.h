// The exporter plane in one object: the probe, the pipeline, and the thread between them. Give it options, ask it for
// families.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "exporter/aggregate/options.h"
#include "exporter/aggregate/snapshot.h"
#include "exporter/pipeline.h"
#include "exporter/probe/probe.h"

namespace wiregauge::exporter {

struct Options {
  std::vector<std::string> cgroups;  // empty: the whole host
  match::ProtocolOptions match;
  aggregate::Options aggregate;
  std::uint32_t ring_bytes = 4U << 20;  // this and the following: see probe::Options
  std::uint32_t capture_burst_bytes = 64U << 10;
  probe::TlsMode tls = probe::TlsMode::kOff;
  bool run_time_statistics = false;
  // Capabilities that others in the process still need after attach ("CAP_NET_BIND_SERVICE").
  std::vector<std::string> keep_capabilities;
};

// wiregauge_bpf_program_attached, also for an exporter that could not start.
void CollectPrograms(const std::vector<probe::ProgramReport>& programs, aggregate::Snapshot& out);

// Thread-safe.
class Exporter {
 public:
  // Records are looked for at least this often: the age of a count when nothing asks for it. Each look costs some
  // 5 us; the kernel wakes us earlier when the ring is a quarter full.
  static constexpr int kPollMs = 20;
  // And this often while much comes: a short turn each time disturbs the observed programs less than a long one now and
  // then, which stops both ends of a conversation that share our CPU.
  static constexpr int kBusyPollMs = 2;
  static constexpr std::size_t kBusyRecords = 256;  // in one look
  // How often the kernel's TCP figures are drained when nobody scrapes: RTT is sampled once a second.
  static constexpr std::uint64_t kDrainNs = 1'000'000'000;
  // Records taken under one hold of the lock, so that a scrape waits 10 ms at most for a flood.
  static constexpr std::size_t kBatch = 16'384;
  // A scrape reads what waits in the ring, but not what comes meanwhile for ever.
  static constexpr int kBatchesPerScrape = 64;

  // Attaches, drops capabilities of the calling thread (start other threads after it), and begins.
  static Result<std::unique_ptr<Exporter>> Start(const Options& options);
  ~Exporter();
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  // Everything the kernel has told up to this moment, then all families.
  void Collect(aggregate::Snapshot& out);

  [[nodiscard]] const std::vector<probe::ProgramReport>& programs() const { return probe_->programs(); }
  [[nodiscard]] const std::vector<probe::CgroupScope>& scopes() const { return probe_->scopes(); }
  [[nodiscard]] const std::vector<std::string>& capabilities_kept() const { return capabilities_kept_; }

 private:
  Exporter(const Options& options, std::string cgroup_mount);

  void Run(const std::stop_token& stop);
  // With the lock held. How many records there were; kBatch: more may wait.
  std::size_t TakeBatch();
  void DrainTcp(std::uint64_t now_ns);
  void CollectOwn(aggregate::Snapshot& out) const;

  std::mutex mutex_;  // guards everything below but the thread
  std::unique_ptr<probe::Probe> probe_;
  Pipeline pipeline_;
  std::vector<std::string> capabilities_kept_;
  std::uint64_t drained_ns_ = 0;
  std::uint64_t failed_drains_ = 0;
  std::jthread thread_;
};

}  // namespace wiregauge::exporter
