// kill -9 at random moments of a real process on a real file system, and many threads at once.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "remote_write/store/test_store.h"

namespace wiregauge::store {
namespace {

using testing::kStartMs;
using testing::ReadAll;
using testing::TemporaryFolder;

constexpr SeriesId kSeries = 300;
constexpr std::uint64_t kSeed = 20261120;

std::uint64_t ValueOf(SeriesId series, std::uint64_t batch) { return batch * 0x9e3779b97f4a7c15 + series; }

// A store that flushes and merges all the time.
Environment BusyEnvironment() {
  Environment environment = DefaultEnvironment();
  environment.now_ms = [] { return kStartMs; };
  environment.head_bytes_min = 64 * 1024;
  environment.head_bytes_per_series = 0;
  environment.head_overrun = 1'000'000;
  return environment;
}

Batch NumberedBatch(std::uint64_t number) {
  Batch batch;
  batch.catalogue = {std::to_string(number)};
  for (SeriesId id = 1; id <= kSeries; ++id) {
    batch.samples.push_back({id, {kStartMs + static_cast<std::int64_t>(number), ValueOf(id, number)}});
  }
  return batch;
}

// The child: appends numbered batches and writes each acknowledged number to the pipe, until it is killed.
[[noreturn]] void AppendForEver(const Options& options, std::uint64_t first, int acknowledgements) {
  auto opened = EmbeddedStore::Open(options, BusyEnvironment(), testing::IgnoreCatalogue);
  if (!opened) _exit(2);
  for (std::uint64_t number = first;; ++number) {
    if (!(*opened)->Append(NumberedBatch(number))) _exit(3);
    if (::write(acknowledgements, &number, sizeof(number)) != sizeof(number)) _exit(4);
  }
}

// Runs the child until it has acknowledged `until` batches, kills it, and returns the number after the last one
// acknowledged.
std::uint64_t RunAndKill(const Options& options, std::uint64_t first, std::uint64_t until) {
  std::array<int, 2> pipe_ends{};
  EXPECT_EQ(::pipe(pipe_ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe_ends[0]);
    AppendForEver(options, first, pipe_ends[1]);
  }
  ::close(pipe_ends[1]);
  std::uint64_t next = first;
  std::uint64_t number = 0;
  while (::read(pipe_ends[0], &number, sizeof(number)) == sizeof(number)) {
    next = number + 1;
    if (next == first + until) ::kill(child, SIGKILL);
  }
  ::close(pipe_ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
  return next;
}

void ExpectBatchesBefore(const Options& options, std::uint64_t next) {
  std::vector<std::uint64_t> entries;
  auto opened = EmbeddedStore::Open(options, BusyEnvironment(), [&](Bytes entry) -> Status {
    const std::uint64_t number = std::stoull(std::string(AsText(entry)));
    // They may repeat after a crash; the first time they come in order.
    if (entries.empty() || number > entries.back()) entries.push_back(number);
    return {};
  });
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ((*opened)->GetStats().damaged_ranges, 0U);
  ASSERT_GE(entries.size(), next);
  for (std::uint64_t number = 0; number < entries.size(); ++number) ASSERT_EQ(entries[number], number);
  for (SeriesId id = 1; id <= kSeries; ++id) {
    const std::vector<Sample> samples = ReadAll(**opened, id);
    ASSERT_GE(samples.size(), next);  // the one in flight may be there too
    ASSERT_LE(samples.size(), next + 1);
    for (std::uint64_t number = 0; number < samples.size(); ++number) {
      const Sample wanted{kStartMs + static_cast<std::int64_t>(number), ValueOf(id, number)};
      ASSERT_EQ(samples[number], wanted);
    }
  }
}

void KillTwentyTimes(Durability durability) {
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937_64 random(kSeed);
  const TemporaryFolder folder;
  Options options{folder.path()};
  options.durability = durability;
  options.min_free_bytes = 0;
  std::uint64_t next = 0;
  for (int round = 0; round < 20; ++round) {
    next = RunAndKill(options, next, 1 + random() % 60);
    ExpectBatchesBefore(options, next);
    if (::testing::Test::HasFatalFailure()) return;
    // A batch that was on its way may be stored: the next child sends the same one again, as a sender would.
  }
  EXPECT_GT(next, 200U);
}

TEST(Crash, EveryAcknowledgedSampleSurvivesKill) { KillTwentyTimes(Durability::kAlways); }
TEST(Crash, IntervalSurvivesKillToo) { KillTwentyTimes(Durability::kInterval); }

TEST(Concurrency, WritersReadersFlushAndMergeAtOnce) {
  const TemporaryFolder folder;
  constexpr int kWriters = 4;
  constexpr int kBatches = 60;
  constexpr SeriesId kPerWriter = 700;
  auto store = testing::MustOpen({folder.path()}, BusyEnvironment());
  std::atomic<int> writing{kWriters};
  std::vector<std::jthread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (int i = 0; i < kBatches; ++i) {
        Batch batch;
        batch.catalogue = {std::to_string(writer)};
        for (SeriesId id = 0; id < kPerWriter; ++id) {  // neighbours overlap by half
          const auto series = static_cast<SeriesId>(1 + static_cast<SeriesId>(writer) * kPerWriter / 2 + id);
          batch.samples.push_back({series, {kStartMs + i * 15000, ValueOf(series, static_cast<std::uint64_t>(i))}});
        }
        EXPECT_TRUE(store->Append(batch));
      }
      --writing;
    });
  }
  for (int reader = 0; reader < 2; ++reader) {
    threads.emplace_back([&, reader] {
      std::mt19937_64 random(kSeed + static_cast<std::uint64_t>(reader));
      std::map<SeriesId, std::size_t> seen;
      while (writing > 0) {
        const auto series = static_cast<SeriesId>(1 + random() % (kPerWriter / 2));
        const auto samples = ReadAll(*store, series);
        EXPECT_GE(samples.size(), seen[series]);  // what was once seen stays
        seen[series] = samples.size();
        EXPECT_LE(store->SeriesInRange(std::vector<SeriesId>{series}, INT64_MIN, INT64_MAX).size(), 1U);
        EXPECT_FALSE(store->GetStats().read_only);
      }
    });
  }
  threads.emplace_back([&] {
    while (writing > 0) EXPECT_TRUE(store->Flush());
  });
  threads.clear();
  const SeriesId last = kPerWriter / 2 * (kWriters + 1);
  for (SeriesId series = 1; series <= last; ++series) {
    const auto samples = ReadAll(*store, series);
    ASSERT_EQ(samples.size(), static_cast<std::size_t>(kBatches)) << series;
    for (std::uint64_t i = 0; i < samples.size(); ++i) ASSERT_EQ(samples[i].value_bits, ValueOf(series, i));
  }
  EXPECT_EQ(store->GetStats().conflicting_samples_total, 0U);
}

}  // namespace
}  // namespace wiregauge::store
