// What is left after faults of the disk: failed operations (each one in turn), power cuts (at each operation), a full
// disk. The promise under test: what was acknowledged is there, once, with the same bits; nothing appears that was
// never sent.
#include <gtest/gtest.h>

#include <random>

#include "base/log.h"
#include "remote_write/store/memory_files.h"
#include "remote_write/store/merge.h"
#include "remote_write/store/test_store.h"

namespace wiregauge::store {
namespace {

using testing::kStartMs;
using testing::ManualEnvironment;
using testing::MemoryFiles;
using testing::Model;
using testing::ReadAll;

constexpr std::uint64_t kSeed = 20261120;

// Runs one script of writes, flushes, merges and reopens, whatever fails, and remembers what was promised.
class Script {
 public:
  explicit Script(MemoryFiles& files) : files_(files) {}

  void Run(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int step = 0; step < 20; ++step) {
      if (store_ == nullptr) Open();
      Batch batch = NextBatch(random, step);
      if (store_ != nullptr) Append(batch);
      if (store_ == nullptr) continue;
      if (step % 3 == 2) static_cast<void>(store_->Flush().has_value());
      if (step % 5 == 4) static_cast<void>(store_->Maintain().has_value());
      if (step == 11) store_.reset();
    }
  }

  void Append(const Batch& batch) {
    sent_.Add(batch);
    const bool broken = store_->GetStats().read_only;
    const auto done = store_->Append(batch);
    if (done) {
      EXPECT_FALSE(broken);
      acknowledged_.Add(batch);
      entries_.insert(entries_.end(), batch.catalogue.begin(), batch.catalogue.end());
    } else {
      EXPECT_EQ(done.error().code, Code::kUnavailable) << done.error().message;
    }
  }

  bool Open() {
    seen_.clear();
    auto opened = EmbeddedStore::Open({"/data"}, ManualEnvironment(files_), [this](Bytes entry) -> Status {
      seen_.emplace_back(AsText(entry));
      return {};
    });
    if (opened) store_ = std::move(*opened);
    return opened.has_value();
  }

  // The machine stops; nothing is written any more.
  void Crash() {
    files_.Die();
    store_.reset();
  }

  // After a crash and a reopen that must succeed.
  void ExpectPromisesKept() {
    ASSERT_TRUE(Open());
    EXPECT_EQ(store_->GetStats().damaged_ranges, 0U);
    for (const auto& [series, promised] : acknowledged_.all()) {
      const std::vector<Sample> found = ReadAll(*store_, series);
      std::map<std::int64_t, std::uint64_t> by_time;
      for (const Sample& sample : found) EXPECT_TRUE(by_time.emplace(sample.timestamp_ms, sample.value_bits).second);
      for (const auto& [when, bits] : promised) {
        ASSERT_TRUE(by_time.contains(when)) << "lost: series " << series << " at " << when;
      }
    }
    for (const auto& [series, samples] : sent_.all()) {
      for (const Sample& sample : ReadAll(*store_, series)) {
        ASSERT_TRUE(samples.contains(sample.timestamp_ms));
        ASSERT_EQ(samples.at(sample.timestamp_ms), sample.value_bits);
      }
    }
    ExpectEntries();
  }

  // Acknowledged entries are there in their order; others may be between.
  void ExpectEntries() {
    std::size_t at = 0;
    for (const std::string& entry : seen_) {
      if (at < entries_.size() && entry == entries_[at]) ++at;
    }
    EXPECT_EQ(at, entries_.size());
  }

  [[nodiscard]] EmbeddedStore& store() { return *store_; }

 private:
  // Values follow from series and time, so every sample has one right value.
  static Batch NextBatch(std::mt19937_64& random, int step) {
    Batch batch;
    if (step % 4 == 0) batch.catalogue = {"entry " + std::to_string(step), std::string(700, 'e')};
    for (int i = 0; i < 40; ++i) {
      const auto series = static_cast<SeriesId>(1 + random() % 6 * 200);
      const auto when = kStartMs + static_cast<std::int64_t>(random() % 200) * 1'000'000;
      batch.samples.push_back({series, {when, static_cast<std::uint64_t>(when) * 2654435761U + series}});
    }
    return batch;
  }

