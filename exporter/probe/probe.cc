#include "exporter/probe/probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include <absl/container/flat_hash_set.h>
#include <fmt/format.h>

#include "base/clock.h"
#include "base/log.h"
#include "bpf/wire.h"
#include "exporter/probe/backfill.h"
#include "exporter/probe/capabilities.h"
#include "exporter/probe/rings.h"
#include "tap.skel.h"

namespace wiregauge::probe {
namespace {

// What libbpf says while it loads, kept so that a refusal can be told in its own words: the end of it, where the
// verifier says why.
thread_local std::string libbpf_words;  // NOLINT: libbpf's callback has no context argument
constexpr std::size_t kWordsMax = 16'384;

int KeepWords(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  va_list again;
  va_copy(again, arguments);
  const int size = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (size <= 0) return 0;
  std::string text(static_cast<std::size_t>(size) + 1, '\0');
  std::vsnprintf(text.data(), text.size(), format, arguments);
  text.pop_back();
  libbpf_words += text;
  if (libbpf_words.size() > kWordsMax) libbpf_words.erase(0, libbpf_words.size() - kWordsMax);
  return size;
}

// What the verifier ended with, the line before its statistics; else libbpf's first line that is about a program (the
// limit on locked memory has not bound BPF since Linux 5.11).
std::string Words() {
  std::istringstream lines(libbpf_words);
  std::string first;
  std::string before;
  for (std::string line; std::getline(lines, line); before = line) {
    if (line.starts_with("processed ")) return "the verifier: " + before;
    if (first.empty() && !line.empty() && line.find("RLIMIT_MEMLOCK") == std::string::npos) first = line;
  }
  return first.empty() ? "no reason given" : first;
}

struct SkeletonCloser {
  void operator()(tap* skeleton) const { tap__destroy(skeleton); }
};
struct LinkCloser {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Skeleton = std::unique_ptr<tap, SkeletonCloser>;
using Link = std::unique_ptr<bpf_link, LinkCloser>;

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

struct ProgramInfo {
  const char* name;
  const char* purpose;
  const char* without;
  bool required;
};

// In the order in which they are attached: life-cycle first, so that no connection begins unseen.
constexpr ProgramInfo kPrograms[] = {
    {"tap_sockops", "connections that open and close", "no TCP figures, no requests", true},
    {"tap_sock_create", "the process that owns a socket", "services have no name", false},
    {"tap_egress", "bytes sent", "no requests", true},
    {"tap_ingress", "bytes received", "no requests", true},
    {"tap_report", "figures of connections that are still open", "connections count when they close", false},
    {"tap_backfill", "sockets older than this program", "older sockets count from their next packet, without a name",
     false},
    {"tap_backfill_udp", "UDP sockets older than this program", "older DNS servers have no process", false},
};

struct CounterInfo {
  wg_counter counter;
  const char* stage;
  const char* reason;
};

constexpr CounterInfo kCounters[] = {
    {WG_LOST_OPEN_RING_FULL, "kernel_open", "ring_full"},
    {WG_LOST_DATA_RING_FULL, "kernel_data", "ring_full"},
    {WG_LOST_CLOSE_RING_FULL, "kernel_close", "ring_full"},
    {WG_LOST_BYTES_RING_FULL, "kernel_bytes", "ring_full"},
    {WG_LOST_CONNECTION_NO_MEMORY, "kernel_connection", "no_memory"},
    {WG_LOST_HEADER_UNREADABLE, "kernel_packet", "header_unreadable"},
    {WG_LOST_TCP_KEYS_FULL, "kernel_tcp", "overflow_key"},
    {WG_LOST_TCP_NO_ROOM, "kernel_tcp", "no_room"},
    {WG_LOST_OWNERS_FULL, "kernel_owner", "map_full"},
    {WG_LOST_TUPLES_FULL, "kernel_tuple", "map_full"},
    {WG_LOST_DATAGRAM_RING_FULL, "kernel_datagram", "ring_full"},
    {WG_LOST_DATAGRAM_FRAGMENT, "kernel_datagram", "fragment"},
    {WG_LOST_PLAINTEXT_UNBOUND, "kernel_plaintext", "unbound"},
    {WG_LOST_PLAINTEXT_UNREADABLE, "kernel_plaintext", "unreadable"},
    {WG_LOST_TLS_CALLS, "kernel_tls_call", "evicted"},
    {WG_LOST_TLS_SESSIONS_FULL, "kernel_tls_session", "map_full"},
};
static_assert(std::size(kCounters) == WG_COUNTERS, "every kernel counter has a name");
static_assert(std::is_same_v<Record, std::variant<OpenRecord, DataRecord, CloseRecord, DatagramRecord>>,
              "Counters() names them in order");

bpf_program* FindProgram(const Skeleton& skeleton, const char* name) {
  return bpf_object__find_program_by_name(skeleton->obj, name);
}

template <std::size_t kSize>
std::string ToText(const wg_u8 (&padded)[kSize]) {
  const auto* text = reinterpret_cast<const char*>(padded);
  return {text, strnlen(text, kSize)};
}

TcpHistogram ToHistogram(const wg_tcp_histogram& raw) {
  static_assert(WG_TCP_BUCKETS == std::tuple_size_v<decltype(TcpHistogram::buckets)>);
  TcpHistogram histogram;
  std::copy(std::begin(raw.buckets), std::end(raw.buckets), histogram.buckets.begin());
  histogram.sum_us = raw.sum_us;
  return histogram;
}

TcpCounters ToCounters(const wg_tcp_counters& raw) {
  TcpCounters counters;
  counters.opened = raw.opened;
  counters.closed = raw.closed;
  counters.active = raw.active;
  counters.sent_bytes = raw.sent_bytes;
  counters.received_bytes = raw.received_bytes;
  counters.sent_segments = raw.sent_segments;
  counters.received_segments = raw.received_segments;
  counters.retransmitted_segments = raw.retransmitted_segments;
  counters.retransmission_timeouts = raw.retransmission_timeouts;
  counters.out_of_order_segments = raw.out_of_order_segments;
  counters.resets_sent = raw.resets_sent;
  counters.resets_received = raw.resets_received;
  static_assert(WG_UNREADS == std::tuple_size_v<decltype(TcpCounters::unread_bytes)>);
  std::copy(std::begin(raw.unread_bytes), std::end(raw.unread_bytes), counters.unread_bytes.begin());
  counters.connect_duration = ToHistogram(raw.connect_duration);
  counters.rtt = ToHistogram(raw.rtt);
  return counters;
}

unsigned PossibleCpus() { return static_cast<unsigned>(std::max(libbpf_num_possible_cpus(), 1)); }

// Opens and loads with `left_out` programs not loaded.
Result<Skeleton> Load(const Options& options, const std::vector<CgroupScope>& scopes,
                      const std::vector<std::string>& left_out) {
  libbpf_words.clear();
  Skeleton skeleton(tap__open());
  if (!skeleton) return SystemError("opening the BPF object", errno);
  skeleton->rodata->scope_count = static_cast<std::uint32_t>(scopes.size());
  for (std::size_t i = 0; i < scopes.size(); ++i) skeleton->rodata->scopes[i] = scopes[i].id;
  skeleton->rodata->ring_wake_bytes = options.ring_bytes / 4;
  skeleton->rodata->capture_burst_bytes = options.capture_burst_bytes;
  skeleton->rodata->one_end_tells = options.one_end_tells ? 1 : 0;
  skeleton->rodata->tls_wanted = options.tls != TlsMode::kOff ? 1 : 0;
  if (options.tls == TlsMode::kOff) {
    for (bpf_map* map : {skeleton->maps.tls_threads, skeleton->maps.tls_sessions, skeleton->maps.tls_streams,
                         skeleton->maps.tls_records}) {
      bpf_map__set_max_entries(map, 1);
    }
  }
  bpf_map__set_max_entries(skeleton->maps.rings, PossibleCpus());
  for (const std::string& name : left_out) bpf_program__set_autoload(FindProgram(skeleton, name.c_str()), false);
  if (const int error = tap__load(skeleton.get()); error != 0) {
    const Code code = error == -EPERM ? Code::kPermission : Code::kUnsupported;
    return Error{code, fmt::format("loading the BPF programs: {}: {}", strerror(-error), Words())};
  }
  return skeleton;
}

class AttachedProbe final : public Probe {
 public:
  AttachedProbe(Skeleton skeleton, std::vector<CgroupScope> scopes, std::vector<ProgramReport> programs)
      : skeleton_(std::move(skeleton)), scopes_(std::move(scopes)), programs_(std::move(programs)) {}

