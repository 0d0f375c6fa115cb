// Writers of new and known series, readers and a store that fails now and then, all at once; run it under tsan.
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "remote_write/encode/dictionary.h"
#include "remote_write/encode/fake_store.h"
#include "remote_write/receive/remote_write_v1.h"
#include "remote_write/receive/request_builder.h"

namespace wiregauge::encode {
namespace {

constexpr int kWriters = 4;
constexpr int kRequests = 60;
constexpr int kSeriesARequest = 40;
constexpr receive::TimeWindow kWindow{0, 1LL << 60};

std::string Request(std::mt19937_64& random) {
  std::vector<std::string> series;
  for (int i = 0; i < kSeriesARequest; ++i) {
    const receive::testing::Labels labels = {{"__name__", "m" + std::to_string(random() % 20)},
                                             {"a", std::to_string(random() % 10)},
                                             {"b", std::to_string(random() % 10)}};
    series.push_back(receive::testing::SeriesMessage(
        labels, {receive::testing::At(static_cast<std::int64_t>(random() % 100000), 1)}));
  }
  return receive::testing::RequestMessage(series);
}

// What a restart would see after each batch: no sample may name a series that its log has not described.
class OrderCheckingStore : public testing::FakeStore {
 public:
  OrderCheckingStore() {
    on_append = [this](const store::Batch& batch) -> Status {
      const std::lock_guard lock(check_mutex_);
      if (++appends_ % 13 == 0) return Error{Code::kUnavailable, "now and then"};
      for (const std::string& entry : batch.catalogue) EXPECT_TRUE(restored_.Restore(AsBytes(entry)).has_value());
      const auto known = restored_.GetStats().series;
      for (const auto& sample : batch.samples) EXPECT_LE(sample.series, known);
      return {};
    };
  }
  Dictionary& restored() { return restored_; }

 private:
  std::mutex check_mutex_;
  int appends_ = 0;
  Dictionary restored_;
};

void WriteRequests(Dictionary& dictionary, store::Store& store, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  receive::WriteRequest request;
  EncodedRequest encoded;
  for (int i = 0; i < kRequests; ++i) {
    const std::string message = Request(random);
    ASSERT_TRUE(receive::DecodeV1(AsBytes(message), kWindow, request).has_value());
    bool written = false;
    while (!written) {
      ASSERT_TRUE(dictionary.Encode(request, encoded).has_value());
      ASSERT_EQ(encoded.batch.samples.size(), static_cast<std::size_t>(kSeriesARequest));
      written = dictionary.Write(store, encoded).has_value();
    }
  }
}

TEST(DictionaryThreads, EntriesAreDurableBeforeTheirSamples) {
  Dictionary dictionary;
  OrderCheckingStore store;
  std::atomic<bool> done = false;
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] { WriteRequests(dictionary, store, static_cast<std::uint64_t>(w)); });
    }
    std::jthread reader([&] {
      const std::vector<Matcher> matchers = {*Matcher::Compile(MatchType::kRegex, "a", "[1-5]"),
                                             *Matcher::Compile(MatchType::kNotEqual, "b", "3")};
      while (!done) {
        for (const store::SeriesId id : dictionary.Select(matchers)) {
          const auto labels = dictionary.LabelsOf(id);
          ASSERT_TRUE(matchers[0].Matches(labels[1].value) && matchers[1].Matches(labels[2].value));
        }
        ASSERT_LE(dictionary.LabelValues("a", nullptr).size(), 10u);
      }
    });
    for (auto& writer : writers) writer.join();
    done = true;
  }
  const auto stats = dictionary.GetStats();
  ASSERT_EQ(store.restored().GetStats().series, stats.series);
  std::set<std::vector<std::string>> distinct;
  for (store::SeriesId id = 1; id <= stats.series; ++id) {
    const auto labels = dictionary.LabelsOf(id);
    ASSERT_EQ(labels, store.restored().LabelsOf(id));
    distinct.insert({std::string(labels[0].value), std::string(labels[1].value), std::string(labels[2].value)});
  }
  EXPECT_EQ(distinct.size(), stats.series) << "one label set under two ids";
}

}  // namespace
}  // namespace wiregauge::encode