  MemoryFiles& files_;
  std::unique_ptr<EmbeddedStore> store_;
  Model acknowledged_;
  Model sent_;
  std::vector<std::string> entries_;
  std::vector<std::string> seen_;
};

class QuietLog {
 public:
  QuietLog() { log::Configure(static_cast<log::Level>(9), log::Format::kLogfmt); }
  ~QuietLog() { log::Configure(log::Level::kInfo, log::Format::kLogfmt); }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;
};

// Fails operation 1, then 2, ... until the script passes without meeting the fault.
void FailEachOperation(MemoryFiles::Fault fault, Code code) {
  const QuietLog quiet;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  bool struck = true;
  std::uint64_t operation = 1;
  for (; struck; ++operation) {
    SCOPED_TRACE("operation " + std::to_string(operation));
    MemoryFiles files;
    Script script(files);
    files.FailAt(operation, fault, code);
    script.Run(kSeed);
    struck = files.failed();
    script.Crash();
    std::mt19937_64 random(kSeed + operation);
    files.PowerCut(random);
    script.ExpectPromisesKept();
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(operation, 80U);
}

TEST(Fault, EachOperationFailsOnce) { FailEachOperation(MemoryFiles::Fault::kOnce, Code::kIo); }
TEST(Fault, EachOperationAndAllAfterItFail) { FailEachOperation(MemoryFiles::Fault::kForever, Code::kIo); }
TEST(Fault, TheDiskIsFullOnceAtEachOperation) { FailEachOperation(MemoryFiles::Fault::kOnce, Code::kUnavailable); }
TEST(Fault, ThePowerGoesAtEachOperation) { FailEachOperation(MemoryFiles::Fault::kDead, Code::kIo); }

TEST(Fault, RecoveryItselfMayLoseThePower) {
  const QuietLog quiet;
  bool struck = true;
  for (std::uint64_t operation = 1; struck; ++operation) {
    SCOPED_TRACE("operation " + std::to_string(operation));
    MemoryFiles files;
    Script script(files);
    files.FailAt(110, MemoryFiles::Fault::kDead, Code::kIo);
    script.Run(kSeed);
    script.Crash();
    std::mt19937_64 random(operation);
    files.PowerCut(random);
    files.FailAt(operation, MemoryFiles::Fault::kDead, Code::kIo);
    static_cast<void>(script.Open());
    struck = files.failed();
    script.Crash();
    files.PowerCut(random);
    script.ExpectPromisesKept();
    if (HasFailure()) return;
  }
}

Batch OneSample(SeriesId series, std::int64_t when) {
  Batch batch;
  batch.samples = {{series, {when, 1}}};
  return batch;
}

TEST(Fault, AfterAFailedSyncNothingIsAcknowledgedUntilTheNextStart) {
  const QuietLog quiet;
  MemoryFiles files;
  auto store = testing::MustOpen({"/data"}, ManualEnvironment(files));
  ASSERT_TRUE(store->Append(OneSample(1, kStartMs)));
  files.FailAt(2, MemoryFiles::Fault::kOnce, Code::kIo);  // 1: the write, 2: its sync
  const auto failed = store->Append(OneSample(1, kStartMs + 1));
  ASSERT_FALSE(failed);
  EXPECT_TRUE(files.failed());
  EXPECT_EQ(failed.error().code, Code::kUnavailable);
  const std::uint64_t operations = files.operations();
  EXPECT_EQ(store->Append(OneSample(1, kStartMs + 2)).error().code, Code::kUnavailable);
  EXPECT_EQ(files.operations(), operations);  // not even tried
  EXPECT_TRUE(store->GetStats().read_only);
  EXPECT_NE(store->GetStats().read_only_reason.find("fdatasync"), std::string::npos);
  EXPECT_EQ(ReadAll(*store, 1).size(), 1U);  // reading goes on
  store.reset();
  std::mt19937_64 random(1);
  files.PowerCut(random);
  store = testing::MustOpen({"/data"}, ManualEnvironment(files));
  EXPECT_EQ(ReadAll(*store, 1).front(), (Sample{kStartMs, 1}));
  EXPECT_TRUE(store->Append(OneSample(1, kStartMs + 3)));
}

TEST(Fault, TheFreeSpaceGuardRefusesWritesUntilSpaceReturns) {
  MemoryFiles files;
  auto store = testing::MustOpen({"/data"}, ManualEnvironment(files));
  const std::uint64_t min = Options{}.min_free_bytes;
  for (const auto& [free, writable] : {std::pair{min + 1, true}, {min, true}, {min - 1, false}, {min, true}}) {
    files.SetFreeBytes(free);
    const auto done = store->Append(OneSample(1, kStartMs));
    EXPECT_EQ(done.has_value(), writable);
    EXPECT_EQ(store->GetStats().read_only, !writable);
    if (!done) {
      EXPECT_EQ(done.error().code, Code::kUnavailable);
    }
  }
}

TEST(Fault, AFullDiskRefusesWritesAndTakesThemAgainWhenSpaceReturns) {
  const QuietLog quiet;
  MemoryFiles files;
  Options options{"/data"};
  options.min_free_bytes = 0;
  files.SetCapacity(200'000);  // less than a segment reserves
  auto store = testing::MustOpen(options, ManualEnvironment(files));
  Model acknowledged;
  std::int64_t when = kStartMs;
  const auto next = [&] {
    Batch batch;
    batch.catalogue = {"entry " + std::to_string(when)};
    for (SeriesId i = 1; i <= 500; ++i) batch.samples.push_back({i, {when, static_cast<std::uint64_t>(when) * i}});
    ++when;
    const auto done = store->Append(batch);
    if (done) acknowledged.Add(batch);
    return done;
  };
  Status done;
  for (int i = 0; i < 1000 && done; ++i) done = next();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_FALSE(next());
  static_cast<void>(store->Flush().has_value());
  testing::ExpectHolds(*store, acknowledged);
  files.SetCapacity(100'000'000);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(next());
  ASSERT_TRUE(store->Flush());
  testing::ExpectHolds(*store, acknowledged);
  store.reset();
  store = testing::MustOpen(options, ManualEnvironment(files));
  EXPECT_EQ(store->GetStats().damaged_ranges, 0U);
  testing::ExpectHolds(*store, acknowledged);
}

TEST(Fault, MemoryIsBoundedWhileFlushesFail) {
  const QuietLog quiet;
  MemoryFiles files;
  Environment environment = ManualEnvironment(files);
  environment.head_bytes_min = 1 << 20;
  environment.head_bytes_per_series = 0;
  auto store = testing::MustOpen({"/data"}, environment);
  std::mt19937_64 random(kSeed);
  Status done;
  std::int64_t when = kStartMs;
  for (int i = 0; i < 100'000 && done; ++i) {
    Batch batch;
    ++when;
    for (SeriesId id = 1; id <= 500; ++id) batch.samples.push_back({id, {when, random()}});
    done = store->Append(batch);
  }
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  ASSERT_TRUE(store->Flush());
  EXPECT_TRUE(store->Append(OneSample(1, when + 1)));
}

}  // namespace
}  // namespace wiregauge::store
