#include "remote_write/encode/catalogue.h"

#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "remote_write/encode/fake_store.h"

namespace wiregauge::encode {
namespace {

using namespace std::string_literals;

struct Tables {
  Symbols symbols;
  SeriesTable series;
  Status Apply(const std::string& entry) { return ApplyEntry(AsBytes(entry), symbols, series); }
};

std::string OneSeries() {
  EntryWriter writer;
  writer.Name(0, "__name__");
  writer.Value(0, 1, "up");
  writer.Name(1, "job");
  writer.Value(1, 1, "node");
  writer.Shape(0, std::vector<NameId>{0, 1});
  writer.Series(1, 0, std::vector<ValueId>{1, 1});
  return writer.Take();
}

TEST(CatalogueEntry, IsByteForByteWhatTheReadmeSays) {
  EXPECT_EQ(OneSeries(),
            "\x01"
            "N\x00\x08__name__"
            "V\x00\x01\x02up"
            "N\x01\x03job"
            "V\x01\x01\x04node"
            "H\x00\x02\x00\x01"
            "S\x01\x00\x01\x01"s);
}

TEST(CatalogueEntry, AppliesOnceHoweverOftenItIsRead) {
  Tables tables;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(tables.Apply(OneSeries()).has_value());
  EXPECT_EQ(tables.symbols.name_count(), 2u);
  EXPECT_EQ(tables.symbols.value_count(), 2u);
  EXPECT_EQ(tables.series.size(), 1u);
  EXPECT_EQ(tables.symbols.ValuesOf(1).postings[0].size(), 1u);
}

TEST(CatalogueEntry, EveryTruncationIsCorruptOrAPrefix) {
  const std::string entry = OneSeries();
  for (std::size_t cut = 0; cut < entry.size(); ++cut) {
    Tables tables;
    const Status applied = tables.Apply(entry.substr(0, cut));
    if (!applied) {
      EXPECT_EQ(applied.error().code, Code::kCorrupt);
    }
    EXPECT_EQ(tables.series.size(), 0u) << cut;
    EXPECT_TRUE(tables.Apply(entry).has_value()) << "the whole entry after its own prefix of " << cut;
    EXPECT_EQ(tables.series.size(), 1u);
  }
}

TEST(CatalogueEntry, ContradictionsAndGapsAreCorrupt) {
  const auto corrupt = [](const std::function<void(EntryWriter&)>& write) {
    Tables tables;
    EXPECT_TRUE(tables.Apply(OneSeries()).has_value());
    EntryWriter writer;
    write(writer);
    const Status applied = tables.Apply(writer.Take());
    return !applied && applied.error().code == Code::kCorrupt;
  };
  EXPECT_TRUE(corrupt([](auto& w) { w.Name(0, "other"); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Name(3, "gap"); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Name(2, "job"); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Value(0, 1, "other"); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Value(0, 3, "gap"); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Value(0, 0, "zero"); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Value(9, 1, "no such name"); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Value(0, 2, "up"); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Shape(0, std::vector<NameId>{1, 0}); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Shape(2, std::vector<NameId>{0}); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Shape(1, std::vector<NameId>{0, 7}); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Shape(1, std::vector<NameId>{0, 1}); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Series(1, 0, std::vector<ValueId>{1, 0}); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Series(3, 0, std::vector<ValueId>{1, 1}); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Series(2, 0, std::vector<ValueId>{1, 1}); }));
  EXPECT_TRUE(corrupt([](auto& w) { w.Series(2, 5, std::vector<ValueId>{1, 1}); }));
  EXPECT_FALSE(corrupt([](auto& w) { w.Value(0, 2, "down"); }));
  Tables tables;
  EXPECT_FALSE(tables.Apply("").has_value());
  EXPECT_FALSE(tables.Apply("\x02").has_value());
  EXPECT_FALSE(tables.Apply("\x01Z").has_value());
  EXPECT_FALSE(tables.Apply("\x01H\x00\xff\xff\xff\xff\x0f"s).has_value());
}

store::Batch Samples(store::SeriesId series) { return {{}, {{series, {1000, 0}}}}; }

TEST(PendingCatalogue, EntriesGoWithTheFirstBatchThatNeedsThem) {
  testing::FakeStore store;
  PendingCatalogue pending;
  pending.Add("one", 1);
  pending.Add("two", 2);
  store::Batch batch = Samples(1);
  ASSERT_TRUE(pending.Append(store, batch, 1).has_value());
  store::Batch later = Samples(2);
  ASSERT_TRUE(pending.Append(store, later, 2).has_value());
  const auto log = store.Log();
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(log[0].catalogue, (std::vector<std::string>{"one", "two"}));
  EXPECT_TRUE(log[1].catalogue.empty());
}

TEST(PendingCatalogue, AFailedCarrierLeavesTheEntriesToTheNext) {
  testing::FakeStore store;
  store.on_append = [](const store::Batch&) { return Status(Error{Code::kUnavailable, "disk full"}); };
  PendingCatalogue pending;
  pending.Add("one", 1);
  store::Batch batch = Samples(1);
  EXPECT_FALSE(pending.Append(store, batch, 1).has_value());
  store.on_append = nullptr;
  store::Batch again = Samples(1);
  ASSERT_TRUE(pending.Append(store, again, 1).has_value());
  EXPECT_EQ(store.Log().at(0).catalogue, std::vector<std::string>{"one"});
}

TEST(PendingCatalogue, ABatchWaitsForTheCarrierOfWhatItNeeds) {
  testing::FakeStore store;
  std::promise<void> carrier_entered;
  std::promise<void> let_carrier_go;
  std::atomic<int> carriers = 0;
  store.on_append = [&](const store::Batch& batch) -> Status {
    if (!batch.catalogue.empty() && carriers++ == 0) {
      carrier_entered.set_value();
      let_carrier_go.get_future().wait();
      return Error{Code::kIo, "the carrier fails"};
    }
    return {};
  };
  PendingCatalogue pending;
  pending.Add("one", 1);
  std::jthread carrier([&] {
    store::Batch batch = Samples(1);
    EXPECT_FALSE(pending.Append(store, batch, 1).has_value());
  });
  carrier_entered.get_future().wait();
  // A batch of known series passes by; one that needs the entry has to wait, then take over from the failed carrier.
  store::Batch known = Samples(0);
  EXPECT_TRUE(pending.Append(store, known, 0).has_value());
  std::jthread needy([&] {
    store::Batch batch = Samples(1);
    EXPECT_TRUE(pending.Append(store, batch, 1).has_value());
    EXPECT_EQ(batch.catalogue.size(), 2u);
  });
  pending.Add("two", 2);
  let_carrier_go.set_value();
  carrier.join();
  needy.join();
}

TEST(PendingCatalogue, IsFullAtItsBound) {
  PendingCatalogue pending;
  pending.Add(std::string(PendingCatalogue::kMaxPendingBytes, 'x'), 1);
  EXPECT_FALSE(pending.Full());
  pending.Add("x", 2);
  EXPECT_TRUE(pending.Full());
}

}  // namespace
}  // namespace wiregauge::encode
