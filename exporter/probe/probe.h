// The probe: loads and attaches the BPF programs, hands up what they tell, drains what they add up, and says what could
// not be had. It owns every fd of the exporter.
//
// Threads: one at a time (the caller holds a lock); the record handler runs in the caller's thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "exporter/probe/cgroup.h"
#include "exporter/probe/record.h"
#include "exporter/probe/tcp.h"
#include "exporter/probe/tls.h"

namespace wiregauge::probe {

// An address prefix and the number that TcpKey::peer will have for it.
struct PeerPrefix {
  std::array<std::uint8_t, 16> address{};  // v4 as ::ffff:a.b.c.d
  unsigned bits = 0;                       // 0 to 128
  std::uint32_t peer = 0;
};

struct Options {
  std::vector<std::string> cgroups;  // empty: the root of the cgroup v2 mount
  std::vector<PeerPrefix> peers;
  std::uint32_t ring_bytes = 4U << 20;  // of each CPU's ring; a power of two: some 20,000 small messages
  // Captured of one direction of a connection until the other speaks; beyond it heads and tails of segments. Several
  // messages may share a segment, so what is beyond costs exactness.
  std::uint32_t capture_burst_bytes = 64U << 10;
  bool one_end_tells = true;  // over loopback, the server's for both
  TlsMode tls = TlsMode::kOff;
  bool run_time_statistics = false;  // the kernel then counts each program's run time, at 20 to 30 ns a run
};

// What is to be captured of a connection from now on.
struct Capture {
  static constexpr std::uint32_t kUnlimited = 0xffffffff;

  bool capture = true;                       // false: nothing more, for good
  std::uint32_t burst_bytes = kUnlimited;    // in one direction until the other speaks; then head and tail of segments
  Unread unread = Unread::kUnknownProtocol;  // why not, when not
  bool plaintext = false;                    // of what TLS protects; else of what is in the clear
};

struct ProgramReport {
  std::string name;     // as in wiregauge_bpf_program_attached{program}
  std::string purpose;  // what it is for
  std::string without;  // what is lost without it
  bool required = false;
  bool attached = false;
  std::string error;  // why not
};

struct ProgramRunTime {
  std::string name;
  std::uint64_t run_ns = 0;
  std::uint64_t runs = 0;
};

// Counters of the kernel side, since attach. Names are those of wiregauge_events_total{stage} and
// wiregauge_events_lost_total{stage,reason}.
struct KernelCounter {
  std::string stage;
  std::string reason;  // empty: events that passed
  std::uint64_t count = 0;
};

struct TcpDrain {
  std::vector<std::pair<TcpKey, TcpCounters>> deltas;
};

class Probe {
 public:
  using Handler = std::function<void(const Record&)>;

  // Loads, attaches and back-fills. kPermission with the missing capability when nothing can be attached. Programs that
  // are not required may be missing: see programs().
  static Result<std::unique_ptr<Probe>> Attach(const Options& options);
  // The programs of a probe that could not attach, each with that reason.
  static std::vector<ProgramReport> Unattached(const std::string& why);
  virtual ~Probe() = default;

  [[nodiscard]] virtual const std::vector<ProgramReport>& programs() const = 0;
  [[nodiscard]] virtual const std::vector<CgroupScope>& scopes() const = 0;
  // mode kOff when plaintext is not wanted or cannot be had.
  [[nodiscard]] virtual TlsReport tls() const = 0;

  // From now on, new processes are looked at for TLS, on a thread of the probe's own. It has the capabilities that the
  // caller has now.
  virtual void WatchProcesses() = 0;

  // Hands over every record that waits, and returns how many; stops after `max_records`, so that a flood cannot hold
  // the caller. Never blocks.
  virtual std::size_t Consume(std::size_t max_records, const Handler& handler) = 0;

  // Waits until a ring is a quarter full (true) or the time is over (false). Records wait without waking anybody below
  // that, so look by Consume in both cases.
  virtual bool Wait(int timeout_ms) = 0;

  // What happened since the last drain. Nothing is told twice, nothing is lost: DECISIONS.md, "L4 deltas".
  virtual Result<TcpDrain> DrainTcp() = 0;

  // What the kernel does within the connection's next few segments (64 at most). Nothing happens when it is closed.
  virtual void SetCapture(ConnectionId connection, const Capture& capture) = 0;

  // Records that did not fit the contract, since attach.
  [[nodiscard]] virtual std::uint64_t corrupt_records() const = 0;
  [[nodiscard]] virtual std::vector<KernelCounter> Counters() const = 0;
  [[nodiscard]] virtual std::vector<ProgramRunTime> RunTimes() const = 0;
  // What the kernel noted of an owner; kNotFound when there have been many since.
  [[nodiscard]] virtual Result<OwnerInfo> Owner(OwnerId owner) const = 0;
};

}  // namespace wiregauge::probe
