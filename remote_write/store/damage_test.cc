// Damaged files: every truncation and many bit flips of log segments, catalogue, parts and manifest. After a reopen
// what was not damaged is there with the same bits, nothing wrong appears, and the damage is counted.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "base/log.h"
#include "remote_write/store/checksum.h"
#include "remote_write/store/memory_files.h"
#include "remote_write/store/test_store.h"

namespace wiregauge::store {
namespace {

using testing::kStartMs;
using testing::ManualEnvironment;
using testing::MemoryFiles;
using testing::ReadAll;

constexpr std::uint64_t kSeed = 20261120;
constexpr SeriesId kSeries = 40;
constexpr int kBatches = 30;

class Damage : public ::testing::Test {
 protected:
  void SetUp() override { log::Configure(static_cast<log::Level>(9), log::Format::kLogfmt); }
  void TearDown() override { log::Configure(log::Level::kInfo, log::Format::kLogfmt); }

  static std::uint64_t ValueOf(SeriesId series, std::int64_t when) {
    return static_cast<std::uint64_t>(when) * 0x9e3779b97f4a7c15 + series;
  }

  // Writes kBatches batches; flushes after `flush_after` of them (0: never), then stops as kill -9 does.
  static void Fill(MemoryFiles& files, int flush_after) {
    auto store = testing::MustOpen({"/data"}, ManualEnvironment(files));
    for (int i = 0; i < kBatches; ++i) {
      Batch batch;
      batch.catalogue = {"entry " + std::to_string(i)};
      for (SeriesId id = 1; id <= kSeries; ++id)
        batch.samples.push_back({id, {kStartMs + i, ValueOf(id, kStartMs + i)}});
      ASSERT_TRUE(store->Append(batch));
      if (i + 1 == flush_after) {
        ASSERT_TRUE(store->Flush());
      }
    }
    files.Die();
    store.reset();
    files.Revive();
  }

  static std::string Only(const MemoryFiles& files, const std::string& part) {
    std::string found;
    for (const std::string& path : files.Paths()) {
      if (path.find(part) != std::string::npos) found = path;
    }
    EXPECT_FALSE(found.empty()) << part;
    return found;
  }

  struct Outcome {
    std::size_t samples = 0;  // that were read, all right
    std::size_t entries = 0;
    bool read_failed = false;  // kCorrupt
    Stats stats;
  };

  // Opens and reads everything; what is there must be right.
  static Outcome Reopen(MemoryFiles& files) {
    Outcome outcome;
    auto opened = EmbeddedStore::Open({"/data"}, ManualEnvironment(files), [&](Bytes entry) -> Status {
      EXPECT_EQ(AsText(entry).substr(0, 6), "entry ");
      ++outcome.entries;
      return {};
    });
    if (!opened) {
      ADD_FAILURE() << opened.error().message;
      return outcome;
    }
    for (SeriesId id = 1; id <= kSeries; ++id) {
      std::vector<Sample> found;
      const auto done = (*opened)->Read(id, INT64_MIN, INT64_MAX, found);
      if (!done) {
        EXPECT_EQ(done.error().code, Code::kCorrupt);
        outcome.read_failed = true;
      }
      std::int64_t last = INT64_MIN;
      for (const Sample& sample : found) {
        EXPECT_GT(sample.timestamp_ms, last);
        last = sample.timestamp_ms;
        EXPECT_EQ(sample.value_bits, ValueOf(id, sample.timestamp_ms));
      }
      outcome.samples += found.size();
    }
    outcome.stats = (*opened)->GetStats();
    files.Die();
    opened->reset();
    files.Revive();
    return outcome;
  }

  static bool Counted(const Outcome& outcome) {
    return outcome.stats.damaged_ranges + outcome.stats.damaged_pages_total + outcome.stats.torn_bytes > 0;
  }
};

constexpr std::size_t kAll = std::size_t{kSeries} * kBatches;

TEST_F(Damage, EveryTruncationOfTheLogLosesOnlyItsTail) {
  MemoryFiles whole;
  Fill(whole, 0);
  const std::string path = Only(whole, ".wal");
  const std::string content = whole.Content(path).substr(0, whole.Content(path).find_last_not_of('\0') + 1);
  ASSERT_EQ(Reopen(whole).samples, kAll);
  std::size_t last_samples = 0;
  for (std::size_t size = 0; size <= content.size(); size += size < 150 ? 1 : 97) {
    MemoryFiles files;
    Fill(files, 0);
    files.Content(path) = content.substr(0, size);
    const Outcome outcome = Reopen(files);
    EXPECT_EQ(outcome.stats.damaged_ranges, 0U) << size;
    EXPECT_GE(outcome.samples, last_samples) << size;  // each complete record is there
    EXPECT_EQ(outcome.samples % kSeries, 0U);
    EXPECT_EQ(outcome.samples, outcome.entries * kSeries);
    last_samples = outcome.samples;
    const Outcome again = Reopen(files);  // the cut was the end of it
    EXPECT_EQ(again.samples, outcome.samples);
    EXPECT_EQ(again.stats.torn_bytes, 0U) << size;
    if (HasFailure()) return;
  }
  EXPECT_GT(last_samples, kAll - 2 * kSeries);
}

TEST_F(Damage, ABitFlipInTheLogCostsOneRecordAndIsCounted) {
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 150; ++round) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + " round " + std::to_string(round));
    MemoryFiles files;
    Fill(files, 0);
    const std::string path = Only(files, ".wal");
    std::string& content = files.Content(path);
    const std::size_t used = content.find_last_not_of('\0') + 1;
    const std::size_t at = random() % used;
    content[at] = static_cast<char>(content[at] ^ (1 << random() % 8));
    const Outcome outcome = Reopen(files);
    EXPECT_GE(outcome.samples, kAll - kSeries);
    EXPECT_GE(outcome.entries, kBatches - 1U);
    if (outcome.samples < kAll) {
      EXPECT_TRUE(Counted(outcome)) << "at " << at;
    }
    if (HasFailure()) return;
  }
}

