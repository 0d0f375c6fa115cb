// The open streams of one HTTP/2 connection by their number: a bounded hash table in one block of memory. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "exporter/decode/budget.h"
#include "exporter/decode/http2/types.h"

namespace wiregauge::match::http2 {

// A request and its answer, as far as they were seen.
struct Stream {
  enum class Grpc : std::uint8_t { kNo, kYes, kUnknown };

  std::uint64_t start_ns = 0;  // first byte of the request
  std::uint64_t last_ns = 0;   // latest byte of the request; of the answer too once it has begun
  decode::http2::TextRef path;
  decode::http2::TextRef trace;
  std::uint32_t number = 0;  // 0: no stream
  std::uint16_t status = 0;
  std::int16_t grpc_status = -1;
  decode::http2::Method method = decode::http2::Method::kOther;
  Grpc grpc = Grpc::kNo;
  bool path_cut : 1 = false;
  bool name_unknown : 1 = false;  // method or path may be there and are not known
  bool request_ended : 1 = false;
  bool answering : 1 = false;       // the answer has begun
  bool answer_unknown : 1 = false;  // of the answer a part is not known, perhaps its status or grpc-status
  bool grpc_message : 1 = false;    // the request's first DATA frame was one gRPC message
  bool data_seen : 1 = false;       // of the request
  bool expired : 1 = false;         // told as timed out
  bool uncertain : 1 = false;       // its end may have been lost
  bool path_charged : 1 = false;    // to the budget
};

class Streams {
 public:
  // What one connection may have in flight: servers allow 100 to 1,000, gRPC's have no limit of their own.
  static constexpr std::uint32_t kStreamsMax = 16'384;
  // Room for so many is kept while nothing waits and is not charged to the budget.
  static constexpr std::uint32_t kStreamsKept = 4;

  explicit Streams(decode::MemoryBudget& budget) : budget_(budget) {}
  ~Streams() { Clear(); }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  [[nodiscard]] std::uint32_t size() const { return size_; }

  // The open stream of that number, not 0, or null. Pointers are valid until the next Add or Erase.
  [[nodiscard]] Stream* Find(std::uint32_t number) {
    if (size_ == 0) return nullptr;
    for (std::uint32_t at = Home(number);; at = Next(at)) {
      if (slots_[at].number == number) return &slots_[at];
      if (slots_[at].number == 0) return nullptr;
    }
  }
  [[nodiscard]] const Stream* Find(std::uint32_t number) const { return const_cast<Streams*>(this)->Find(number); }

  // A new stream of that number, which is not open, with that path. Null when there is no room.
  Stream* Add(std::uint32_t number, decode::http2::TextRef path);
  void Erase(Stream* stream);
  void Clear();

  // visit(stream) for each, in no order. It must not add or erase.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (std::uint32_t at = 0; at < capacity_; ++at) {
      if (slots_[at].number != 0) visit(slots_[at]);
    }
  }

 private:
  // Fibonacci hashing spreads numbers that follow each other: runs of full slots would make erasing slow.
  [[nodiscard]] std::uint32_t Home(std::uint32_t number) const { return (number >> 1) * 0x9e3779b1u >> shift_; }
  [[nodiscard]] std::uint32_t Next(std::uint32_t at) const { return (at + 1) & (capacity_ - 1); }
  bool Grow();
  void Release();
  void GivePath(const Stream& stream);
  static std::size_t ChargeOf(std::uint32_t capacity) {
    return capacity > 2 * kStreamsKept ? capacity * sizeof(Stream) : 0;
  }

  decode::MemoryBudget& budget_;
  std::unique_ptr<Stream[]> slots_;  // capacity_ of them, a power of two, at most half full
  std::uint32_t capacity_ = 0;
  std::uint32_t shift_ = 31;  // 32 - log2(capacity_)
  std::uint32_t size_ = 0;
};

}  // namespace wiregauge::match::http2
