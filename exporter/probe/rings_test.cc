#include "exporter/probe/rings.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bpf/wire.h"

namespace wiregauge::probe {
namespace {

// The kernel's end of a ring, on plain memory. Data is written to both mappings.
class Producer {
 public:
  static constexpr std::size_t kSize = 4096;

  Ring MakeRing() { return Ring(&consumer_, &producer_, data_.data(), kSize); }

  // Returns the record's position, for Commit.
  std::uint64_t Reserve(std::uint64_t time_ns, std::uint8_t tag, std::size_t room = 0) {
    const auto size = static_cast<std::uint32_t>(sizeof(wg_header) + room);
    if (producer_ - consumer_ + 8 + size > kSize) return kNoRoom;
    wg_header header{};
    header.kind = tag;
    header.time_ns = time_ns;
    const std::uint64_t at = producer_;
    Put(at, size | 1U << 31);
    for (std::size_t i = 0; i < sizeof(header); ++i)
      PutByte(at + 8 + i, reinterpret_cast<const std::uint8_t*>(&header)[i]);
    producer_ += (8 + size + 7) & ~std::uint64_t{7};
    return at;
  }
  void Commit(std::uint64_t at, bool discard = false) {
    std::uint32_t length = 0;
    std::memcpy(&length, &data_[at % kSize], sizeof(length));
    Put(at, (length & ~(1U << 31)) | (discard ? 1U << 30 : 0));
  }
  void Submit(std::uint64_t time_ns, std::uint8_t tag) { Commit(Reserve(time_ns, tag)); }
  [[nodiscard]] bool drained() const { return consumer_ == producer_; }

  static constexpr std::uint64_t kNoRoom = ~std::uint64_t{0};

 private:
  void PutByte(std::uint64_t at, std::uint8_t byte) { data_[at % kSize] = data_[kSize + at % kSize] = byte; }
  void Put(std::uint64_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < sizeof(value); ++i) PutByte(at + i, static_cast<std::uint8_t>(value >> (8 * i)));
  }

  std::uint64_t consumer_ = 0;
  std::uint64_t producer_ = 0;
  alignas(8) std::vector<std::uint8_t> data_ = std::vector<std::uint8_t>(2 * kSize);
};

std::string Take(RingMerge& merge, std::size_t most = 1'000) {
  std::string tags;
  merge.Consume(most, [&tags](Bytes bytes) { tags.push_back(static_cast<char>(bytes[0])); });
  return tags;
}

TEST(Rings, OneRingKeepsItsOrder) {
  Producer producer;
  RingMerge merge;
  merge.Add(producer.MakeRing());
  EXPECT_EQ(Take(merge), "");
  producer.Submit(2, 'a');
  producer.Submit(1, 'b');  // a nested interrupt took its time later and its room first
  EXPECT_EQ(Take(merge), "ab");
  EXPECT_TRUE(producer.drained());
}

TEST(Rings, SeveralAreMergedByTime) {
  Producer one;
  Producer two;
  RingMerge merge;
  merge.Add(one.MakeRing());
  merge.Add(two.MakeRing());
  one.Submit(1, 'a');
  one.Submit(4, 'd');
  two.Submit(2, 'b');
  two.Submit(3, 'c');
  two.Submit(5, 'e');
  EXPECT_EQ(Take(merge, 2), "ab");
  EXPECT_EQ(Take(merge), "cde");
  EXPECT_TRUE(one.drained() && two.drained());
}

TEST(Rings, WaitsForARecordThatIsBeingWritten) {
  Producer one;
  Producer two;
  RingMerge merge;
  merge.Add(one.MakeRing());
  merge.Add(two.MakeRing());
  const std::uint64_t open = one.Reserve(1, 'a');
  two.Submit(2, 'b');
  EXPECT_EQ(Take(merge), "") << "b may be the answer to a";
  one.Commit(open);
  EXPECT_EQ(Take(merge), "ab");
}

TEST(Rings, DiscardedRecordsArePassedOver) {
  Producer producer;
  RingMerge merge;
  merge.Add(producer.MakeRing());
  producer.Commit(producer.Reserve(1, 'x'), true);
  producer.Submit(2, 'a');
  producer.Commit(producer.Reserve(3, 'y'), true);
  EXPECT_EQ(Take(merge), "a");
  EXPECT_TRUE(producer.drained());
}

TEST(Rings, GoesAroundManyTimes) {
  Producer one;
  Producer two;
  RingMerge merge;
  merge.Add(one.MakeRing());
  merge.Add(two.MakeRing());
  std::mt19937 random(7);
  std::string written;
  std::string read;
  for (std::uint64_t time = 1; written.size() < 20'000; ++time) {
    Producer& producer = random() % 2 == 0 ? one : two;
    const auto tag = static_cast<std::uint8_t>('a' + time % 26);
    const std::uint64_t at = producer.Reserve(time, tag, random() % 300);
    if (at == Producer::kNoRoom) {
      read += Take(merge);
      continue;
    }
    producer.Commit(at);
    written.push_back(static_cast<char>(tag));
    if (random() % 8 == 0) read += Take(merge, random() % 5);
  }
  read += Take(merge);
  EXPECT_EQ(read, written);
}

}  // namespace
}  // namespace wiregauge::probe