  Status Begin(const Options& options);

  const std::vector<ProgramReport>& programs() const override { return programs_; }
  const std::vector<CgroupScope>& scopes() const override { return scopes_; }
  TlsReport tls() const override { return tls_ ? tls_->report() : TlsReport{}; }
  void WatchProcesses() override {
    if (tls_) tls_->Watch();
  }
  std::size_t Consume(std::size_t max_records, const Handler& handler) override;
  bool Wait(int timeout_ms) override { return rings_->Wait(timeout_ms); }
  Result<TcpDrain> DrainTcp() override;
  void SetCapture(ConnectionId connection, const Capture& capture) override;
  std::uint64_t corrupt_records() const override { return corrupt_records_; }
  std::vector<KernelCounter> Counters() const override;
  std::vector<ProgramRunTime> RunTimes() const override;
  Result<OwnerInfo> Owner(OwnerId owner) const override;

 private:
  void Take(Bytes bytes, const Handler& handler);
  void ForgetVerdict(ConnectionId connection);
  void AttachProgram(ProgramReport& report);
  Status AttachToCgroups(bpf_program* program);
  Status AttachIterator(bpf_program* program, bpf_map* map, Link& link);
  void BeginTls(const Options& options);
  void FillPeers(const std::vector<PeerPrefix>& peers);
  Status SwapDeltas();
  void AddOverflowKeys(int deltas_fd);
  std::vector<std::pair<TcpKey, TcpCounters>> Empty(int deltas_fd);

