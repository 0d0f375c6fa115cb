#include "remote_write/store/store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "remote_write/store/merge.h"
#include "remote_write/store/test_store.h"

namespace wiregauge::store {
namespace {

using testing::ExpectHolds;
using testing::IgnoreCatalogue;
using testing::kStartMs;
using testing::ManualEnvironment;
using testing::Model;
using testing::MustOpen;
using testing::RandomValueBits;
using testing::ReadAll;
using testing::TemporaryFolder;

std::uint64_t Bits(double value) { return std::bit_cast<std::uint64_t>(value); }

Batch Scrape(SeriesId first, SeriesId count, std::int64_t timestamp_ms, double value) {
  Batch batch;
  for (SeriesId i = 0; i < count; ++i) batch.samples.push_back({first + i, {timestamp_ms, Bits(value + i)}});
  return batch;
}

TEST(Store, GivesBackWhatWasAppendedBeforeAndAfterFlushAndReopen) {
  const TemporaryFolder folder;
  const Options options{folder.path()};
  Model model;
  {
    auto store = MustOpen(options, ManualEnvironment(PosixFiles()));
    for (int tick = 0; tick < 100; ++tick) {
      const Batch batch = Scrape(1, 50, kStartMs + tick * 15000, tick % 7);
      ASSERT_TRUE(store->Append(batch));
      model.Add(batch);
      if (tick == 40) {
        ASSERT_TRUE(store->Flush());
      }
    }
    ExpectHolds(*store, model);
    EXPECT_EQ(store->GetStats().open_samples, 50U * 59);
    EXPECT_EQ(store->GetStats().parts, 1U);
  }
  auto store = MustOpen(options, ManualEnvironment(PosixFiles()));
  EXPECT_EQ(store->GetStats().open_samples, 0U);  // the destructor flushed
  EXPECT_EQ(store->GetStats().damaged_ranges, 0U);
  EXPECT_EQ(store->GetStats().largest_series, 50U);
  ExpectHolds(*store, model);
}

TEST(Store, ReadKeepsToItsRangeAndAppendsToTheOutput) {
  const TemporaryFolder folder;
  auto store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
  Batch batch;
  for (int i = 0; i < 1000; ++i) batch.samples.push_back({7, {kStartMs + i, Bits(i)}});
  ASSERT_TRUE(store->Append(batch));
  for (const bool flushed : {false, true}) {
    if (flushed) {
      ASSERT_TRUE(store->Flush());
    }
    std::vector<Sample> out{{1, 2}};
    ASSERT_TRUE(store->Read(7, kStartMs + 10, kStartMs + 12, out));
    EXPECT_EQ(out, (std::vector<Sample>{
                       {1, 2}, {kStartMs + 10, Bits(10)}, {kStartMs + 11, Bits(11)}, {kStartMs + 12, Bits(12)}}));
    out.clear();
    ASSERT_TRUE(store->Read(7, kStartMs + 1000, kStartMs + 2000, out));
    ASSERT_TRUE(store->Read(8, INT64_MIN, INT64_MAX, out));
    ASSERT_TRUE(store->Read(UINT32_MAX, INT64_MIN, INT64_MAX, out));
    ASSERT_TRUE(store->Read(7, kStartMs + 12, kStartMs + 10, out));
    EXPECT_TRUE(out.empty());
  }
}

TEST(Store, CatalogueComesBackInOrderFromLogAndFile) {
  const TemporaryFolder folder;
  std::vector<std::string> written;
  for (int round = 0; round < 4; ++round) {
    std::vector<std::string> seen;
    auto opened = EmbeddedStore::Open({folder.path()}, ManualEnvironment(PosixFiles()), [&](Bytes entry) -> Status {
      seen.emplace_back(AsText(entry));
      return {};
    });
    ASSERT_TRUE(opened);
    EXPECT_EQ(seen, written) << round;
    for (int i = 0; i < 20; ++i) {
      Batch batch;
      batch.catalogue = {std::to_string(round) + "/" + std::to_string(i),
                         std::string(static_cast<std::size_t>(i), 'x')};
      written.insert(written.end(), batch.catalogue.begin(), batch.catalogue.end());
      ASSERT_TRUE((*opened)->Append(batch));
      if (i == 10) {
        ASSERT_TRUE((*opened)->Flush());
      }
    }
  }
}

TEST(Store, AnErrorOfTheCatalogueReaderFailsOpen) {
  const TemporaryFolder folder;
  Batch batch;
  batch.catalogue = {"entry"};
  {
    auto store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
    ASSERT_TRUE(store->Append(batch));
  }
  const auto opened = Store::Open({folder.path()}, [](Bytes) -> Status { return Error{Code::kCorrupt, "no"}; });
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kCorrupt);
}

TEST(Store, ASecondOpenIsRefused) {
  const TemporaryFolder folder;
  auto store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
  const auto second = Store::Open({folder.path()}, IgnoreCatalogue);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
}

// The same samples in another order, in other batches, repeated, with flushes, merges and reopens anywhere between,
// give the same answer: the model's, which knows no order.
TEST(Store, AnswersDoNotDependOnTheOrderOfWrites) {
  constexpr std::uint64_t kSeed = 20261120;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937_64 random(kSeed);
  std::vector<SeriesSample> samples;
  for (int i = 0; i < 6000; ++i) {
    const auto series = static_cast<SeriesId>(1 + random() % 12 * 300);
    const auto when = kStartMs + static_cast<std::int64_t>(random() % 400) * 1'000'000;  // over five days
    samples.push_back({series, {when, RandomValueBits(random)}});
  }
  Model model;
  for (const auto& each : samples) model.Add(each);
  for (int order = 0; order < 4; ++order) {
    const TemporaryFolder folder;
    std::shuffle(samples.begin(), samples.end(), random);
    auto store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
    for (std::size_t first = 0; first < samples.size();) {
      const std::size_t count = std::min<std::size_t>(1 + random() % 300, samples.size() - first);
      Batch batch;
      batch.samples.assign(samples.begin() + static_cast<std::ptrdiff_t>(first),
                           samples.begin() + static_cast<std::ptrdiff_t>(first + count));
      ASSERT_TRUE(store->Append(batch));
      if (random() % 4 == 0) first += count;  // else once more
      if (random() % 20 == 0) {
        ASSERT_TRUE(store->Flush());
      }
      if (random() % 20 == 0) {
        ASSERT_TRUE(store->Maintain());
      }
      if (random() % 40 == 0) {
        store.reset();
        store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
      }
    }
    ExpectHolds(*store, model);
  }
}

TEST(Store, ConflictsAreCountedOnce) {
  const TemporaryFolder folder;
  auto store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
  Batch batch;
  batch.samples = {
      {1, {kStartMs, Bits(1)}}, {1, {kStartMs, Bits(2)}}, {1, {kStartMs, Bits(1)}}, {2, {kStartMs, Bits(1)}}};
  ASSERT_TRUE(store->Append(batch));
  ASSERT_TRUE(store->Flush());
  EXPECT_EQ(store->GetStats().conflicting_samples_total, 1U);
  EXPECT_EQ(ReadAll(*store, 1), (std::vector<Sample>{{kStartMs, Bits(2)}}));
}

TEST(Store, MergesSmallPartsAndForgetsThem) {
  const TemporaryFolder folder;
  auto store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
  Model model;
  for (int flush = 0; flush < 40; ++flush) {
    for (int tick = 0; tick < 20; ++tick) {
      const Batch batch = Scrape(1, 30, kStartMs + (flush * 20 + tick) * 15000, flush + tick);
      ASSERT_TRUE(store->Append(batch));
      model.Add(batch);
    }
    ASSERT_TRUE(store->Flush());
    ASSERT_TRUE(store->Maintain());
    EXPECT_LT(store->GetStats().parts, 3 * kMergeWidth);
  }
  EXPECT_GT(store->GetStats().merges_total, 10U);
  ExpectHolds(*store, model);
  store.reset();
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/parts"))
    files += entry.exists() ? 1 : 0;
  store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
  EXPECT_EQ(files, store->GetStats().parts);
  EXPECT_EQ(store->GetStats().quarantined_files, 0U);
  ExpectHolds(*store, model);
}

TEST(Store, APartitionThatIsOverBecomesOnePart) {
  const TemporaryFolder folder;
  std::int64_t now = kStartMs;
  Environment environment = ManualEnvironment(PosixFiles());
  environment.now_ms = [&now] { return now; };
  auto store = MustOpen({folder.path()}, environment);
  for (int flush = 0; flush < 3; ++flush) {
    ASSERT_TRUE(store->Append(Scrape(1, 10, kStartMs + flush, flush)));
    ASSERT_TRUE(store->Flush());
  }
  ASSERT_TRUE(store->Maintain());
  EXPECT_EQ(store->GetStats().parts, 3U);
  now += 2 * kPartitionMs;
  ASSERT_TRUE(store->Maintain());
  EXPECT_EQ(store->GetStats().parts, 1U);
  EXPECT_EQ(ReadAll(*store, 1).size(), 3U);
}

TEST(Store, RetentionDropsWholePartsThatAreOver) {
  const TemporaryFolder folder;
  std::int64_t now = kStartMs;
  Environment environment = ManualEnvironment(PosixFiles());
  environment.now_ms = [&now] { return now; };
  Options options{folder.path()};
  options.retention_ms = 3 * kPartitionMs;
  auto store = MustOpen(options, environment);
  EXPECT_EQ(store->OldestAccepted(now), now - 3 * kPartitionMs);
  for (int day = 0; day < 6; ++day) {
    now = kStartMs + day * kPartitionMs;
    ASSERT_TRUE(store->Append(Scrape(1, 1, now, day)));
    ASSERT_TRUE(store->Flush());
    ASSERT_TRUE(store->Maintain());
  }
  EXPECT_EQ(ReadAll(*store, 1).front().timestamp_ms, kStartMs + 2 * kPartitionMs);
  EXPECT_EQ(ReadAll(*store, 1).size(), 4U);
  now += 10 * 365 * kPartitionMs;  // a clock gone wrong, without data that agrees
  ASSERT_TRUE(store->Maintain());
  EXPECT_EQ(ReadAll(*store, 1).size(), 3U);  // one day more than the newest sample's age
}

TEST(Store, SeriesInRangeHasNoFalseNegatives) {
  const TemporaryFolder folder;
  auto store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
  ASSERT_TRUE(store->Append(Scrape(10, 5, kStartMs, 0)));
  ASSERT_TRUE(store->Flush());
  ASSERT_TRUE(store->Append(Scrape(100, 5, kStartMs + 60000, 0)));
  std::vector<SeriesId> all;
  for (SeriesId id = 1; id < 200; ++id) all.push_back(id);
  EXPECT_EQ(store->SeriesInRange(all, kStartMs, kStartMs), (std::vector<SeriesId>{10, 11, 12, 13, 14}));
  EXPECT_EQ(store->SeriesInRange(all, kStartMs + 1, kStartMs + 70000),
            (std::vector<SeriesId>{100, 101, 102, 103, 104}));
  EXPECT_EQ(store->SeriesInRange(all, INT64_MIN, INT64_MAX).size(), 10U);
  EXPECT_TRUE(store->SeriesInRange(all, kStartMs + 70000, INT64_MAX).empty());
}

TEST(Store, RefusesWhatItCannotKeepAndWritesNothingOfIt) {
  const TemporaryFolder folder;
  auto store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
  const std::int64_t max = 253402300799999;
  for (const SeriesSample& bad :
       {SeriesSample{0, {kStartMs, 0}}, SeriesSample{kSeriesIdMax + 1, {kStartMs, 0}}, SeriesSample{1, {max + 1, 0}},
        SeriesSample{1, {-max - 1, 0}}, SeriesSample{1, {INT64_MIN, 0}}, SeriesSample{1, {INT64_MAX, 0}}}) {
    Batch batch = Scrape(5, 1, kStartMs, 1);
    batch.samples.push_back(bad);
    const auto done = store->Append(batch);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kInvalidArgument);
  }
  Batch entry;
  entry.catalogue.emplace_back((4UL << 20) + 1, 'x');
  EXPECT_EQ(store->Append(entry).error().code, Code::kInvalidArgument);
  EXPECT_EQ(store->GetStats().open_samples, 0U);
  Batch edges;
  edges.samples = {{kSeriesIdMax, {max, 1}}, {kSeriesIdMax, {-max, 2}}, {1, {0, 3}}};
  ASSERT_TRUE(store->Append(edges));
  ASSERT_TRUE(store->Flush());
  EXPECT_EQ(ReadAll(*store, kSeriesIdMax), (std::vector<Sample>{{-max, 2}, {max, 1}}));
  EXPECT_EQ(ReadAll(*store, 1).size(), 1U);
}

TEST(Store, TakesBatchesAboveOneRecord) {
  const TemporaryFolder folder;
  Model model;
  {
    auto store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
    Batch batch;
    batch.catalogue.assign(5, std::string(2UL << 20, 'c'));
    for (SeriesId i = 0; i < 600'000; ++i) batch.samples.push_back({1 + i % 1000, {kStartMs + i / 1000, i}});
    ASSERT_TRUE(store->Append(batch));
    model.Add(batch);
    EXPECT_EQ(store->GetStats().open_samples, 600'000U);
  }
  auto store = MustOpen({folder.path()}, ManualEnvironment(PosixFiles()));
  ExpectHolds(*store, model);
}

}  // namespace
}  // namespace wiregauge::store
