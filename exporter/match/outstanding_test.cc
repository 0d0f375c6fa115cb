#include "exporter/match/outstanding.h"

#include <deque>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace wiregauge::match {
namespace {

decode::Trace TraceOf(std::size_t number) {
  decode::Trace trace;
  trace.trace_id.fill(static_cast<std::uint8_t>(number));
  trace.span_id.fill(static_cast<std::uint8_t>(number >> 8));
  return trace;
}

// The same operations on a deque, 20,000 of them: growing, moving to the front and draining all happen.
TEST(Outstanding, IsAQueue) {
  constexpr unsigned kSeed = 20261120;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::minstd_rand random(kSeed);
  decode::MemoryBudget budget;
  Outstanding queue(budget);
  std::deque<std::string> want;
  unsigned long push_percent = 60;
  for (int i = 0; i < 20'000; ++i) {
    if (i % 500 == 0) push_percent = 30 + random() % 40;
    if (random() % 100 < push_percent) {
      const std::string path(random() % 300, static_cast<char>('a' + random() % 26));
      Outstanding::Entry entry;
      entry.start_ns = path.size();
      ASSERT_TRUE(queue.Push(entry, path));
      want.push_back(path);
      if (path.size() % 3 == 0) queue.AddTrace(TraceOf(path.size()));
      if (path.size() % 21 == 0) queue.AddTrace(TraceOf(path.size()));
      if (random() % 4 == 0 && queue.NextWithDeadline() != nullptr) queue.PassDeadline();
    } else if (!want.empty()) {
      queue.PopFront();
      want.pop_front();
    }
    ASSERT_EQ(queue.size(), want.size());
    if (want.empty()) continue;
    ASSERT_EQ(queue.front().path(), want.front());
    ASSERT_EQ(queue.front().start_ns, want.front().size());
    ASSERT_EQ(queue.back().path(), want.back());
    for (const Outstanding::Entry* entry : {&queue.front(), &queue.back()}) {
      const std::size_t size = entry->path().size();
      ASSERT_EQ(entry->trace() != nullptr, size % 3 == 0 && size % 21 != 0);
      ASSERT_TRUE(entry->trace() == nullptr || *entry->trace() == TraceOf(size));
    }
  }
  queue.Release();
  EXPECT_EQ(budget.used(), 0u);
}

TEST(Outstanding, ATraceGivesNoDeadlineBack) {
  decode::MemoryBudget budget;
  Outstanding queue(budget);
  ASSERT_TRUE(queue.Push({}, "/a"));
  queue.PassDeadline();
  queue.AddTrace(TraceOf(1));
  EXPECT_EQ(queue.NextWithDeadline(), nullptr);
  ASSERT_TRUE(queue.Push({}, "/b"));
  ASSERT_NE(queue.NextWithDeadline(), nullptr);
  EXPECT_EQ(queue.NextWithDeadline()->path(), "/b");
}

TEST(Outstanding, HoldsUpToItsNumberOfRequests) {
  decode::MemoryBudget budget;
  Outstanding queue(budget);
  for (std::uint32_t i = 0; i < Outstanding::kRequestsMax; ++i) ASSERT_TRUE(queue.Push({}, "/"));
  EXPECT_FALSE(queue.Push({}, "/"));
  EXPECT_EQ(queue.size(), Outstanding::kRequestsMax);
  queue.PopFront();
  EXPECT_TRUE(queue.Push({}, "/"));
}

TEST(Outstanding, HoldsUpToItsNumberOfBytes) {
  decode::MemoryBudget budget;
  Outstanding queue(budget);
  const std::string path(1'000, 'p');
  std::uint32_t pushed = 0;
  while (queue.Push({}, path)) ++pushed;
  const std::uint32_t entry_bytes = 1'000 + sizeof(Outstanding::Entry);
  EXPECT_EQ(pushed, Outstanding::kBytesMax / entry_bytes);
  EXPECT_LE(budget.used(), 2 * Outstanding::kBytesMax);
  for (; pushed > 0; --pushed) queue.PopFront();
  EXPECT_EQ(budget.used(), 0u) << "an empty queue keeps a small block only";
}

TEST(Outstanding, StopsAtTheSharedBudget) {
  decode::MemoryBudget budget(4'000);
  Outstanding queue(budget);
  std::uint32_t pushed = 0;
  while (queue.Push({}, "/")) ++pushed;
  EXPECT_GE(pushed, Outstanding::kBytesKept / 40);
  EXPECT_LE(budget.used(), 4'000u);
  EXPECT_EQ(queue.size(), pushed);
  EXPECT_EQ(queue.back().path(), "/");
}

TEST(Outstanding, DeadlinesPassInOrder) {
  decode::MemoryBudget budget;
  Outstanding queue(budget);
  EXPECT_EQ(queue.NextWithDeadline(), nullptr);
  for (const std::string_view path : {"/0", "/1", "/2"}) ASSERT_TRUE(queue.Push({}, path));
  EXPECT_EQ(queue.NextWithDeadline()->path(), "/0");
  queue.PassDeadline();
  EXPECT_EQ(queue.NextWithDeadline()->path(), "/1");
  queue.PopFront();  // "/0" has none any more
  EXPECT_EQ(queue.NextWithDeadline()->path(), "/1");
  queue.PopFront();  // answered before its deadline
  EXPECT_EQ(queue.NextWithDeadline()->path(), "/2");
  queue.PassDeadline();
  EXPECT_EQ(queue.NextWithDeadline(), nullptr);
  ASSERT_TRUE(queue.Push({}, std::string(2'000, 'x')));  // moves the block
  EXPECT_EQ(queue.NextWithDeadline()->path().size(), 2'000u);
  queue.Clear();
  EXPECT_EQ(queue.NextWithDeadline(), nullptr);
}

}  // namespace
}  // namespace wiregauge::match