  Skeleton skeleton_;
  std::vector<CgroupScope> scopes_;
  std::vector<ProgramReport> programs_;
  std::vector<Link> links_;
  Link report_link_;
  std::vector<Link> backfill_links_;
  std::unique_ptr<RingMaps> rings_;
  std::unique_ptr<File> statistics_;
  std::unique_ptr<TlsProbe> tls_;
  bool second_is_current_ = false;
  absl::flat_hash_set<ConnectionId> decided_;  // connections that a verdict was given on
  std::uint64_t corrupt_records_ = 0;
  std::uint64_t verdicts_lost_ = 0;
  std::array<std::uint64_t, std::variant_size_v<Record>> records_told_{};
};

Status AttachedProbe::AttachToCgroups(bpf_program* program) {
  for (const CgroupScope& scope : scopes_) {
    const File folder(open(scope.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.fd() < 0) return SystemError("opening " + scope.path, errno);
    Link link(bpf_program__attach_cgroup(program, folder.fd()));
    if (!link) return SystemError("attaching to " + scope.path, errno);
    links_.push_back(std::move(link));
  }
  return {};
}

Status AttachedProbe::AttachIterator(bpf_program* program, bpf_map* map, Link& link) {
  bpf_iter_link_info info{};
  bpf_iter_attach_opts attach{};
  attach.sz = sizeof(attach);
  if (map != nullptr) {
    info.map.map_fd = static_cast<std::uint32_t>(bpf_map__fd(map));
    attach.link_info = &info;
    attach.link_info_len = sizeof(info);
  }
  link.reset(bpf_program__attach_iter(program, &attach));
  if (!link) return SystemError("attaching an iterator", errno);
  return {};
}

void AttachedProbe::AttachProgram(ProgramReport& report) {
  bpf_program* program = FindProgram(skeleton_, report.name.c_str());
  if (!bpf_program__autoload(program)) return;  // its error was noted when it did not load
  Status attached;
  if (report.name == "tap_report") {
    attached = AttachIterator(program, skeleton_->maps.connections, report_link_);
  } else if (report.name == "tap_backfill" || report.name == "tap_backfill_udp") {
    attached = AttachIterator(program, nullptr, backfill_links_.emplace_back());
  } else {
    attached = AttachToCgroups(program);
  }
  report.attached = attached.has_value();
  if (!attached) report.error = attached.error().message;
}

void AttachedProbe::FillPeers(const std::vector<PeerPrefix>& peers) {
  const int fd = bpf_map__fd(skeleton_->maps.peers);
  for (const PeerPrefix& peer : peers) {
    wg_peer_prefix key{};
    key.prefix_bits = peer.bits;
    std::copy(peer.address.begin(), peer.address.end(), std::begin(key.address));
    if (bpf_map_update_elem(fd, &key, &peer.peer, BPF_ANY) != 0) {
      log::Warn("probe", "A peer rule was not taken", {{"peer", peer.peer}, {"err", strerror(errno)}});
    }
  }
}

Status AttachedProbe::Begin(const Options& options) {
  if (options.run_time_statistics) statistics_ = std::make_unique<File>(bpf_enable_stats(BPF_STATS_RUN_TIME));
  FillPeers(options.peers);
  AddOverflowKeys(bpf_map__fd(skeleton_->maps.tcp_deltas_a));
  AddOverflowKeys(bpf_map__fd(skeleton_->maps.tcp_deltas_b));
  auto rings = RingMaps::Make(bpf_map__fd(skeleton_->maps.rings), PossibleCpus(), options.ring_bytes);
  if (!rings) return rings.error();
  rings_ = *std::move(rings);
  for (ProgramReport& report : programs_) {
    AttachProgram(report);
    if (report.required && !report.attached) {
      return Error{Code::kPermission, fmt::format("{}: {}", report.name, report.error)};
    }
  }
  std::vector<bpf_link*> backfills;
  for (const Link& link : backfill_links_) {
    if (link) backfills.push_back(link.get());
  }
  if (!backfills.empty()) {
    const BackfillReport report = Backfill(
        scopes_, backfills,
        {.sockets_fd = bpf_map__fd(skeleton_->maps.backfill_owners), .owners_fd = bpf_map__fd(skeleton_->maps.owners)});
    log::Info("probe", "Older sockets taken in",
              {{"namespaces", report.namespaces},
               {"namespaces_failed", report.namespaces_failed},
               {"sockets_with_owner", report.sockets_with_owner}});
    backfill_links_.clear();
  }
  if (options.tls != TlsMode::kOff) BeginTls(options);
  return {};
}

void AttachedProbe::BeginTls(const Options& options) {
  ProgramReport report{
      "tls_plaintext", "requests inside TLS", "connections with TLS are only counted", false, false, ""};
  const auto& maps = skeleton_->maps;
  auto tls = TlsProbe::Load(
      {.mode = options.tls,
       .scopes = scopes_,
       .ring_wake_bytes = options.ring_bytes / 4,
       .capture_burst_bytes = options.capture_burst_bytes,
       .shared = {maps.rings, maps.counters, maps.tls_threads, maps.tls_sessions, maps.tls_streams, maps.tls_records}});
  if (tls) {
    tls_ = *std::move(tls);
    tls_->Scan(MonotonicNanoseconds());
    report.attached = true;
  } else {
    report.error = tls.error().message;
  }
  programs_.push_back(std::move(report));
}

void AttachedProbe::Take(Bytes bytes, const Handler& handler) {
  const auto record = DecodeRecord(bytes);
  if (!record) {
    ++corrupt_records_;
    return;
  }
  ++records_told_[record->index()];
  if (const auto* open = std::get_if<OpenRecord>(&*record); open != nullptr && open->encrypted && tls_) {
    tls_->Hint(static_cast<int>(open->owner >> 32));
  }
  handler(*record);
  if (const auto* close = std::get_if<CloseRecord>(&*record)) ForgetVerdict(close->connection);
}

void AttachedProbe::SetCapture(ConnectionId connection, const Capture& capture) {
  wg_capture raw{};
  raw.burst_bytes = capture.burst_bytes;
  raw.capture = capture.capture ? 1 : 0;
  raw.unread = static_cast<wg_u8>(capture.unread);
  raw.plaintext = capture.plaintext ? 1 : 0;
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.captures), &connection, &raw, BPF_ANY) != 0) {
    ++verdicts_lost_;
    return;
  }
  decided_.insert(connection);
}

// The kernel takes a verdict away when it has seen it and at the close: here goes one that came later than that.
void AttachedProbe::ForgetVerdict(ConnectionId connection) {
  if (decided_.erase(connection) == 0) return;
  bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.captures), &connection);
}