TEST_F(Damage, ADamagedLogSegmentIsKeptInQuarantine) {
  MemoryFiles files;
  Fill(files, 0);
  const std::string path = Only(files, ".wal");
  files.Content(path)[400] ^= 1;
  {
    auto store = testing::MustOpen({"/data"}, ManualEnvironment(files));
    EXPECT_EQ(store->GetStats().damaged_ranges, 1U);
    ASSERT_TRUE(store->Flush());
    EXPECT_EQ(store->GetStats().quarantined_files, 1U);
  }
  EXPECT_NE(Only(files, "/quarantine/").find(".wal"), std::string::npos);
  auto store = testing::MustOpen({"/data"}, ManualEnvironment(files));
  EXPECT_EQ(store->GetStats().quarantined_files, 1U);
  EXPECT_EQ(store->GetStats().damaged_ranges, 0U);
}

TEST_F(Damage, AMissingLogSegmentIsReported) {
  MemoryFiles files;
  Fill(files, 0);
  Reopen(files);  // leaves segment 2 as well
  ASSERT_TRUE(files.Remove(Only(files, "0001.wal")));
  EXPECT_GE(Reopen(files).stats.damaged_ranges, 1U);
}

// A part, the catalogue or the manifest with one bit flipped or cut short.
TEST_F(Damage, FlipsAndCutsOfOtherFilesNeverGoUnnoticed) {
  std::mt19937_64 random(kSeed);
  for (const char* kind : {".part", ".cat", "MANIFEST"}) {
    for (int round = 0; round < 120; ++round) {
      SCOPED_TRACE(std::string(kind) + " seed " + std::to_string(kSeed) + " round " + std::to_string(round));
      MemoryFiles files;
      Fill(files, kBatches - 5);
      std::string& content = files.Content(Only(files, kind));
      const std::size_t at = random() % content.size();
      if (round % 2 == 0) {
        content[at] = static_cast<char>(content[at] ^ (1 << random() % 8));
      } else {
        content.resize(at);
      }
      const Outcome outcome = Reopen(files);
      EXPECT_GE(outcome.samples, std::size_t{5} * kSeries);  // the log's
      if (std::string(kind) != ".part") {
        EXPECT_EQ(outcome.samples, kAll);
      }
      if (outcome.samples < kAll) {
        EXPECT_TRUE(Counted(outcome)) << "at " << at;
        EXPECT_TRUE(outcome.read_failed || outcome.stats.quarantined_files > 0);
      }
      if (outcome.entries < kBatches) {
        EXPECT_GT(outcome.stats.damaged_ranges, 0U) << "at " << at;
      }
      if (HasFailure()) return;
    }
  }
}

TEST_F(Damage, AMissingFileIsReported) {
  for (const char* kind : {".part", ".cat", "MANIFEST"}) {
    MemoryFiles files;
    Fill(files, kBatches - 5);
    ASSERT_TRUE(files.Remove(Only(files, kind)));
    const Outcome outcome = Reopen(files);
    EXPECT_GT(outcome.stats.damaged_ranges, 0U) << kind;
    EXPECT_EQ(outcome.samples, std::string(kind) == ".part" ? std::size_t{5} * kSeries : kAll) << kind;
  }
}

TEST_F(Damage, AMergeLeavesADamagedPageOutAndKeepsTheFile) {
  MemoryFiles files;
  auto store = testing::MustOpen({"/data"}, ManualEnvironment(files));
  for (int flush = 0; flush < 4; ++flush) {
    Batch batch;
    for (SeriesId id = 1; id <= kSeries; ++id) {
      batch.samples.push_back({id, {kStartMs + flush, ValueOf(id, kStartMs + flush)}});
    }
    ASSERT_TRUE(store->Append(batch));
    ASSERT_TRUE(store->Flush());
  }
  files.Content(Only(files, "0002.part"))[50] ^= 1;
  ASSERT_TRUE(store->Maintain());
  const Stats stats = store->GetStats();
  EXPECT_EQ(stats.parts, 1U);
  EXPECT_EQ(stats.quarantined_files, 1U);
  EXPECT_EQ(stats.damaged_pages_total, 1U);
  EXPECT_EQ(ReadAll(*store, 1).size(), 3U);
  EXPECT_NE(Only(files, "/quarantine/").find("0002.part"), std::string::npos);
}

TEST_F(Damage, AnotherVersionsFolderIsLeftAlone) {
  MemoryFiles files;
  Fill(files, 3);
  std::string& manifest = files.Content(Only(files, "MANIFEST"));
  manifest.replace(manifest.find(" 1\n"), 3, " 2\n");
  manifest.resize(manifest.rfind("checksum "));
  manifest += fmt::format("checksum {:016x}\n", Checksum(AsBytes(manifest)));
  const auto before = files.Paths();
  const auto opened = EmbeddedStore::Open({"/data"}, ManualEnvironment(files), testing::IgnoreCatalogue);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kUnsupported);
  EXPECT_EQ(files.Paths(), before);
}

}  // namespace
}  // namespace wiregauge::store
