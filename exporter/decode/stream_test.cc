#include "exporter/decode/stream.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wiregauge::decode {
namespace {

// Writes down what a stream tells: bytes as they are, gaps as "<length tail>".
class Script final : public StreamSink {
 public:
  void OnBytes(Bytes bytes, std::uint64_t time_ns) override {
    text += AsText(bytes);
    times.push_back(time_ns);
  }
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t) override {
    text += "<" + std::to_string(length) + " " + std::string(AsText(tail)) + ">";
  }

  std::string text;
  std::vector<std::uint64_t> times;
};

struct Feed {
  explicit Feed(std::optional<std::uint32_t> first_seq) : stream(first_seq) {}

  void Push(std::uint32_t seq, std::string_view text, bool may_hold = true) {
    Cut(seq, text, text.size(), 8, may_hold);
  }
  void Cut(std::uint32_t seq, std::string_view text, std::size_t captured, std::size_t tail, bool may_hold = true) {
    probe::DataRecord record;
    record.time_ns = ++time_ns;
    record.seq = seq;
    record.length = static_cast<std::uint32_t>(text.size());
    record.captured = AsBytes(text.substr(0, captured));
    if (captured < text.size()) record.tail = AsBytes(text.substr(text.size() - tail));
    stream.Push(record, may_hold, budget, script);
  }

  std::uint64_t time_ns = 0;
  MemoryBudget budget;
  Script script;
  Stream stream;
};

// All cases run at 0 and across the wrap of the sequence numbers.
class StreamAt : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Seq, StreamAt, testing::Values(0u, 0x7ffffffeu, 0xfffffffeu, 0xfffffff0u));

TEST_P(StreamAt, InOrder) {
  const std::uint32_t s = GetParam();
  Feed feed(s);
  feed.Push(s, "abc");
  feed.Push(s + 3, "");
  feed.Push(s + 3, "defgh");
  feed.Push(s + 8, "i");
  EXPECT_EQ(feed.script.text, "abcdefghi");
  EXPECT_FALSE(feed.stream.waiting());
}

TEST_P(StreamAt, StartsAnywhereMidStream) {
  Feed feed(std::nullopt);
  feed.Push(GetParam(), "abc");
  feed.Push(GetParam() + 3, "def");
  EXPECT_EQ(feed.script.text, "abcdef");
}

TEST_P(StreamAt, RetransmissionsAndOverlapsAreToldOnce) {
  const std::uint32_t s = GetParam();
  Feed feed(s);
  feed.Push(s, "abcd");
  feed.Push(s, "abcd");
  feed.Push(s + 1, "bc");
  feed.Push(s - 1, "?");  // a keep-alive probe
  feed.Push(s + 2, "cdef");
  feed.Push(s - 3, "???abcdefgh");
  EXPECT_EQ(feed.script.text, "abcdefgh");
}

TEST_P(StreamAt, OutOfOrderPiecesWait) {
  const std::uint32_t s = GetParam();
  Feed feed(s);
  feed.Push(s + 6, "gh");
  feed.Push(s + 2, "cd");
  EXPECT_EQ(feed.script.text, "");
  EXPECT_TRUE(feed.stream.waiting());
  EXPECT_EQ(feed.stream.waiting_since_ns(), 1u);
  EXPECT_GT(feed.budget.used(), 0u);
  feed.Push(s, "ab");
  EXPECT_EQ(feed.script.text, "abcd");
  EXPECT_TRUE(feed.stream.waiting());
  feed.Push(s + 3, "def");  // overlaps what was told and ends at what waits
  EXPECT_EQ(feed.script.text, "abcdefgh");
  EXPECT_FALSE(feed.stream.waiting());
  EXPECT_EQ(feed.budget.used(), 0u);
  EXPECT_THAT(feed.script.times, testing::ElementsAre(3u, 2u, 4u, 1u)) << "each piece keeps its own time";
}

TEST_P(StreamAt, HeldPiecesMayOverlap) {
  const std::uint32_t s = GetParam();
  Feed feed(s);
  feed.Push(s + 2, "cdef");
  feed.Push(s + 4, "efgh");
  feed.Push(s + 2, "cd");
  feed.Push(s + 2, "cdefghij");
  feed.Push(s, "abc");
  EXPECT_EQ(feed.script.text, "abcdefghij");
  EXPECT_FALSE(feed.stream.waiting());
}

TEST_P(StreamAt, HolesGivenUpAreGaps) {
  const std::uint32_t s = GetParam();
  Feed feed(s);
  feed.Push(s + 5, "fg");
  feed.Push(s + 9, "jk");
  feed.Push(s + 1, "bc");
  feed.stream.GiveUpHoles(feed.script);
  EXPECT_EQ(feed.script.text, "<1 >bc<2 >fg<2 >jk");
  feed.Push(s, "abcdefghijklm");  // what filled the holes came too late
  EXPECT_EQ(feed.script.text, "<1 >bc<2 >fg<2 >jklm");
  EXPECT_EQ(feed.budget.used(), 0u);
}

TEST_P(StreamAt, WithoutHoldingAHoleIsAGapAtOnce) {
  const std::uint32_t s = GetParam();
  Feed feed(s);
  feed.Push(s + 2, "cd", false);
  feed.Push(s, "abcdef", false);
  EXPECT_EQ(feed.script.text, "<2 >cdef");
}

