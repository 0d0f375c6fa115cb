// Plaintext of TLS: loads bpf/tls.bpf.c beside the tap, finds the processes in scope that have a TLS library, and
// attaches to its functions. A uprobe costs microseconds a call, so only who is in scope is to pay: by file where that
// is everybody (then a program is observed from its first call), else by process.
//
// Threads: Load, Scan and Watch from one; Hint and report from any. Watch starts a thread that scans from then on.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "exporter/probe/cgroup.h"
#include "exporter/probe/tls_targets.h"
#include "exporter/probe/uprobes.h"

struct bpf_map;
struct tls;

namespace wiregauge::probe {

enum class TlsMode : std::uint8_t {
  kOff,
  kAuto,     // kLibrary when the scope is all of the host, else kProcess
  kLibrary,  // a file, for all who map it
  kProcess,  // a file, for one process
};

struct TlsReport {
  TlsMode mode = TlsMode::kOff;
  UprobeWay way = UprobeWay::kMulti;
  std::uint64_t attached = 0;       // files, or files of processes
  std::uint64_t failed_total = 0;   // could not be attached
  std::uint64_t refused_total = 0;  // processes that came when there were TlsProbe::kAttachedMax
};

class TlsProbe {
 public:
  // Each has 9 descriptors, or 30 when attached by perf events.
  static constexpr std::size_t kAttachedMax = 512;
  // Files whose symbols are remembered, so that each is read once.
  static constexpr std::size_t kFilesMax = 65'536;
  // A pass over the processes takes at most this share of the time, and comes at most so late.
  static constexpr int kPassShare = 50;
  static constexpr std::uint64_t kPassMinNs = 100'000'000;
  static constexpr std::uint64_t kPassMaxNs = 1'000'000'000;
  // A file that nobody maps any more stays attached for so long: a short-lived program comes again.
  static constexpr std::uint64_t kUnusedNs = 60'000'000'000;
  // Sessions of ended processes are taken out of the maps this often.
  static constexpr std::uint64_t kSweepNs = 60'000'000'000;

  struct Options {
    TlsMode mode = TlsMode::kAuto;  // not kOff
    std::vector<CgroupScope> scopes;
    std::uint32_t ring_wake_bytes = 0;
    std::uint32_t capture_burst_bytes = 0;
    std::vector<bpf_map*> shared;  // the tap's maps, by their names
  };

  static Result<std::unique_ptr<TlsProbe>> Load(const Options& options);
  ~TlsProbe();
  TlsProbe(const TlsProbe&) = delete;
  TlsProbe& operator=(const TlsProbe&) = delete;

  // One pass: attaches to what is new, lets go of what has ended. Returns when the next is due.
  std::uint64_t Scan(std::uint64_t now_ns);
  void Watch();
  // This process has an encrypted connection: it is looked at in the next pass.
  void Hint(int pid);

  [[nodiscard]] TlsReport report() const;

 private:
  struct SkeletonCloser {
    void operator()(tls* skeleton) const;
  };
  using Skeleton = std::unique_ptr<tls, SkeletonCloser>;
  using Uprobes = std::vector<Uprobe>;

  using FileKey = std::tuple<std::uint64_t, std::uint64_t, std::string>;  // device, inode, path
  // In library mode pid is kAllProcesses.
  using AttachmentKey = std::pair<FileKey, int>;
  struct Attachment {
    Uprobes uprobes;  // empty: it failed, and is not tried again
    std::size_t users = 0;
    std::uint64_t unused_since_ns = 0;
  };
  struct Watched {
    unsigned looks = 0;
    std::uint64_t next_look_ns = 0;
    std::uint64_t seen_in_pass = 0;
    bool refused = false;
    std::vector<AttachmentKey> attached;
  };

  TlsProbe(Skeleton skeleton, UprobeWay way, const Options& options);
  static Result<Skeleton> LoadFor(UprobeWay way, const Options& options);

  void Look(int pid, Watched& process, std::uint64_t now_ns);
  const TlsFunctions& FunctionsOf(int pid, const MappedFile& file);
  void Use(int pid, Watched& process, const MappedFile& file, const TlsFunctions& functions);
  Result<Uprobes> Attach(int pid, const std::string& path, const TlsFunctions& functions);
  void LetGo(const Watched& process, std::uint64_t now_ns);
  void DetachUnused(std::uint64_t now_ns);
  void SweepSessions();
  void Run(const std::stop_token& stop);

  Skeleton skeleton_;
  const UprobeWay way_;
  const TlsMode mode_;
  const std::vector<CgroupScope> scopes_;
  std::map<FileKey, TlsFunctions> files_;
  std::map<AttachmentKey, Attachment> attachments_;
  std::unordered_map<int, Watched> processes_;
  std::uint64_t passes_ = 0;
  std::uint64_t swept_ns_ = 0;

  std::atomic<std::uint64_t> attached_ = 0;
  std::atomic<std::uint64_t> failed_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;

  std::mutex hints_mutex_;
  std::vector<int> hints_;
  std::condition_variable_any stopped_;
  std::jthread thread_;
};

}  // namespace wiregauge::probe
