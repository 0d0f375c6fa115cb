#include "exporter/exporter.h"

#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "exporter/aggregate/points.h"
#include "exporter/probe/capabilities.h"
#include "exporter/probe/cgroup.h"

namespace wiregauge::exporter {
namespace {

using aggregate::AddLabel;
using aggregate::Family;
using aggregate::FamilyType;
using aggregate::MakeFamily;
using aggregate::Point;

std::vector<probe::PeerPrefix> ToPrefixes(const identity::PeerTable& peers) {
  std::vector<probe::PeerPrefix> prefixes;
  for (const identity::PeerRule& rule : peers.rules()) prefixes.push_back({rule.address, rule.prefix_len, rule.id});
  return prefixes;
}

void AddPoint(Family& family, std::initializer_list<std::pair<std::string_view, std::string_view>> labels,
              double value) {
  Point point;
  for (const auto& [name, text] : labels) AddLabel(name, text, point.labels);
  point.value = value;
  family.points.push_back(std::move(point));
}

void CollectRunTimes(const probe::Probe& probe, aggregate::Snapshot& out) {
  constexpr double kNanoseconds = 1e9;
  Family run_time = MakeFamily("wiregauge_bpf_program_run_time_seconds", "seconds", FamilyType::kCounter,
                               "Time spent in a BPF program, as the kernel counts.");
  Family runs = MakeFamily("wiregauge_bpf_program_runs", "", FamilyType::kCounter, "Runs of a BPF program.");
  // Empty unless the kernel's statistics are on, by our flag or by kernel.bpf_stats_enabled.
  for (const probe::ProgramRunTime& program : probe.RunTimes()) {
    if (program.runs == 0) continue;
    AddPoint(run_time, {{"program", program.name}}, static_cast<double>(program.run_ns) / kNanoseconds);
    AddPoint(runs, {{"program", program.name}}, static_cast<double>(program.runs));
  }
  if (run_time.points.empty()) return;
  out.push_back(std::move(run_time));
  out.push_back(std::move(runs));
}

}  // namespace

void CollectPrograms(const std::vector<probe::ProgramReport>& programs, aggregate::Snapshot& out) {
  Family attached = MakeFamily("wiregauge_bpf_program_attached", "", FamilyType::kGauge,
                               "Whether a BPF program is attached (1) or what it measures is missing (0).");
  // The back-fill runs once and is taken down again: having run is being attached.
  for (const probe::ProgramReport& program : programs) {
    AddPoint(attached, {{"program", program.name}}, program.attached ? 1 : 0);
  }
  out.push_back(std::move(attached));
}

Exporter::Exporter(const Options& options, std::string cgroup_mount)
    : pipeline_(
          options.match, options.aggregate, {.proc = "/proc", .cgroup = std::move(cgroup_mount)},
          [this](probe::OwnerId owner) { return probe_->Owner(owner); },
          [this](probe::ConnectionId id, const probe::Capture& capture) { probe_->SetCapture(id, capture); }) {}

Result<std::unique_ptr<Exporter>> Exporter::Start(const Options& options) {
  auto mount = probe::FindCgroupMount();
  if (!mount) return mount.error();
  std::unique_ptr<Exporter> exporter(new Exporter(options, *mount));
  auto probe = probe::Probe::Attach({.cgroups = options.cgroups,
                                     .peers = ToPrefixes(exporter->pipeline_.peers()),
                                     .ring_bytes = options.ring_bytes,
                                     .capture_burst_bytes = options.capture_burst_bytes,
                                     .tls = options.tls,
                                     .run_time_statistics = options.run_time_statistics});
  if (!probe) return probe.error();
  exporter->probe_ = *std::move(probe);
  auto kept = probe::DropCapabilities(options.keep_capabilities, exporter->probe_->tls());
  if (!kept) return kept.error();
  exporter->capabilities_kept_ = *std::move(kept);
  exporter->probe_->WatchProcesses();
  exporter->thread_ = std::jthread([raw = exporter.get()](const std::stop_token& stop) { raw->Run(stop); });
  return exporter;
}

Exporter::~Exporter() = default;  // the thread stops and is joined first: it is the last member

std::size_t Exporter::TakeBatch() {
  return probe_->Consume(kBatch, [this](const probe::Record& record) { pipeline_.OnRecord(record); });
}

void Exporter::DrainTcp(std::uint64_t now_ns) {
  drained_ns_ = now_ns;
  auto drain = probe_->DrainTcp();
  if (!drain) {
    if (failed_drains_++ == 0) log::Error("exporter", "TCP figures are not read", {{"err", drain.error().message}});
    return;
  }
  pipeline_.OnTcp(*drain, now_ns);
}

void Exporter::Run(const std::stop_token& stop) {
  std::size_t taken = 0;
  while (!stop.stop_requested()) {
    if (taken < kBatch) probe_->Wait(taken < kBusyRecords ? kPollMs : kBusyPollMs);
    const std::scoped_lock lock(mutex_);
    taken = TakeBatch();
    const std::uint64_t now_ns = MonotonicNanoseconds();
    if (now_ns - drained_ns_ < kDrainNs) continue;
    DrainTcp(now_ns);
    pipeline_.OnTick(now_ns);
  }
}

void Exporter::Collect(aggregate::Snapshot& out) {
  const std::scoped_lock lock(mutex_);
  for (int batch = 0; batch < kBatchesPerScrape && TakeBatch() == kBatch; ++batch) {
  }
  const std::uint64_t now_ns = MonotonicNanoseconds();
  DrainTcp(now_ns);
  pipeline_.OnTick(now_ns);
  pipeline_.Collect({now_ns, UnixMilliseconds()}, out);
  CollectOwn(out);
}

void Exporter::CollectOwn(aggregate::Snapshot& out) const {
  CollectPrograms(probe_->programs(), out);
  CollectRunTimes(*probe_, out);
  Family passed =
      MakeFamily("wiregauge_events", "", FamilyType::kCounter, "Events that passed a stage of the exporter.");
  Family lost = MakeFamily("wiregauge_events_lost", "", FamilyType::kCounter,
                           "Events that a stage could not keep, and why. Counts shown elsewhere are short by these.");
  for (const probe::KernelCounter& counter : probe_->Counters()) {
    const auto value = static_cast<double>(counter.count);
    if (counter.reason.empty()) {
      AddPoint(passed, {{"stage", counter.stage}}, value);
    } else {
      AddPoint(lost, {{"reason", counter.reason}, {"stage", counter.stage}}, value);
    }
  }
  const probe::TlsReport tls = probe_->tls();
  AddPoint(lost, {{"reason", "failed"}, {"stage", "tls_attach"}}, static_cast<double>(tls.failed_total));
  AddPoint(lost, {{"reason", "too_many"}, {"stage", "tls_attach"}}, static_cast<double>(tls.refused_total));
  AddPoint(lost, {{"reason", "corrupt"}, {"stage", "probe_record"}}, static_cast<double>(probe_->corrupt_records()));
  AddPoint(lost, {{"reason", "read_failed"}, {"stage", "probe_tcp_drain"}}, static_cast<double>(failed_drains_));
  pipeline_.CollectLosses(passed, lost);
  Family attached = MakeFamily("wiregauge_tls_attached", "", FamilyType::kGauge,
                               "Files with TLS or its records that are observed: for all processes, or each for one.");
  AddPoint(attached, {}, static_cast<double>(tls.attached));
  out.push_back(std::move(attached));
  out.push_back(std::move(passed));
  out.push_back(std::move(lost));
  Family connections =
      MakeFamily("wiregauge_decoded_connections", "", FamilyType::kGauge, "Connections whose protocol is known.");
  for (const auto& [protocol, count] : pipeline_.ConnectionsByProtocol()) {
    AddPoint(connections, {{"protocol", protocol}}, static_cast<double>(count));
  }
  out.push_back(std::move(connections));
}

}  // namespace wiregauge::exporter
