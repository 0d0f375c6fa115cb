#include "remote_write/store/head.h"

#include <algorithm>
#include <limits>

namespace wiregauge::store {
namespace {

constexpr auto kEarliest = std::numeric_limits<std::int64_t>::min();
constexpr auto kLatest = std::numeric_limits<std::int64_t>::max();

void KeepSmaller(std::atomic<std::int64_t>& kept, std::int64_t value) {
  std::int64_t now = kept.load(std::memory_order_relaxed);
  while (value < now && !kept.compare_exchange_weak(now, value)) {
  }
}
void KeepLarger(std::atomic<std::int64_t>& kept, std::int64_t value) {
  std::int64_t now = kept.load(std::memory_order_relaxed);
  while (value > now && !kept.compare_exchange_weak(now, value)) {
  }
}

}  // namespace

Head::Head() : root_{}, first_ms_(kLatest), last_ms_(kEarliest) {}

Head::~Head() {
  for (auto& slot : root_) {
    const std::unique_ptr<Middle> middle(slot.load());
    if (middle == nullptr) continue;
    for (auto& page : *middle) delete page.load();
  }
}

HeadPage& Head::PageFor(SeriesId series) {
  if (const HeadPage* found = FindPage(series)) return const_cast<HeadPage&>(*found);
  const std::lock_guard lock(create_mutex_);
  auto& root = root_[series >> (kMiddleBits + kPageSeriesBits)];
  if (root.load() == nullptr) root.store(new Middle{});
  auto& slot = (*root.load())[(series >> kPageSeriesBits) & (kMiddlePages - 1)];
  if (slot.load() == nullptr) {
    slot.store(new HeadPage);
    bytes_.fetch_add(sizeof(HeadPage), std::memory_order_relaxed);
  }
  return *slot.load();
}

const HeadPage* Head::FindPage(SeriesId series) const {
  const Middle* middle = root_[series >> (kMiddleBits + kPageSeriesBits)].load(std::memory_order_acquire);
  if (middle == nullptr) return nullptr;
  return (*middle)[(series >> kPageSeriesBits) & (kMiddlePages - 1)].load(std::memory_order_acquire);
}

void Head::Insert(std::span<const SeriesSample> samples) {
  Widen(samples);
  while (!samples.empty()) {
    // Neighbours in a batch mostly share a page, and so a lock.
    const SeriesId page = samples[0].series >> kPageSeriesBits;
    std::size_t run = 1;
    while (run < samples.size() && samples[run].series >> kPageSeriesBits == page) ++run;
    const HeadPage::Growth growth = PageFor(samples[0].series).Insert(samples.first(run));
    bytes_.fetch_add(growth.bytes, std::memory_order_relaxed);
    samples_.fetch_add(growth.samples, std::memory_order_relaxed);
    series_.fetch_add(growth.series, std::memory_order_relaxed);
    if (growth.conflicts > 0) conflicts_.fetch_add(growth.conflicts, std::memory_order_relaxed);
    samples = samples.subspan(run);
  }
}

void Head::Widen(std::span<const SeriesSample> samples) {
  std::int64_t first = kLatest;
  std::int64_t last = kEarliest;
  for (const SeriesSample& each : samples) {
    first = std::min(first, each.sample.timestamp_ms);
    last = std::max(last, each.sample.timestamp_ms);
  }
  KeepSmaller(first_ms_, first);
  KeepLarger(last_ms_, last);
}

void Head::Collect(SeriesId series, std::int64_t first_ms, std::int64_t last_ms, std::vector<Sample>& out) const {
  if (!MayHave(series, first_ms, last_ms)) return;
  const std::size_t start = out.size();
  FindPage(series)->Collect(series & (kPageSeries - 1), out);
  const auto outside = [&](const Sample& each) { return each.timestamp_ms < first_ms || each.timestamp_ms > last_ms; };
  out.erase(std::remove_if(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(), outside), out.end());
}

bool Head::MayHave(SeriesId series, std::int64_t first_ms, std::int64_t last_ms) const {
  if (series > kSeriesIdMax || last_ms < this->first_ms() || first_ms > this->last_ms()) return false;
  const HeadPage* page = FindPage(series);
  return page != nullptr && page->MayReach(series & (kPageSeries - 1), first_ms);
}

Status Head::ForEachSeries(const std::function<Status(SeriesId, std::vector<Sample>&)>& visit) const {
  std::vector<Sample> samples;
  for (std::size_t number = 0; number < kRootSize << kMiddleBits; ++number) {
    const auto first = static_cast<SeriesId>(number << kPageSeriesBits);
    if (number % kMiddlePages == 0 && root_[number >> kMiddleBits].load() == nullptr) {
      number += kMiddlePages - 1;
      continue;
    }
    const HeadPage* page = FindPage(first);
    for (std::size_t slot = 0; page != nullptr && slot < kPageSeries; ++slot) {
      samples.clear();
      page->Collect(slot, samples);
      if (samples.empty()) continue;
      if (auto done = visit(static_cast<SeriesId>(first + slot), samples); !done) return done;
    }
  }
  return {};
}

void Head::Leave() {
  if (writers_.fetch_sub(1) == 1) writers_.notify_all();
}

void Head::WaitForWriters() const {
  for (std::uint32_t writers = writers_.load(); writers != 0; writers = writers_.load()) writers_.wait(writers);
}

}  // namespace wiregauge::store
