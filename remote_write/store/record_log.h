// Segment files of checksummed records: the form of the write-ahead log and of the catalogue. Byte grammar in
// README.md. A checksum is bound to the segment's number and the record's offset, so stale or misplaced blocks never
// pass.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "remote_write/store/files.h"

namespace wiregauge::store {

enum class LogKind : std::uint8_t { kWal, kCatalogue };

// A record's payload; with the 16 bytes before it, padded to a multiple of 8.
inline constexpr std::size_t kRecordBytesMax = 16UL << 20;
// A segment is closed once it is this long, so a file never exceeds this and one group of records. Small enough that
// reading one back whole keeps recovery's memory flat, large enough that closing (1 ms) is rare.
inline constexpr std::uint64_t kSegmentBytesWanted = 16ULL << 20;
inline constexpr std::uint64_t kSegmentBytesMax = 64ULL << 20;

struct SegmentHeader {
  std::uint64_t number = 0;
  std::uint64_t previous_bytes = 0;  // final length of segment number - 1; 0 when there was none
};

// What reading one segment found. damaged_bytes were followed by good records, so they are no torn tail.
struct SegmentScan {
  bool header_ok = false;
  SegmentHeader header;
  std::uint64_t records = 0;
  std::uint64_t end = 0;  // offset after the last good record
  std::uint64_t damaged_bytes = 0;
  std::uint64_t damaged_ranges = 0;
  std::uint64_t torn_bytes = 0;  // at the end: neither records nor zeros
};

using RecordVisitor = std::function<Status(Bytes payload)>;

// Calls `visit` for each good record of a segment's bytes, in order; the payload is borrowed for the call. Pure: never
// fails on damaged bytes, it reports them; an error of `visit` ends the scan and is returned.
Result<SegmentScan> ScanSegment(Bytes segment, LogKind kind, std::uint64_t number, const RecordVisitor& visit);

// Appends one record as it is written at `offset` of segment `number`.
void AppendRecord(std::string& out, Bytes payload, std::uint64_t number, std::uint64_t offset);
// Bytes that AppendRecord adds.
constexpr std::uint64_t RecordBytes(std::size_t payload) { return (16 + payload + 7) / 8 * 8; }

// "0000000000000012.wal"
std::string SegmentName(LogKind kind, std::uint64_t number);
// The header of a segment that has one.
Result<SegmentHeader> ReadSegmentHeader(FileSystem& files, const std::string& folder, LogKind kind,
                                        std::uint64_t number);
// Numbers of the segments in `folder`, ascending.
Result<std::vector<std::uint64_t>> ListSegments(FileSystem& files, const std::string& folder, LogKind kind);

// The segment being written. One thread at a time.
class SegmentWriter {
 public:
  // Creates the file, writes its header and makes its name durable. `allocate` reserves kSegmentBytesWanted.
  static Result<std::unique_ptr<SegmentWriter>> Create(FileSystem& files, const std::string& folder, LogKind kind,
                                                       SegmentHeader header, bool allocate);
  // Opens an existing one to go on at `end`; what is after it is cut off.
  static Result<std::unique_ptr<SegmentWriter>> Resume(FileSystem& files, const std::string& folder, LogKind kind,
                                                       std::uint64_t number, std::uint64_t end);

  // Writes records that AppendRecord made for number() at offset(). After an error: CutBack or never write again.
  Status Write(Bytes records);
  Status Sync();
  // Removes what a failed Write may have left after offset().
  Status CutBack() { return file_->Truncate(offset_); }
  // Cuts off the reserved rest and syncs what is not yet synced.
  Status Close();

  [[nodiscard]] bool dirty() const { return dirty_; }  // whether Sync has something to do
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

 private:
  SegmentWriter(std::unique_ptr<File> file, std::uint64_t number, std::uint64_t offset)
      : file_(std::move(file)), number_(number), offset_(offset) {}

  std::unique_ptr<File> file_;
  std::uint64_t number_;
  std::uint64_t offset_;
  bool dirty_ = false;
};

}  // namespace wiregauge::store
