#include "daemon/sink_metrics.h"

#include <string>
#include <utility>
#include <vector>

namespace wiregauge::daemon {
namespace {

using aggregate::Family;
using aggregate::FamilyType;
using aggregate::Labels;

class FamilyWriter {
 public:
  FamilyWriter(aggregate::Snapshot& out, std::string name, FamilyType type, std::string help, std::string unit = "") {
    Family family;
    family.name = std::move(name);
    family.help = std::move(help);
    family.unit = std::move(unit);
    family.type = type;
    out.push_back(std::move(family));
    family_ = &out.back();
  }

  FamilyWriter& Add(Labels labels, std::uint64_t value) {
    aggregate::Point point;
    point.labels = std::move(labels);
    point.value = static_cast<double>(value);
    family_->points.push_back(std::move(point));
    return *this;
  }

 private:
  Family* family_;  // valid until the next family is begun
};

void CollectWrites(const WriteCounters& counters, aggregate::Snapshot& out) {
  const std::string protocol(receive::ProtocolName(receive::Protocol::kRemoteWrite1));
  FamilyWriter requests(out, "wiregauge_write_requests", FamilyType::kCounter,
                        "Write requests answered, by protocol and HTTP status.");
  for (const auto& [key, count] : counters.requests()) {
    requests.Add({{"code", std::to_string(key.second)}, {"protocol", key.first}}, count);
  }
  FamilyWriter(out, "wiregauge_samples_written", FamilyType::kCounter,
               "Samples acknowledged or, in a partly refused request, stored.")
      .Add({{"protocol", protocol}}, counters.samples_written());
  FamilyWriter rejected(out, "wiregauge_samples_rejected", FamilyType::kCounter,
                        "Samples, exemplars and histograms refused, by reason; senders were told with a 400.");
  for (std::size_t i = 0; i < receive::kReasonCount; ++i) {
    const auto reason = static_cast<receive::Reason>(i);
    rejected.Add({{"protocol", protocol}, {"reason", std::string(receive::ReasonName(reason))}},
                 counters.rejected(reason));
  }
  FamilyWriter(out, "wiregauge_metadata_rejected", FamilyType::kCounter,
               "Metric descriptions not kept: invalid, or the table of them is full.")
      .Add({}, counters.refused_metadata());
}

void CollectDictionary(const encode::Dictionary& dictionary, aggregate::Snapshot& out) {
  const encode::DictionaryStats stats = dictionary.GetStats();
  FamilyWriter(out, "wiregauge_dictionary_entries", FamilyType::kGauge, "Entries of the label dictionary, by kind.")
      .Add({{"kind", "name"}}, stats.names)
      .Add({{"kind", "series"}}, stats.series)
      .Add({{"kind", "shape"}}, stats.shapes)
      .Add({{"kind", "value"}}, stats.values);
  FamilyWriter(out, "wiregauge_active_series", FamilyType::kGauge, "Series that the store knows.")
      .Add({}, stats.series);
}

void CollectStore(const store::Store& store, aggregate::Snapshot& out) {
  const store::Stats stats = store.GetStats();
  FamilyWriter(out, "wiregauge_storage_bytes", FamilyType::kGauge, "Bytes on disk, by kind.", "bytes")
      .Add({{"kind", "catalogue"}}, stats.catalogue_bytes)
      .Add({{"kind", "chunks"}}, stats.chunk_bytes)
      .Add({{"kind", "wal"}}, stats.wal_bytes);
  FamilyWriter(out, "wiregauge_wal_syncs", FamilyType::kCounter, "Syncs of the write-ahead log to disk.")
      .Add({}, stats.wal_syncs_total);
  FamilyWriter(out, "wiregauge_wal_replayed_records", FamilyType::kGauge,
               "Records of the write-ahead log that the last start replayed.")
      .Add({}, stats.wal_replayed_records);
  FamilyWriter(out, "wiregauge_storage_open_samples", FamilyType::kGauge, "Samples in memory, not yet in a part.")
      .Add({}, stats.open_samples);
  FamilyWriter(out, "wiregauge_samples_conflicting", FamilyType::kCounter,
               "Samples of a series and timestamp that already had another value.")
      .Add({}, stats.conflicting_samples_total);
  FamilyWriter(out, "wiregauge_storage_quarantined_files", FamilyType::kGauge,
               "Files set aside because their content is damaged.")
      .Add({}, stats.quarantined_files);
  FamilyWriter(out, "wiregauge_storage_read_only", FamilyType::kGauge, "1 while the store refuses writes.")
      .Add({}, stats.read_only ? 1 : 0);
}

}  // namespace

void CollectSink(const WriteCounters& counters, const encode::Dictionary& dictionary, const store::Store& store,
                 aggregate::Snapshot& out) {
  CollectWrites(counters, out);
  CollectDictionary(dictionary, out);
  CollectStore(store, out);
}

}  // namespace wiregauge::daemon