TEST_P(StreamAt, HoldingEndsWhenItIsNotAllowedAnyMore) {
  const std::uint32_t s = GetParam();
  Feed feed(s);
  feed.Push(s + 2, "cd", true);
  feed.Push(s + 6, "gh", false);
  EXPECT_EQ(feed.script.text, "<2 >cd<2 >gh");
  EXPECT_FALSE(feed.stream.waiting());
}

TEST_P(StreamAt, BytesThatAreNotCapturedAreAGapWithATail) {
  const std::uint32_t s = GetParam();
  Feed feed(s);
  feed.Cut(s, "abcdefghijklmnop", 3, 8);
  EXPECT_EQ(feed.script.text, "abc<13 ijklmnop>");
  feed.Cut(s + 14, "opqrstuv", 4, 4);  // two bytes were told
  EXPECT_EQ(feed.script.text, "abc<13 ijklmnop>qr<4 stuv>");
  feed.Cut(s + 20, "uvwxyz", 0, 6);  // the beginning of the tail was told too
  EXPECT_EQ(feed.script.text, "abc<13 ijklmnop>qr<4 stuv><4 wxyz>");
}

TEST_P(StreamAt, ATailThatReachesIntoWhatIsCapturedIsCut) {
  const std::uint32_t s = GetParam();
  Feed feed(s);
  feed.Cut(s, "abcdefghij", 7, 8);
  EXPECT_EQ(feed.script.text, "abcdefg<3 hij>");
}

TEST_P(StreamAt, JumpsOverMoreThanAWindowAreGaps) {
  const std::uint32_t s = GetParam();
  Feed feed(s);
  feed.Push(s + 1, "b");
  feed.Push(s + 0xb0000000u, "x");  // 2.75 GiB further: not a retransmission
  EXPECT_EQ(feed.script.text, "<1 >b<2952790014 >x");
  EXPECT_FALSE(feed.stream.waiting());
}

TEST(Stream, HoldsUpToItsLimitOfPieces) {
  for (const std::size_t pieces : {Stream::kHeldPiecesMax - 1, Stream::kHeldPiecesMax, Stream::kHeldPiecesMax + 1}) {
    Feed feed(0);
    std::string want = "<1 >";
    for (std::size_t i = 0; i < pieces; ++i) {
      feed.Push(static_cast<std::uint32_t>(1 + i), "x");
      want += "x";
    }
    EXPECT_EQ(feed.script.text, pieces > Stream::kHeldPiecesMax ? want : "") << pieces;
    feed.stream.GiveUpHoles(feed.script);
    EXPECT_EQ(feed.script.text, want) << pieces;
    EXPECT_EQ(feed.budget.used(), 0u);
  }
}

TEST(Stream, HoldsUpToItsLimitOfBytes) {
  for (const std::size_t bytes : {Stream::kHeldBytesMax - 1, Stream::kHeldBytesMax, Stream::kHeldBytesMax + 1}) {
    Feed feed(0);
    const std::string text(bytes - 4096, 'x');
    feed.Push(1, text.substr(0, 4096));
    feed.Push(4097, text);
    EXPECT_EQ(feed.stream.waiting(), bytes <= Stream::kHeldBytesMax) << bytes;
    feed.stream.GiveUpHoles(feed.script);
    EXPECT_EQ(feed.script.text.size(), 4 + bytes) << bytes;
  }
}

TEST(Stream, ASegmentThatWasOvertakenFillsItsHole) {
  constexpr std::uint32_t kOvertaken = 16'402;  // two frames of HTTP/2, behind them a dozen segments of 64 KiB
  Feed feed(0);
  const std::string piece(4'096, 'x');
  const std::uint32_t pieces = 12 * 16;
  for (std::uint32_t i = 0; i < pieces; ++i) feed.Push(kOvertaken + i * 4'096, piece);
  EXPECT_EQ(feed.script.text, "");
  feed.Push(0, std::string(kOvertaken, 'o'));
  EXPECT_EQ(feed.script.text.size(), kOvertaken + pieces * piece.size());
  EXPECT_EQ(feed.script.text.find('<'), std::string::npos);  // no gap
  EXPECT_EQ(feed.budget.used(), 0u);
}

TEST(Stream, GivesUpTheOldestHoleFirst) {
  Feed feed(0);
  for (std::uint32_t i = 0; i < Stream::kHeldPiecesMax + 1; ++i) feed.Push(2 * i + 1, "x");
  EXPECT_EQ(feed.script.text, "<1 >x");
  EXPECT_TRUE(feed.stream.waiting());
}

TEST(Stream, WithoutBudgetNothingIsHeld) {
  Feed feed(0);
  feed.budget = MemoryBudget(300);
  feed.Push(2, "c");
  EXPECT_TRUE(feed.stream.waiting());
  feed.Push(5, std::string(400, 'x'));
  EXPECT_EQ(feed.script.text, "<2 >c<2 >" + std::string(400, 'x'));
  EXPECT_FALSE(feed.stream.waiting());
  EXPECT_EQ(feed.budget.used(), 0u);
}

TEST(Stream, GivesItsBudgetBackWhenItDies) {
  MemoryBudget budget;
  {
    Stream stream(0);
    Script script;
    probe::DataRecord record{.seq = 5, .length = 1};
    stream.Push(record, true, budget, script);
    EXPECT_GT(budget.used(), 0u);
  }
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace wiregauge::decode
