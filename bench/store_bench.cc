// What the store costs: CPU and wall time of Append, bytes a sample on disk and a series in memory, replay, reads; and
// the catalogue as own file against SQLite and RocksDB. Prints one line a figure.
//   store_bench [folder] [series] [ticks]      (default: a folder under /tmp, 100,000 series, 480 ticks of 15 s)
#include <fmt/format.h>
#include <malloc.h>
#include <rocksdb/db.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/clock.h"
#include "remote_write/store/catalogue.h"
#include "remote_write/store/embedded_store.h"
#include "remote_write/store/part_writer.h"

namespace wiregauge::store {
namespace {

constexpr std::int64_t kStartMs = 1'790'000'000'000;
constexpr std::size_t kBatchSamples = 2000;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
}

// Series as node_exporter has them: 64 % constant, 20 % integer counters and gauges, 16 % decimals and floats.
class Mix {
 public:
  explicit Mix(std::size_t series) : values_(series), random_(1) {
    for (std::size_t i = 0; i < series; ++i) values_[i] = static_cast<double>(random_() % 100'000);
  }
  // The series' value at the next tick.
  double Next(std::size_t i) {
    double& value = values_[i];
    const std::size_t kind = i * 2654435761U / 97 % 100;
    if (kind < 64) return value;
    if (kind < 74) return value += static_cast<double>(random_() % 50);                          // counter
    if (kind < 80) return value += random_() % 4 == 0 ? static_cast<double>(random_() % 9) : 0;  // slow counter
    if (kind < 84) return value = static_cast<double>(random_() % 20'000) * 4096;                // memory
    if (kind < 96) return value = std::round(value * 100 + static_cast<double>(random_() % 1500)) / 100;  // CPU seconds
    return value = std::sin(value + 0.1);  // a computed ratio
  }

 private:
  std::vector<double> values_;
  std::mt19937_64 random_;
};

std::uint64_t FolderBytes(const std::string& path) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

void Require(const Status& done) {
  if (done) return;
  fmt::print(stderr, "{}\n", done.error().message);
  std::exit(1);
}

std::unique_ptr<EmbeddedStore> MustOpen(const Options& options) {
  Environment environment = DefaultEnvironment();
  environment.now_ms = [] { return kStartMs; };
  auto opened = EmbeddedStore::Open(options, environment, [](Bytes) -> Status { return {}; });
  if (!opened) Require(opened.error());
  return std::move(*opened);
}

// All series at each tick in batches of kBatchSamples. Returns CPU seconds of making the samples alone.
double Ingest(EmbeddedStore* store, std::size_t series, std::size_t ticks) {
  Mix mix(series);
  Batch batch;
  const double before = CpuSeconds();
  for (std::size_t tick = 0; tick < ticks; ++tick) {
    for (std::size_t i = 0; i < series; ++i) {
      const auto when =
          kStartMs + static_cast<std::int64_t>(tick) * 15000 + static_cast<std::int64_t>(i / 1000 * 7 % 15000);
      batch.samples.push_back({static_cast<SeriesId>(i + 1), {when, std::bit_cast<std::uint64_t>(mix.Next(i))}});
      if (batch.samples.size() < kBatchSamples && i + 1 < series) continue;
      if (store != nullptr) Require(store->Append(batch));
      batch.samples.clear();
    }
  }
  return CpuSeconds() - before;
}

void BenchIngest(const std::string& path, std::size_t series, std::size_t ticks, Durability durability,
                 const char* name) {
  std::filesystem::remove_all(path);
  Options options{path};
  options.durability = durability;
  const auto samples = static_cast<double>(series * ticks);
  const double floor = Ingest(nullptr, series, ticks);
  malloc_trim(0);
  const double resident = ResidentBytes();
  auto store = MustOpen(options);
  const auto started = MonotonicNanoseconds();
  const double cpu = Ingest(store.get(), series, ticks) - floor;
  const auto wall = static_cast<double>(MonotonicNanoseconds() - started);
  const Stats stats = store->GetStats();
  fmt::print(
      "{}: append {:.1f} ns CPU a sample (flushes and merges so far included), {:.1f} ns wall; syncs {}; "
      "RSS {:.0f} B a series; WAL {:.2f} B a waiting sample; flushes {}, merges {}, parts {}\n",
      name, cpu * 1e9 / samples, wall / samples, stats.wal_syncs_total,
      (ResidentBytes() - resident) / static_cast<double>(series),
      static_cast<double>(stats.wal_bytes) / static_cast<double>(std::max<std::uint64_t>(stats.open_samples, 1)),
      stats.flushes_total, stats.merges_total, stats.parts);
  const double flush_before = CpuSeconds();
  Require(store->Flush());
  Require(store->Maintain());
  fmt::print("{}: last flush and merge {:.1f} ns CPU a sample; parts {:.3f} B a sample in {} files\n", name,
             (CpuSeconds() - flush_before) * 1e9 / samples,
             static_cast<double>(store->GetStats().chunk_bytes) / samples, store->GetStats().parts);
  std::vector<Sample> out;
  const double read_before = CpuSeconds();
  std::size_t read = 0;
  for (SeriesId id = 1; id <= series; id += 7) {
    out.clear();
    Require(store->Read(id, INT64_MIN, INT64_MAX, out));
    read += out.size();
  }
  fmt::print("{}: read {:.1f} ns CPU a sample, {} samples\n", name,
             (CpuSeconds() - read_before) * 1e9 / static_cast<double>(read), read);
  store.reset();
  fmt::print("{}: on disk after a clean stop {:.3f} B a sample\n", name,
             static_cast<double>(FolderBytes(path)) / samples);
}

// Opens a folder that a killed process left.
void BenchReplay(const std::string& path, std::size_t series, std::size_t ticks) {
  std::filesystem::remove_all(path);
  const std::string copy = path + "-copy";
  std::filesystem::remove_all(copy);
  Options options{path};
  options.durability = Durability::kNone;
  auto store = MustOpen(options);
  Ingest(store.get(), series, ticks);
  std::filesystem::copy(path, copy, std::filesystem::copy_options::recursive);
  store.reset();
  options.path = copy;
  const auto started = MonotonicNanoseconds();
  store = MustOpen(options);
  const auto wall = static_cast<double>(MonotonicNanoseconds() - started);
  fmt::print("replay: {:.2f} s for {} series, {} samples: {:.0f} ns a sample\n", wall / 1e9, series, series * ticks,
             wall / static_cast<double>(series * ticks));
  store.reset();
  std::filesystem::remove_all(copy);
}

constexpr std::size_t kEntries = 1'000'000;
constexpr std::size_t kEntriesABatch = 2000;
std::string Entry(std::size_t i) { return fmt::format("{:048}", i * 2654435761U); }

void PrintCatalogue(const char* name, double cpu, std::uint64_t wall, const std::string& path) {
  fmt::print("catalogue, {}: {:.0f} ns CPU, {:.0f} ns wall an entry, {:.1f} B an entry\n", name,
             cpu * 1e9 / static_cast<double>(kEntries), static_cast<double>(wall) / static_cast<double>(kEntries),
             static_cast<double>(FolderBytes(path)) / static_cast<double>(kEntries));
}

// Calls add(i) for every entry and commit() after each batch; both are durable after commit.
template <typename Add, typename Commit>
void TimeCatalogue(const char* name, const std::string& path, const Add& add, const Commit& commit) {
  const double cpu = CpuSeconds();
  const auto started = MonotonicNanoseconds();
  for (std::size_t i = 0; i < kEntries; ++i) {
    add(i);
    if ((i + 1) % kEntriesABatch == 0) commit();
  }
  PrintCatalogue(name, CpuSeconds() - cpu, MonotonicNanoseconds() - started, path);
}

void BenchCatalogues(const std::string& path) {
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path + "/own");
  {
    Catalogue own(PosixFiles(), path + "/own");
    std::vector<std::string> batch;
    TimeCatalogue(
        "own file", path + "/own", [&](std::size_t i) { batch.push_back(Entry(i)); },
        [&] {
          Require(own.Append(batch));
          if (const auto done = own.Sync(); !done) Require(done.error());
          batch.clear();
        });
  }
  std::filesystem::create_directories(path + "/sqlite");
  sqlite3* db = nullptr;
  sqlite3_open((path + "/sqlite/db").c_str(), &db);
  sqlite3_exec(
      db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE c(id INTEGER PRIMARY KEY, e BLOB); BEGIN",
      nullptr, nullptr, nullptr);
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(db, "INSERT INTO c(e) VALUES(?)", -1, &insert, nullptr);
  TimeCatalogue(
      "SQLite, WAL, FULL", path + "/sqlite",
      [&](std::size_t i) {
        const std::string entry = Entry(i);
        sqlite3_bind_blob(insert, 1, entry.data(), static_cast<int>(entry.size()), SQLITE_STATIC);
        sqlite3_step(insert);
        sqlite3_reset(insert);
      },
      [&] { sqlite3_exec(db, "COMMIT; BEGIN", nullptr, nullptr, nullptr); });
  sqlite3_finalize(insert);
  sqlite3_close(db);
  rocksdb::DB* rocks = nullptr;
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB::Open(options, path + "/rocksdb", &rocks);
  rocksdb::WriteBatch batch;
  rocksdb::WriteOptions sync;
  sync.sync = true;
  TimeCatalogue(
      "RocksDB, sync", path + "/rocksdb", [&](std::size_t i) { batch.Put(fmt::format("{:08x}", i), Entry(i)); },
      [&] {
        rocks->Write(sync, &batch);
        batch.Clear();
      });
  delete rocks;
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace wiregauge::store

int main(int argc, char** argv) {
  using namespace wiregauge::store;
  const std::string path = argc > 1 ? argv[1] : "/tmp/wiregauge_store_bench";
  const std::size_t series = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 100'000;
  const std::size_t ticks = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 480;
  BenchIngest(path, series, ticks, Durability::kAlways, "always");
  BenchIngest(path, series, ticks, Durability::kNone, "none");
  BenchReplay(path, series, std::min<std::size_t>(ticks, 40));
  if (argc <= 4) BenchCatalogues(path);
  std::filesystem::remove_all(path);
}