std::size_t AttachedProbe::Consume(std::size_t max_records, const Handler& handler) {
  return rings_->merge().Consume(max_records, [&](Bytes bytes) { Take(bytes, handler); });
}

void AttachedProbe::AddOverflowKeys(int deltas_fd) {
  for (const std::uint32_t role : {WG_ROLE_UNKNOWN, WG_ROLE_CLIENT, WG_ROLE_SERVER}) {
    wg_tcp_key key{};
    key.role = role;
    const wg_tcp_counters zero{};
    bpf_map_update_elem(deltas_fd, &key, &zero, BPF_NOEXIST);
  }
}

std::vector<std::pair<TcpKey, TcpCounters>> AttachedProbe::Empty(int deltas_fd) {
  std::vector<std::pair<TcpKey, TcpCounters>> out;
  wg_tcp_key key{};
  wg_tcp_counters value{};
  while (bpf_map_get_next_key(deltas_fd, nullptr, &key) == 0) {
    if (bpf_map_lookup_elem(deltas_fd, &key, &value) != 0 || bpf_map_delete_elem(deltas_fd, &key) != 0) break;
    const TcpKey typed{key.owner, key.peer_owner, key.peer, static_cast<Role>(key.role)};
    if (std::any_of(reinterpret_cast<const std::uint64_t*>(&value),
                    reinterpret_cast<const std::uint64_t*>(&value) + sizeof(value) / sizeof(std::uint64_t),
                    [](std::uint64_t n) { return n != 0; })) {
      out.emplace_back(typed, ToCounters(value));
    }
  }
  return out;
}

