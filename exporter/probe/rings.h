// The reading end of the kernel's ring buffers: one ring a CPU, merged into one order. libbpf reads several rings one
// after the other; we need the order in which things happened.
//
// The order: of two records of one connection where the first caused the second (a request and its answer), the first
// was submitted before the second's time was taken, since its packet goes on only when the program has ended. So
// whoever sees the second in one ring finds the first in its own, if it looks there afterwards. That is all the merge
// relies on; clocks decide the rest. Layout of a ring: kernel/bpf/ringbuf.c.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace wiregauge::probe {

// One ring's memory: a page with the consumer's position, a page with the producer's, then the data, mapped twice in a
// row, so that a record that wraps around is contiguous. One reader.
class Ring {
 public:
  enum class State { kEmpty, kBusy, kReady };  // kBusy: its next record is being written

  // The views a ring works on; FromMap makes them of a map, tests of plain memory. `size` is a power of two; `data` has
  // twice as many bytes.
  Ring(std::uint64_t* consumer_position, const std::uint64_t* producer_position, const std::uint8_t* data,
       std::size_t size);

  // Looks at the next record; discarded ones are passed over. Cheap when it was ready before.
  State Look();
  // Of the record that Look found ready. Valid until Pass.
  [[nodiscard]] Bytes record() const { return record_; }
  [[nodiscard]] std::uint64_t time_ns() const { return time_ns_; }
  // Gives the record's room back.
  void Pass();

 private:
  std::uint64_t* consumer_position_;
  const std::uint64_t* producer_position_;
  const std::uint8_t* data_;
  std::uint64_t mask_;
  std::uint64_t position_;
  std::uint64_t next_ = 0;  // position after the record
  std::uint64_t time_ns_ = 0;
  Bytes record_;
  bool ready_ = false;
};

// Several rings in one order. One thread.
class RingMerge {
 public:
  // Takes up to `records_max` records, calls handler(bytes) for each, and returns how many. Stops early at a record
  // that is still being written: it will be there the next time. The bytes are valid during the call.
  template <typename Handler>
  std::size_t Consume(std::size_t records_max, Handler handler) {
    std::size_t taken = 0;
    for (Ring* next = nullptr; taken < records_max && (next = Next()) != nullptr; ++taken) {
      handler(next->record());
      next->Pass();
    }
    return taken;
  }

  void Add(Ring ring) { rings_.push_back(ring); }

 private:
  // The ring whose record comes next; null when all are empty or one is busy.
  Ring* Next();

  std::vector<Ring> rings_;
};

// The rings of a loaded program: makes one a CPU that is online, puts them into the map of rings (a CPU that comes
// later shares), and maps them. Closes and unmaps at its end.
class RingMaps {
 public:
  // `outer_fd` is the map of rings, `cpus` its size, `bytes` the size of each ring.
  static Result<std::unique_ptr<RingMaps>> Make(int outer_fd, unsigned cpus, std::uint32_t bytes);
  ~RingMaps();
  RingMaps(const RingMaps&) = delete;
  RingMaps& operator=(const RingMaps&) = delete;

  RingMerge& merge() { return merge_; }
  // True when the kernel wants the rings to be read, false when the time was over. Each wish is told once.
  [[nodiscard]] bool Wait(int timeout_ms) const;

 private:
  struct Mapping {
    void* address = nullptr;
    std::size_t size = 0;
  };

  RingMaps() = default;
  Status AddRing(std::uint32_t bytes);

  RingMerge merge_;
  std::vector<int> fds_;
  std::vector<Mapping> mappings_;
  int wishes_fd_ = -1;
};

}  // namespace wiregauge::probe
