#include "remote_write/store/record_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "remote_write/store/checksum.h"

namespace wiregauge::store {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kRecordMagic = 0x63657277;  // "wrec"
constexpr std::size_t kSegmentHeaderBytes = 40;
constexpr std::size_t kRecordHeaderBytes = 16;

std::string_view Magic(LogKind kind) {
  using namespace std::string_view_literals;
  return kind == LogKind::kWal ? "wgwal\r\n\0"sv : "wgcat\r\n\0"sv;
}
std::string_view Suffix(LogKind kind) { return kind == LogKind::kWal ? ".wal" : ".cat"; }

std::string EncodeHeader(LogKind kind, const SegmentHeader& header) {
  std::string out(Magic(kind));
  AppendRaw(out, kVersion);
  AppendRaw(out, std::uint32_t{0});
  AppendRaw(out, header.number);
  AppendRaw(out, header.previous_bytes);
  AppendRaw(out, Checksum(AsBytes(out)));
  return out;
}

bool DecodeHeader(Bytes segment, LogKind kind, std::uint64_t number, SegmentHeader& header) {
  if (segment.size() < kSegmentHeaderBytes) return false;
  ByteReader in(segment.first(kSegmentHeaderBytes));
  const bool magic = AsText(in.Take(8)) == Magic(kind);
  const bool version = in.Read<std::uint32_t>() == kVersion;
  in.Read<std::uint32_t>();
  header.number = in.Read<std::uint64_t>();
  header.previous_bytes = in.Read<std::uint64_t>();
  const bool sum = in.Read<std::uint64_t>() == Checksum(segment.first(kSegmentHeaderBytes - 8));
  return magic && version && sum && header.number == number;
}

// Finds records in a segment's bytes.
class RecordFinder {
 public:
  RecordFinder(Bytes segment, std::size_t used, std::uint64_t number)
      : segment_(segment), used_(used), number_(number) {}

  // The payload of the good record at `offset`, whose magic is there.
  bool RecordAt(std::uint64_t offset, Bytes& payload) {
    if (offset + kRecordHeaderBytes > segment_.size()) return false;
    ByteReader in(segment_.subspan(offset));
    const auto magic = in.Read<std::uint32_t>();
    const auto length = in.Read<std::uint32_t>();
    const auto sum = in.Read<std::uint64_t>();
    if (magic != kRecordMagic || length > kRecordBytesMax || length > in.remaining()) return false;
    payload = in.Take(length);
    hashed_ += length;
    return ChecksumAt(payload, number_, offset) == sum;
  }

  // The offset of the next good record after `offset`, or the segment's size. Payload bytes that look like headers
  // must not make this quadratic: after hashing the segment eight times over, it gives up.
  std::uint64_t NextRecord(std::uint64_t offset) {
    Bytes ignored;
    const std::uint64_t hashed_max = hashed_ + 8 * segment_.size();
    for (offset += 8; offset + kRecordHeaderBytes <= used_ && hashed_ < hashed_max; offset += 8) {
      std::uint32_t magic = 0;
      std::memcpy(&magic, segment_.data() + offset, sizeof(magic));
      if (magic == kRecordMagic && RecordAt(offset, ignored)) return offset;
    }
    return segment_.size();
  }

 private:
  Bytes segment_;
  std::size_t used_;  // nothing but zeros from here on
  std::uint64_t number_;
  std::uint64_t hashed_ = 0;
};

// The size without the zeros at the end: what a segment reserved and never used.
std::size_t UsedBytes(Bytes segment) {
  std::size_t used = segment.size();
  const auto word_before = [&] {
    std::uint64_t word = 0;
    std::memcpy(&word, segment.data() + used - sizeof(word), sizeof(word));
    return word;
  };
  while (used >= sizeof(std::uint64_t) && word_before() == 0) used -= sizeof(std::uint64_t);
  while (used > 0 && segment[used - 1] == 0) --used;
  return used;
}

}  // namespace