Status AttachedProbe::SwapDeltas() {
  const std::uint32_t slot = 0;
  const auto* next = second_is_current_ ? skeleton_->maps.tcp_deltas_a : skeleton_->maps.tcp_deltas_b;
  const int fd = bpf_map__fd(next);
  // Returns when no program still uses the map that was there (the kernel waits for them in this update).
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.tcp_current), &slot, &fd, BPF_ANY) != 0) {
    return SystemError("exchanging the map of TCP deltas", errno);
  }
  second_is_current_ = !second_is_current_;
  return {};
}

Result<TcpDrain> AttachedProbe::DrainTcp() {
  if (report_link_) {
    if (const Status reported = RunIterator(report_link_.get()); !reported) return reported.error();
  }
  if (const Status swapped = SwapDeltas(); !swapped) return swapped.error();
  const int full = bpf_map__fd(second_is_current_ ? skeleton_->maps.tcp_deltas_a : skeleton_->maps.tcp_deltas_b);
  TcpDrain drain{Empty(full)};
  AddOverflowKeys(full);
  return drain;
}

std::vector<KernelCounter> AttachedProbe::Counters() const {
  std::vector<std::uint64_t> per_cpu(PossibleCpus());
  std::vector<KernelCounter> out = {{"kernel_open", "", records_told_[0]},
                                    {"kernel_data", "", records_told_[1]},
                                    {"kernel_close", "", records_told_[2]},
                                    {"kernel_datagram", "", records_told_[3]}};
  for (const CounterInfo& info : kCounters) {
    const std::uint32_t key = info.counter;
    std::uint64_t sum = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &key, per_cpu.data()) == 0) {
      for (const std::uint64_t value : per_cpu) sum += value;
    }
    out.push_back({info.stage, info.reason, sum});
  }
  out.push_back({"probe_capture", "map_full", verdicts_lost_});
  return out;
}

