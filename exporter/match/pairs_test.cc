// OrderedPairs and PairsById: what every protocol's pairing rests on.
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "exporter/match/ordered_pairs.h"
#include "exporter/match/pairs_by_id.h"

namespace wiregauge::match {
namespace {

using Ordered = OrderedPairs<int>;
using ById = PairsById<std::uint32_t, int>;

class OrderedPairsTest : public testing::Test {
 protected:
  bool Ask(int request) { return pairs_.OnRequest({.request = request, .start_ns = 1, .last_byte_ns = 1}, counts_); }
  std::optional<int> Answer() {
    const auto entry = pairs_.OnAnswer(counts_);
    return entry ? std::optional(entry->request) : std::nullopt;
  }

  decode::MemoryBudget budget_{1 << 20};
  ConnectionCounts counts_;
  Ordered pairs_{budget_};
};

TEST_F(OrderedPairsTest, AnswersComeInTheOrderOfRequests) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(Ask(i));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(Answer(), i);
  }
  EXPECT_TRUE(pairs_.empty());
  EXPECT_EQ(budget_.used(), 0u);
  EXPECT_EQ(counts_.unmatched_answers, 0u);
}

TEST_F(OrderedPairsTest, RequestsGrowWhileTheOldestIsNotTheFirstInTheRoom) {
  for (int i = 0; i < 3; ++i) Ask(i);
  Answer();
  for (int i = 3; i < 20; ++i) Ask(i);
  for (int i = 1; i < 20; ++i) EXPECT_EQ(Answer(), i);
}

TEST_F(OrderedPairsTest, AnAnswerToNothingIsCounted) {
  EXPECT_EQ(Answer(), std::nullopt);
  EXPECT_EQ(counts_.unmatched_answers, 1u);
}

TEST_F(OrderedPairsTest, ALateAnswerIsSwallowed) {
  Ask(1);
  Ask(2);
  ASSERT_NE(pairs_.NextWithDeadline(), nullptr);
  EXPECT_EQ(pairs_.NextWithDeadline()->request, 1);
  pairs_.PassDeadline();
  EXPECT_EQ(pairs_.NextWithDeadline()->request, 2);
  EXPECT_EQ(Answer(), std::nullopt);
  EXPECT_EQ(counts_.late_answers, 1u);
  EXPECT_EQ(Answer(), 2);
  EXPECT_EQ(pairs_.NextWithDeadline(), nullptr);
}

TEST_F(OrderedPairsTest, AfterALossNothingIsToldUntilATurnIsEven) {
  Ask(1);
  pairs_.Suspend(counts_);
  EXPECT_EQ(counts_.unpaired_requests, 1u);
  EXPECT_FALSE(Ask(2));
  Answer();  // of 1 or of 2
  Answer();
  EXPECT_FALSE(Ask(3)) << "the turn of the loss does not count";
  Answer();
  EXPECT_TRUE(Ask(4)) << "one request, one answer: the order is certain";
  EXPECT_EQ(Answer(), 4);
  EXPECT_EQ(counts_.unpaired_requests, 3u);
}

TEST_F(OrderedPairsTest, AnUnevenTurnProvesNothing) {
  pairs_.Suspend(counts_);
  Ask(1);
  Answer();
  Ask(2);
  Ask(3);
  Answer();
  EXPECT_FALSE(Ask(4)) << "one answer is missing yet";
}

TEST_F(OrderedPairsTest, OverTheLimitRequestsAreCounted) {
  decode::MemoryBudget budget{64u << 20};
  Ordered pairs(budget);
  for (std::uint32_t i = 0; i < Ordered::kRequestsMax; ++i) ASSERT_TRUE(pairs.OnRequest({}, counts_));
  EXPECT_FALSE(pairs.OnRequest({}, counts_));
  EXPECT_EQ(counts_.evicted_requests, 1u);
  EXPECT_TRUE(pairs.suspended());
}

