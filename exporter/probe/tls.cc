#include "exporter/probe/tls.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/log.h"
#include "bpf/wire.h"
#include "tls.skel.h"

namespace wiregauge::probe {
namespace {

constexpr const char* kProc = "/proc";

// A library may be loaded long after the program's start: looked at again after these, then each time after the last.
constexpr std::array<std::uint64_t, 8> kLookAgainNs = {
    50'000'000, 100'000'000, 200'000'000, 1'000'000'000, 3'000'000'000, 10'000'000'000, 30'000'000'000, 60'000'000'000,
};

// How deep below the root a cgroup folder is, as bpf_get_current_ancestor_cgroup_id counts.
Result<std::uint32_t> LevelOf(const CgroupScope& scope) {
  const auto mount = FindCgroupMount();
  if (!mount) return mount.error();
  const std::string_view below = std::string_view(scope.path).substr(std::min(mount->size(), scope.path.size()));
  return static_cast<std::uint32_t>(std::count(below.begin(), below.end(), '/'));
}

// All keys of a hash map, as far as they hold still.
template <typename Key>
std::vector<Key> Keys(int map_fd) {
  std::vector<Key> keys;
  Key key{};
  for (const Key* previous = nullptr; bpf_map_get_next_key(map_fd, previous, &key) == 0; previous = &keys.back()) {
    if (keys.size() >= WG_TLS_SESSIONS) break;
    if (keys.empty()) keys.reserve(WG_TLS_SESSIONS);
    keys.push_back(key);
  }
  return keys;
}

bool StillMaps(int pid, const MappedFile& file) {
  const auto files = MappedFilesOf(kProc, pid);
  return std::any_of(files.begin(), files.end(),
                     [&](const MappedFile& other) { return other.device == file.device && other.inode == file.inode; });
}

bool IsAlive(int pid) { return kill(pid, 0) == 0 || errno != ESRCH; }

}  // namespace

void TlsProbe::SkeletonCloser::operator()(tls* skeleton) const { tls__destroy(skeleton); }
TlsProbe::TlsProbe(Skeleton skeleton, UprobeWay way, const Options& options)
    : skeleton_(std::move(skeleton)), way_(way), mode_(options.mode), scopes_(options.scopes) {}

TlsProbe::~TlsProbe() = default;  // the thread stops and is joined first: it is the last member

Result<TlsProbe::Skeleton> TlsProbe::LoadFor(UprobeWay way, const Options& options) {
  Skeleton skeleton(tls__open());
  if (!skeleton) return SystemError("opening the BPF object for TLS", errno);
  skeleton->rodata->scope_count = static_cast<std::uint32_t>(options.scopes.size());
  for (std::size_t i = 0; i < options.scopes.size(); ++i) {
    const auto level = LevelOf(options.scopes[i]);
    if (!level) return level.error();
    skeleton->rodata->scopes[i] = options.scopes[i].id;
    skeleton->rodata->scope_levels[i] = *level;
  }
  skeleton->rodata->ring_wake_bytes = options.ring_wake_bytes;
  skeleton->rodata->capture_burst_bytes = options.capture_burst_bytes;
  for (const bpf_map* shared : options.shared) {
    bpf_map* map = bpf_object__find_map_by_name(skeleton->obj, bpf_map__name(shared));
    if (map == nullptr || bpf_map__reuse_fd(map, bpf_map__fd(shared)) != 0) {
      return Error{Code::kInternal, fmt::format("sharing the map {}: {}", bpf_map__name(shared), strerror(errno))};
    }
  }
  if (way == UprobeWay::kMulti) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton->obj) PrepareForMulti(program);
  }
  if (const int error = tls__load(skeleton.get()); error != 0) {
    return Error{error == -EPERM ? Code::kPermission : Code::kUnsupported,
                 fmt::format("loading the BPF programs for TLS: {}", strerror(-error))};
  }
  return skeleton;
}

Result<std::unique_ptr<TlsProbe>> TlsProbe::Load(const Options& options) {
  Options settled = options;
  if (options.mode == TlsMode::kAuto) {
    const auto mount = FindCgroupMount();
    const bool all = mount && options.scopes.size() == 1 && options.scopes[0].path == *mount;
    settled.mode = all ? TlsMode::kLibrary : TlsMode::kProcess;
  }
  UprobeWay way = UprobeWay::kMulti;
  auto skeleton = LoadFor(way, settled);
  if (!skeleton || !MultiWorks((*skeleton)->progs.tls_trial, &(*skeleton)->bss->trial_runs)) {
    way = UprobeWay::kPerfEvents;
    skeleton = LoadFor(way, settled);
  }
  if (!skeleton) return skeleton.error();
  return std::unique_ptr<TlsProbe>(new TlsProbe(*std::move(skeleton), way, settled));
}