std::vector<ProgramRunTime> AttachedProbe::RunTimes() const {
  std::vector<ProgramRunTime> out;
  for (const ProgramReport& report : programs_) {
    if (!report.attached) continue;
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(FindProgram(skeleton_, report.name.c_str())), &info, &size) != 0)
      continue;
    out.push_back({report.name, info.run_time_ns, info.run_cnt});
  }
  return out;
}

Result<OwnerInfo> AttachedProbe::Owner(OwnerId owner) const {
  wg_owner raw{};
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.owners), &owner, &raw) != 0) {
    return Error{Code::kNotFound, fmt::format("owner {:#x} is not in the kernel's map", owner)};
  }
  return OwnerInfo{raw.cgroup_id, ToText(raw.comm), ToText(raw.executable)};
}

std::vector<ProgramReport> ReportFor(const std::vector<std::string>& left_out, const std::string& why) {
  std::vector<ProgramReport> reports;
  for (const ProgramInfo& info : kPrograms) {
    ProgramReport report{info.name, info.purpose, info.without, info.required, false, ""};
    if (std::find(left_out.begin(), left_out.end(), info.name) != left_out.end()) report.error = why;
    reports.push_back(std::move(report));
  }
  return reports;
}

Error MissingCapabilities(const Error& error) {
  std::string missing;
  for (const Capability& capability : WantedCapabilities({})) {
    if (!capability.held) missing += (missing.empty() ? "" : ", ") + capability.name;
  }
  if (missing.empty()) return error;
  return Error{Code::kPermission, error.message + "; missing " + missing};
}

}  // namespace

std::vector<ProgramReport> Probe::Unattached(const std::string& why) {
  std::vector<ProgramReport> reports = ReportFor({}, "");
  for (ProgramReport& report : reports) report.error = why;
  return reports;
}

Result<std::unique_ptr<Probe>> Probe::Attach(const Options& options) {
  libbpf_set_print(KeepWords);
  auto scopes = ResolveScopes(options.cgroups);
  if (!scopes) return scopes.error();
  // An older kernel may refuse a program that only adds detail: leave those out, the dearest loss last.
  const std::vector<std::vector<std::string>> attempts = {
      {},
      {"tap_backfill_udp"},
      {"tap_backfill", "tap_backfill_udp"},
      {"tap_report"},
      {"tap_backfill", "tap_backfill_udp", "tap_report"},
      {"tap_backfill", "tap_backfill_udp", "tap_report", "tap_sock_create"}};
  std::string first_refusal;
  for (const auto& left_out : attempts) {
    auto skeleton = Load(options, *scopes, left_out);
    if (!skeleton) {
      if (first_refusal.empty()) first_refusal = skeleton.error().message;
      if (skeleton.error().code == Code::kPermission || left_out == attempts.back()) {
        return MissingCapabilities(skeleton.error());
      }
      continue;
    }
    auto probe = std::make_unique<AttachedProbe>(*std::move(skeleton), *scopes, ReportFor(left_out, first_refusal));
    if (const Status begun = probe->Begin(options); !begun) return MissingCapabilities(begun.error());
    return std::unique_ptr<Probe>(std::move(probe));
  }
  Bug("Probe::Attach: no attempt left");
}

}  // namespace wiregauge::probe
