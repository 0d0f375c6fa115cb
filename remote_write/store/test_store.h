// What the store's tests share: a temporary folder, a store in it, and a plain model to compare with.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "remote_write/store/conflict.h"
#include "remote_write/store/embedded_store.h"

namespace wiregauge::store::testing {

inline constexpr std::int64_t kStartMs = 1'790'000'000'000;  // 2026-09-21, well inside a day

// Removed with its contents at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "wiregauge_store_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A store without a background thread and with a clock that stands at `now_ms`.
inline Environment ManualEnvironment(FileSystem& files, std::int64_t now_ms = kStartMs) {
  Environment environment = DefaultEnvironment();
  environment.files = &files;
  environment.now_ms = [now_ms] { return now_ms; };
  environment.background = false;
  return environment;
}

inline Status IgnoreCatalogue(Bytes /*entry*/) { return {}; }

inline std::unique_ptr<EmbeddedStore> MustOpen(const Options& options, Environment environment) {
  auto opened = EmbeddedStore::Open(options, std::move(environment), IgnoreCatalogue);
  if (!opened) {
    ADD_FAILURE() << opened.error().message;
    std::abort();
  }
  return std::move(*opened);
}

// Every sample that was acknowledged, by the rule of conflict.h.
class Model {
 public:
  void Add(const SeriesSample& each) {
    auto [slot, added] = samples_[each.series].try_emplace(each.sample.timestamp_ms, each.sample.value_bits);
    if (!added && Outranks(each.sample.value_bits, slot->second)) slot->second = each.sample.value_bits;
  }
  void Add(const Batch& batch) {
    for (const SeriesSample& each : batch.samples) Add(each);
  }
  [[nodiscard]] std::vector<Sample> Of(SeriesId series, std::int64_t first_ms = INT64_MIN,
                                       std::int64_t last_ms = INT64_MAX) const {
    std::vector<Sample> out;
    const auto found = samples_.find(series);
    if (found == samples_.end()) return out;
    for (const auto& [timestamp, bits] : found->second) {
      if (timestamp >= first_ms && timestamp <= last_ms) out.push_back({timestamp, bits});
    }
    return out;
  }
  [[nodiscard]] const std::map<SeriesId, std::map<std::int64_t, std::uint64_t>>& all() const { return samples_; }

 private:
  std::map<SeriesId, std::map<std::int64_t, std::uint64_t>> samples_;
};

inline std::vector<Sample> ReadAll(const Store& store, SeriesId series) {
  std::vector<Sample> out;
  const auto done = store.Read(series, INT64_MIN, INT64_MAX, out);
  EXPECT_TRUE(done) << done.error().message;
  return out;
}

inline void ExpectHolds(const Store& store, const Model& model) {
  for (const auto& [series, samples] : model.all()) {
    ASSERT_EQ(ReadAll(store, series), model.Of(series)) << "series " << series;
  }
}

// A value of one of the kinds that monitoring data has, the nasty ones included.
inline std::uint64_t RandomValueBits(std::mt19937_64& random) {
  switch (random() % 10) {
    case 0: return kStaleMarkerBits;
    case 1: return 0x8000000000000000;  // -0.0
    case 2: return random();            // any bits: NaN payloads, denormals
    case 3: return std::bit_cast<std::uint64_t>(static_cast<double>(random() % 1000) / 100);
    default: return std::bit_cast<std::uint64_t>(static_cast<double>(random() % 5));
  }
}

}  // namespace wiregauge::store::testing
