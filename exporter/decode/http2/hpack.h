// Header compression of one direction (RFC 7541): header blocks go in, the few fields that are looked at come out. The
// dynamic table keeps the values of those fields; of all others it keeps their sizes, which decide what is evicted.
//
// Indices count from the newest entry, so after a lost block every entry that was added since is known with certainty,
// and a reference to an older one is known to be unknown: never a wrong value. Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "exporter/decode/budget.h"
#include "exporter/decode/http2/types.h"

namespace wiregauge::decode::http2 {

class HeaderDecoder {
 public:
  // A table takes so much of the heap uncharged: what an encoder fills that stays at 4 KiB.
  static constexpr std::size_t kFreeBytes = 6u << 10;

  // `budget` is charged for large tables and must outlive this.
  explicit HeaderDecoder(MemoryBudget& budget) : budget_(budget) {}
  ~HeaderDecoder();
  HeaderDecoder(const HeaderDecoder&) = delete;
  HeaderDecoder& operator=(const HeaderDecoder&) = delete;

  // Decodes one whole header block into `fields`, which is as new. False when it breaks the grammar or refers to what
  // is not there: then the table is as after OnLoss.
  [[nodiscard]] bool Decode(Bytes block, Fields& fields);

  // Blocks were lost, or were before the tap: no entry is known any more.
  void OnLoss();

  // Every entry of the encoder's table is known.
  [[nodiscard]] bool complete() const { return complete_; }

  // Of the entries that are known.
  [[nodiscard]] std::uint32_t entries() const { return count_; }
  [[nodiscard]] std::uint32_t table_bytes() const { return used_; }

 private:
  enum class Kind : std::uint8_t {
    kOther,    // not looked at
    kUnknown,  // its name was in a lost block: it may be any
    kMethod,
    kPath,
    kStatus,
    kContentType,
    kGrpcStatus,
    kTraceparent,
  };
  struct Name {
    Kind kind = Kind::kOther;
    std::uint32_t size = 0;
  };
  struct Value {
    TextRef text;              // kPath, kTraceparent
    std::uint16_t number = 0;  // what the kind makes of its value; kOther: the size of the name
    Kind kind = Kind::kOther;
  };
  struct Entry {
    Value value;
    std::uint32_t size = 0;  // RFC 7541 section 4.1; a lower bound for kUnknown
  };
  class Reader;

  static Name StaticName(std::uint32_t index);
  static Name NameOf(std::string_view text, std::size_t size);
  static Value ValueOf(Kind kind, std::string_view text, std::size_t size);
  static bool ReadName(Reader& reader, Name& name);
  static void Apply(const Value& value, Fields& fields);

  bool DecodeIndexed(std::uint32_t index, Fields& fields);
  bool DecodeLiteral(Reader& reader, std::uint32_t name_index, bool insert, Fields& fields);
  void ApplyStatic(std::uint32_t index, Fields& fields);
  bool FindName(std::uint32_t index, Name& name) const;
  void Insert(Value value, std::uint64_t size);
  void SetTableSize(std::uint32_t bytes);
  void EvictTo(std::uint64_t bytes);
  void DropOldest();
  bool MakeRoom();
  bool Charge();
  void Clear();
  [[nodiscard]] const Entry& Newest(std::uint32_t i) const { return ring_[(head_ + count_ - 1 - i) & (capacity_ - 1)]; }

  MemoryBudget& budget_;
  std::unique_ptr<Entry[]> ring_;  // capacity_ entries, a power of two
  TextRef root_;                   // the path "/", once it was seen
  std::size_t text_bytes_ = 0;     // of the heap, by texts of entries
  std::size_t charged_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint32_t head_ = 0;  // the oldest
  std::uint32_t count_ = 0;
  std::uint32_t used_ = 0;  // the sum of the entries' sizes
  std::uint32_t max_ = kTableBytesDefault;
  bool max_known_ = true;  // max_ is the encoder's own; else it may be larger
  bool complete_ = true;
};

}  // namespace wiregauge::decode::http2