Result<SegmentScan> ScanSegment(Bytes segment, LogKind kind, std::uint64_t number, const RecordVisitor& visit) {
  SegmentScan scan;
  scan.header_ok = DecodeHeader(segment, kind, number, scan.header);
  const std::size_t used = UsedBytes(segment);
  RecordFinder finder(segment, used, number);
  std::uint64_t offset = kSegmentHeaderBytes;
  scan.end = std::min<std::uint64_t>(offset, segment.size());
  while (offset < segment.size()) {
    Bytes payload;
    if (!finder.RecordAt(offset, payload)) {
      const std::uint64_t next = finder.NextRecord(offset);
      if (next >= segment.size()) break;
      scan.damaged_bytes += next - offset;
      ++scan.damaged_ranges;
      offset = next;
      continue;
    }
    if (auto visited = visit(payload); !visited) return visited.error();
    ++scan.records;
    offset += RecordBytes(payload.size());
    scan.end = std::min<std::uint64_t>(offset, segment.size());
  }
  if (used > scan.end) scan.torn_bytes = used - scan.end;
  return scan;
}

void AppendRecord(std::string& out, Bytes payload, std::uint64_t number, std::uint64_t offset) {
  const std::size_t start = out.size();
  AppendRaw(out, kRecordMagic);
  AppendRaw(out, static_cast<std::uint32_t>(payload.size()));
  AppendRaw(out, ChecksumAt(payload, number, offset));
  out.append(AsText(payload));
  out.resize(start + RecordBytes(payload.size()));
}

std::string SegmentName(LogKind kind, std::uint64_t number) { return fmt::format("{:016}{}", number, Suffix(kind)); }

Result<std::vector<std::uint64_t>> ListSegments(FileSystem& files, const std::string& folder, LogKind kind) {
  auto names = files.List(folder);
  if (!names) return names.error();
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : *names) {
    std::uint64_t number = 0;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (failed == std::errc{} && name == SegmentName(kind, number)) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Result<SegmentHeader> ReadSegmentHeader(FileSystem& files, const std::string& folder, LogKind kind,
                                        std::uint64_t number) {
  auto file = files.Open(folder + "/" + SegmentName(kind, number), OpenMode::kRead);
  if (!file) return file.error();
  std::array<std::uint8_t, kSegmentHeaderBytes> bytes{};
  if (const auto got = (*file)->ReadAt(0, bytes); !got) return got.error();
  SegmentHeader header;
  if (!DecodeHeader(bytes, kind, number, header)) return Error{Code::kCorrupt, "segment header fails its check"};
  return header;
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::Create(FileSystem& files, const std::string& folder, LogKind kind,
                                                             SegmentHeader header, bool allocate) {
  auto file = files.Open(folder + "/" + SegmentName(kind, header.number), OpenMode::kCreate);
  if (!file) return file.error();
  // Best effort: without reserved blocks each sync costs a fifth more, and a full disk shows a little later.
  if (allocate) static_cast<void>((*file)->Allocate(kSegmentBytesWanted).has_value());
  const std::string bytes = EncodeHeader(kind, header);
  if (auto done = (*file)->WriteAt(0, AsBytes(bytes)); !done) return done.error();
  // A power cut must not leave records without their header.
  if (auto done = (*file)->Sync(); !done) return Error{Code::kIo, done.error().message};
  if (auto done = files.SyncFolder(folder); !done) return done.error();
  return std::unique_ptr<SegmentWriter>(new SegmentWriter(std::move(*file), header.number, bytes.size()));
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::Resume(FileSystem& files, const std::string& folder, LogKind kind,
                                                             std::uint64_t number, std::uint64_t end) {
  auto file = files.Open(folder + "/" + SegmentName(kind, number), OpenMode::kWrite);
  if (!file) return file.error();
  if (auto done = (*file)->Truncate(end); !done) return done.error();
  return std::unique_ptr<SegmentWriter>(new SegmentWriter(std::move(*file), number, end));
}

Status SegmentWriter::Write(Bytes records) {
  if (auto done = file_->WriteAt(offset_, records); !done) return done;
  offset_ += records.size();
  dirty_ = true;
  return {};
}

Status SegmentWriter::Sync() {
  if (!dirty_) return {};
  dirty_ = false;  // before: a failed sync is not repeated
  return file_->Sync();
}

Status SegmentWriter::Close() {
  if (auto done = file_->Truncate(offset_); !done) return done;
  return Sync();
}

}  // namespace wiregauge::store