Result<TlsProbe::Uprobes> TlsProbe::Attach(int pid, const std::string& path, const TlsFunctions& functions) {
  struct Place {
    const bpf_program* program;
    std::vector<TlsFunction> functions;
    bool at_return = false;
  };
  using F = TlsFunction;
  const auto& programs = skeleton_->progs;
  // The returns first: a call whose return is not seen would stay on its thread's list.
  const Place places[] = {
      {programs.tls_return, {F::kRead, F::kReadEx, F::kWrite, F::kWriteEx, F::kSendfile, F::kDoHandshake}, true},
      {programs.tls_read, {F::kRead}},
      {programs.tls_read_ex, {F::kReadEx}},
      {programs.tls_write, {F::kWrite}},
      {programs.tls_write_ex, {F::kWriteEx}},
      {programs.tls_sendfile, {F::kSendfile}},
      {programs.tls_handshake, {F::kDoHandshake}},
      {programs.tls_forget, {F::kFree, F::kClear}},
      {programs.tls_record, {F::kBioWrite}},
  };
  Uprobes uprobes;
  for (const Place& place : places) {
    UprobePlace where{.path = path, .offsets = {}, .at_return = place.at_return, .pid = pid};
    for (const TlsFunction function : place.functions) {
      // Of a library of records only those matter.
      if (!functions.has_tls() && function != F::kBioWrite) continue;
      if (const auto offset = functions.at(function)) where.offsets.push_back(*offset);
    }
    if (where.offsets.empty()) continue;
    auto uprobe = Uprobe::Attach(place.program, way_, where);
    if (!uprobe) return uprobe.error();
    uprobes.push_back(*std::move(uprobe));
  }
  return uprobes;
}

const TlsFunctions& TlsProbe::FunctionsOf(int pid, const MappedFile& file) {
  static const TlsFunctions kNone;
  const FileKey key{file.device, file.inode, file.path};
  if (const auto known = files_.find(key); known != files_.end()) return known->second;
  if (files_.size() >= kFilesMax) files_.clear();
  const auto path = ReachablePath(kProc, pid, file);
  if (!path) return kNone;  // it may be reachable through another process
  const auto functions = FindTlsFunctions(*path);
  // What could not be read may be readable later, or through another process; what is no ELF file stays none.
  if (!functions && functions.error().code != Code::kCorrupt) return kNone;
  return files_.emplace(key, functions ? *functions : kNone).first->second;
}

void TlsProbe::Use(int pid, Watched& process, const MappedFile& file, const TlsFunctions& functions) {
  const int whose = mode_ == TlsMode::kLibrary ? kAllProcesses : pid;
  const AttachmentKey key{{file.device, file.inode, file.path}, whose};
  if (std::find(process.attached.begin(), process.attached.end(), key) != process.attached.end()) return;
  auto found = attachments_.find(key);
  if (found == attachments_.end()) {
    if (attachments_.size() >= kAttachedMax) {
      refused_ += process.refused ? 0 : 1;  // it is looked at again
      process.refused = true;
      return;
    }
    found = attachments_.emplace(key, Attachment{}).first;
    const auto path = ReachablePath(kProc, pid, file);
    auto uprobes = path ? Attach(whose, *path, functions) : Result<Uprobes>(path.error());
    if (uprobes) {
      found->second.uprobes = *std::move(uprobes);
      ++attached_;
      log::Debug("probe", "TLS is observed", {{"path", file.path}, {"pid", whose}});
    } else if (!StillMaps(pid, file)) {
      attachments_.erase(found);  // it has ended meanwhile: nothing of it is missed, and the next may have the file too
      return;
    } else {
      ++failed_;
      log::Warn("probe", "TLS of a process is not observed", {{"pid", pid}, {"err", uprobes.error().message}});
    }
  }
  ++found->second.users;
  process.attached.push_back(key);
}

