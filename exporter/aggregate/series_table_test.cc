#include "exporter/aggregate/series_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>

namespace wiregauge::aggregate {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint32_t kOther = 0xffffffff;

// route is open-ended, status is not.
struct Key {
  identity::ServiceId service = 0;
  std::uint32_t route = 0;
  std::uint32_t status = 0;

  auto operator<=>(const Key&) const = default;
  [[nodiscard]] std::size_t Hash() const { return service * 31U + route * 7U + status; }
  [[nodiscard]] Key Collapsed() const { return {service, kOther, status}; }
  [[nodiscard]] Key Total() const { return {service, kOther, kOther}; }
};
using Table = SeriesTable<Key, std::uint64_t>;

std::map<Key, std::uint64_t> Values(Table& table) {
  std::map<Key, std::uint64_t> values;
  table.ForEach([&](const Key& key, std::uint64_t value) { values[key] = value; });
  return values;
}

std::uint64_t Sum(Table& table) {
  std::uint64_t sum = 0;
  table.ForEach([&](const Key&, std::uint64_t value) { sum += value; });
  return sum;
}

TEST(SeriesTable, BelowItsBudgetsEachKeyIsItself) {
  Table table({.family_max = 100, .service_max = 3});
  for (std::uint32_t route = 0; route < 3; ++route) table.At({7, route, 200}, 1) += 1;
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(table.overflow_total(), 0U);
}

TEST(SeriesTable, OverTheServiceBudgetOnlyOpenEndedLabelsGo) {
  Table table({.family_max = 100, .service_max = 3});
  for (std::uint32_t route = 0; route < 10; ++route) table.At({7, route, 200 + route % 2}, 1) += 1;
  const auto values = Values(table);
  EXPECT_EQ(values.size(), 5U);
  EXPECT_EQ(values.at({7, kOther, 200}), 3U);
  EXPECT_EQ(values.at({7, kOther, 201}), 4U);
  EXPECT_EQ(table.overflow_total(), 7U);
  table.At({7, 0, 200}, 1) += 1;  // what is there stays itself
  EXPECT_EQ(Values(table).at({7, 0, 200}), 2U);
  table.At({8, 0, 200}, 1) += 1;  // another service has its own budget
  EXPECT_EQ(Values(table).at({8, 0, 200}), 1U);
  EXPECT_EQ(Sum(table), 12U);
}

TEST(SeriesTable, WhenCollapsedSeriesAreTooManyTheTotalStaysExact) {
  constexpr std::uint32_t kServiceMax = 3;
  Table table({.family_max = 1'000, .service_max = kServiceMax});
  for (std::uint32_t route = 0; route < kServiceMax; ++route) table.At({7, route, 0}, 1) += 1;
  for (std::uint32_t status = 1; status <= kCollapsedMax; ++status) table.At({7, 99, status}, 1) += 1;
  EXPECT_EQ(table.size(), kServiceMax + kCollapsedMax);
  table.At({7, 99, 5000}, 1) += 1;
  table.At({7, 99, 5001}, 1) += 1;
  EXPECT_EQ(table.size(), kServiceMax + kCollapsedMax + 1);
  EXPECT_EQ(Values(table).at({7, kOther, kOther}), 2U);
  EXPECT_EQ(Sum(table), kServiceMax + kCollapsedMax + 2);
  EXPECT_EQ(table.overflow_total(), kCollapsedMax + 2);
}

TEST(SeriesTable, WhenTheFamilyIsFullServicesKeepTotalsThenShareOne) {
  constexpr std::uint32_t kFamilyMax = 50;
  Table table({.family_max = kFamilyMax, .service_max = 10});
  constexpr std::uint32_t kServices = kFamilyMax + kTotalsMax + 20;
  for (std::uint32_t service = 2; service < 2 + kServices; ++service) table.At({service, 1, 200}, 1) += 1;
  EXPECT_EQ(table.size(), kFamilyMax + kTotalsMax + 1);
  EXPECT_EQ(Values(table).at({identity::kOtherService, kOther, kOther}), 20U);
  EXPECT_EQ(Sum(table), kServices);
  EXPECT_EQ(table.overflow_total(), kTotalsMax + 20);
  for (std::uint32_t service = 2; service < 2 + kServices; ++service) table.At({service, 2, 200}, 1) += 1;
  EXPECT_EQ(Sum(table), 2 * kServices);
  EXPECT_LE(table.size(), 2 * kTotalsMax);
}

TEST(SeriesTable, AnObservationThatLostALabelBeforeIsCountedOnce) {
  Table table({.family_max = 100, .service_max = 1});
  table.At({7, kOther, 200}, 1, true) += 1;
  EXPECT_EQ(table.overflow_total(), 1U);
  table.At({7, 5, 300}, 1, true) += 1;
  EXPECT_EQ(table.overflow_total(), 2U);
}

TEST(SeriesTable, IdleSeriesGoAndComeBackNew) {
  Table table;
  const auto collect = [&](std::uint64_t now_ns) {
    std::map<Key, std::int64_t> created;
    table.Expire(now_ns);
    table.Collect({now_ns, 1'000'000 + static_cast<std::int64_t>(now_ns / 1'000'000)},
                  [&](const Key& key, const auto& series) { created[key] = series.created_unix_ms; });
    return created;
  };
  const Key key = {7, 1, 200};
  table.At(key, 10 * kSecond) += 5;
  EXPECT_EQ(collect(12 * kSecond).at(key), 1'010'000);
  EXPECT_EQ(collect(10 * kSecond + kSeriesIdleNs - 1).at(key), 1'010'000);  // created never moves
  EXPECT_EQ(collect(10 * kSecond + kSeriesIdleNs).size(), 0U);
  EXPECT_EQ(table.size(), 0U);
  const std::uint64_t later = 20 * kSecond + kSeriesIdleNs;
  EXPECT_EQ(table.At(key, later) += 1, 1U);
  EXPECT_EQ(collect(later + kSecond).at(key), 1'000'000 + static_cast<std::int64_t>(later / 1'000'000));
}

TEST(SeriesTable, WhatWasNeverCollectedIsNotDropped) {
  Table table;
  table.At({7, 1, 200}, kSecond) += 5;
  EXPECT_FALSE(table.Expire(kSecond + 10 * kSeriesIdleNs));
  EXPECT_EQ(Sum(table), 5U);
  table.Collect({kSecond, 1}, [](const Key&, const auto&) {});
  table.At({7, 1, 200}, 2 * kSecond) += 1;  // not collected since
  EXPECT_FALSE(table.Expire(2 * kSecond + 10 * kSeriesIdleNs));
  table.Collect({kSecond, 1}, [](const Key&, const auto&) {});
  EXPECT_TRUE(table.Expire(2 * kSecond + kSeriesIdleNs));
}

TEST(SeriesTable, ExpiryGivesEveryBudgetFree) {
  Table table({.family_max = 3, .service_max = 2});
  const auto fill = [&](std::uint64_t now_ns) {
    for (std::uint32_t i = 0; i < 5; ++i) table.At({7, i, i}, now_ns) += 1;
    for (std::uint32_t i = 0; i < 5; ++i) table.At({8, i, i}, now_ns) += 1;
    return table.size();
  };
  const std::size_t size = fill(kSecond);
  table.Collect({kSecond, 1}, [](const Key&, const auto&) {});
  EXPECT_TRUE(table.Expire(kSecond + kSeriesIdleNs));
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(fill(kSecond + kSeriesIdleNs), size);
}

TEST(SeriesTable, AnEarlierTimeNeverShortensALife) {
  Table table;
  table.At({7, 1, 200}, 100 * kSecond) += 1;
  table.At({7, 1, 200}, 1 * kSecond) += 1;
  table.Collect({100 * kSecond, 1}, [](const Key&, const auto&) {});
  EXPECT_FALSE(table.Expire(1 * kSecond + kSeriesIdleNs));
}

}  // namespace
}  // namespace wiregauge::aggregate