TEST_F(OrderedPairsTest, TheBudgetBoundsAllConnections) {
  decode::MemoryBudget budget{10 * sizeof(Ordered::Entry)};
  Ordered pairs(budget);
  std::uint32_t kept = 0;
  while (pairs.OnRequest({}, counts_)) ++kept;
  EXPECT_EQ(kept, 8u);
  EXPECT_EQ(budget.used(), 0u) << "given back with what was dropped";
}

TEST_F(OrderedPairsTest, TheEndDrainsWhatWaits) {
  Ask(1);
  Ask(2);
  Ask(3);
  pairs_.PassDeadline();
  std::vector<int> left;
  pairs_.Drain([&left](const Ordered::Entry& entry) { left.push_back(entry.request); });
  EXPECT_EQ(left, (std::vector<int>{2, 3}));
}

class PairsByIdTest : public testing::Test {
 protected:
  bool Ask(std::uint32_t id, int request) {
    return pairs_.OnRequest(id, {.request = request, .start_ns = 1, .last_byte_ns = 1}, replaced_, counts_);
  }

  decode::MemoryBudget budget_{1 << 20};
  ConnectionCounts counts_;
  std::optional<ById::Entry> replaced_;
  ById pairs_{budget_};
};

TEST_F(PairsByIdTest, AnswersComeInAnyOrder) {
  for (std::uint32_t id = 0; id < 100; ++id) EXPECT_TRUE(Ask(id, static_cast<int>(id) + 7));
  for (std::uint32_t id = 100; id-- > 0;) EXPECT_EQ(pairs_.Take(id)->request, static_cast<int>(id) + 7);
  EXPECT_EQ(pairs_.Take(5), std::nullopt);
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(PairsByIdTest, AnIdThatIsTakenGivesTheFirstBack) {
  Ask(1, 10);
  EXPECT_FALSE(replaced_);
  Ask(1, 11);
  ASSERT_TRUE(replaced_);
  EXPECT_EQ(replaced_->request, 10);
  EXPECT_EQ(pairs_.Take(1)->request, 11);
}

TEST_F(PairsByIdTest, TheOldestIsTheFirstThatWaits) {
  for (std::uint32_t id = 0; id < 5; ++id) Ask(id, static_cast<int>(id));
  pairs_.Take(0);
  pairs_.Take(2);
  EXPECT_EQ(pairs_.TakeOldest().first, 1u);
  EXPECT_EQ(pairs_.TakeOldest().first, 3u);
  Ask(3, 33);  // the same id again is another request, and the youngest
  EXPECT_EQ(pairs_.TakeOldest().first, 4u);
  EXPECT_EQ(pairs_.TakeOldest().second.request, 33);
  EXPECT_EQ(pairs_.Oldest(), nullptr);
}

TEST_F(PairsByIdTest, OneThatWaitsLongDoesNotKeepTheDeadlinesOfTheRest) {
  Ask(0, 0);
  for (std::uint32_t id = 1; id < 100'000; ++id) {
    Ask(id, 1);
    pairs_.Take(id);
  }
  EXPECT_EQ(pairs_.Oldest()->request, 0);
  EXPECT_EQ(pairs_.size(), 1u);
}

TEST_F(PairsByIdTest, TheBudgetBoundsAllConnections) {
  decode::MemoryBudget budget{3 * ById::kEntryBytes};
  {
    ById pairs(budget);
    std::uint32_t kept = 0;
    while (pairs.OnRequest(kept, {}, replaced_, counts_)) ++kept;
    EXPECT_EQ(kept, ById::kRequestsKept + 3);
    EXPECT_EQ(counts_.evicted_requests, 1u);
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(PairsByIdTest, TheEndDrainsInOrder) {
  for (std::uint32_t id = 5; id-- > 0;) Ask(id, 0);
  std::vector<std::uint32_t> left;
  pairs_.Drain([&left](std::uint32_t id, const ById::Entry&) { left.push_back(id); });
  EXPECT_EQ(left, (std::vector<std::uint32_t>{4, 3, 2, 1, 0}));
}

}  // namespace
}  // namespace wiregauge::match