void TlsProbe::Look(int pid, Watched& process, std::uint64_t now_ns) {
  process.next_look_ns = now_ns + kLookAgainNs[std::min<std::size_t>(process.looks, kLookAgainNs.size() - 1)];
  ++process.looks;
  const auto files = MappedFilesOf(kProc, pid);
  bool has_tls = false;
  for (const MappedFile& file : files) {
    if (!FunctionsOf(pid, file).has_tls()) continue;
    has_tls = true;
    Use(pid, process, file, FunctionsOf(pid, file));
  }
  if (!has_tls) return;
  for (const MappedFile& file : files) {
    if (FunctionsOf(pid, file).has_records()) Use(pid, process, file, FunctionsOf(pid, file));
  }
}

void TlsProbe::LetGo(const Watched& process, std::uint64_t now_ns) {
  for (const AttachmentKey& key : process.attached) {
    Attachment& attachment = attachments_[key];
    if (--attachment.users == 0) attachment.unused_since_ns = now_ns;
  }
}

void TlsProbe::DetachUnused(std::uint64_t now_ns) {
  for (auto at = attachments_.begin(); at != attachments_.end();) {
    const bool kept =
        at->second.users != 0 || (at->first.second == kAllProcesses && at->second.unused_since_ns + kUnusedNs > now_ns);
    if (!kept && !at->second.uprobes.empty()) --attached_;
    at = kept ? std::next(at) : attachments_.erase(at);
  }
}

std::uint64_t TlsProbe::Scan(std::uint64_t now_ns) {
  ++passes_;
  std::vector<int> hints;
  {
    const std::scoped_lock lock(hints_mutex_);
    hints.swap(hints_);
  }
  for (const CgroupScope& scope : scopes_) {
    for (const int pid : ProcessesBelow(scope.path)) {
      Watched& process = processes_[pid];
      process.seen_in_pass = passes_;
      const bool hinted = std::find(hints.begin(), hints.end(), pid) != hints.end();
      if (process.next_look_ns <= now_ns || (hinted && process.attached.empty())) Look(pid, process, now_ns);
    }
  }
  for (auto at = processes_.begin(); at != processes_.end();) {
    if (at->second.seen_in_pass == passes_) {
      ++at;
      continue;
    }
    LetGo(at->second, now_ns);
    at = processes_.erase(at);
  }
  DetachUnused(now_ns);
  if (swept_ns_ + kSweepNs <= now_ns) {
    swept_ns_ = now_ns;
    SweepSessions();
  }
  const std::uint64_t took_ns = MonotonicNanoseconds() - now_ns;
  return now_ns + std::clamp(took_ns * kPassShare, kPassMinNs, kPassMaxNs);
}

// Sessions of processes that ended without a word, and streams of sockets that the tap saw no end of.
void TlsProbe::SweepSessions() {
  const int sessions = bpf_map__fd(skeleton_->maps.tls_sessions);
  const auto ended = [](const wg_tls_session_key& session) { return !IsAlive(static_cast<int>(session.tgid)); };
  for (const auto& session : Keys<wg_tls_session_key>(sessions)) {
    if (ended(session)) bpf_map_delete_elem(sessions, &session);
  }
  const int streams = bpf_map__fd(skeleton_->maps.tls_streams);
  for (const std::uint64_t connection : Keys<std::uint64_t>(streams)) {
    wg_tls_stream stream{};
    if (bpf_map_lookup_elem(streams, &connection, &stream) == 0 && ended(stream.session)) {
      bpf_map_delete_elem(streams, &connection);
    }
  }
}

void TlsProbe::Watch() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void TlsProbe::Run(const std::stop_token& stop) {
  std::uint64_t next_ns = MonotonicNanoseconds() + kPassMinNs;
  while (!stop.stop_requested()) {
    const std::uint64_t now_ns = MonotonicNanoseconds();
    if (next_ns > now_ns) {
      std::unique_lock lock(hints_mutex_);
      stopped_.wait_for(lock, stop, std::chrono::nanoseconds(next_ns - now_ns), [] { return false; });
      continue;
    }
    next_ns = Scan(now_ns);
  }
}

void TlsProbe::Hint(int pid) {
  constexpr std::size_t kHintsMax = 1'024;
  const std::scoped_lock lock(hints_mutex_);
  if (hints_.size() < kHintsMax) hints_.push_back(pid);
}

TlsReport TlsProbe::report() const { return {mode_, way_, attached_, failed_, refused_}; }

}  // namespace wiregauge::probe
