#include "remote_write/store/part_writer.h"

#include <zstd.h>

#include <algorithm>

#include "base/log.h"
#include "remote_write/store/checksum.h"

namespace wiregauge::store {
namespace {

// Level 3 gains nothing on these bytes and costs more (reference: 0.62 bytes a sample at both).
constexpr int kCompressionLevel = 1;
constexpr std::size_t kWriteBytes = 1UL << 20;

}  // namespace

Result<std::unique_ptr<PartWriter>> PartWriter::Create(FileSystem& files, const std::string& folder,
                                                       std::uint64_t number, std::int64_t partition,
                                                       std::uint32_t level) {
  auto file = files.Open(folder + "/" + PartName(number) + ".tmp", OpenMode::kCreate);
  if (!file) return file.error();
  PartFacts facts{number, partition, level};
  std::unique_ptr<PartWriter> writer(new PartWriter(files, folder, std::move(*file), facts));
  if (auto done = writer->Write(AsBytes(EncodePartHeader(number))); !done) return done.error();
  return writer;
}

PartWriter::PartWriter(FileSystem& files, std::string folder, std::unique_ptr<File> file, PartFacts facts)
    : files_(files),
      folder_(std::move(folder)),
      file_(std::move(file)),
      facts_(facts),
      compressor_(ZSTD_createCCtx()) {}

PartWriter::~PartWriter() {
  ZSTD_freeCCtx(compressor_);
  file_.reset();
  if (finished_) return;
  if (auto done = files_.Remove(folder_ + "/" + PartName(facts_.number) + ".tmp"); !done) {
    log::Warn("store", "Unfinished part stays until the next start", {{"error", done.error().message}});
  }
}

Status PartWriter::AddSamples(SeriesId series, std::span<const Sample> samples) {
  while (!samples.empty()) {
    const std::size_t count = samples.size() <= kBlockSamplesMax ? samples.size() : kBlockSamplesWanted;
    timestamps_.resize(count);
    values_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      timestamps_[i] = samples[i].timestamp_ms;
      values_[i] = samples[i].value_bits;
    }
    if (timestamps_ != last_timestamps_) {  // the series of a target share theirs
      timestamp_column_.clear();
      EncodeTimestamps(timestamps_, timestamp_column_);
      std::swap(timestamps_, last_timestamps_);
    }
    value_column_.clear();
    EncodeValues(values_, value_column_);
    const Block block{series,
                      static_cast<std::uint32_t>(count),
                      samples[0].timestamp_ms,
                      samples[count - 1].timestamp_ms,
                      AsBytes(timestamp_column_),
                      AsBytes(value_column_)};
    if (auto done = AddBlock(block); !done) return done;
    samples = samples.subspan(count);
  }
  return {};
}

Status PartWriter::AddBlock(const Block& block) {
  if (builder_.empty()) page_ = {0, 0, 0, 0, block.series, block.series, block.first_ms, block.last_ms};
  if (facts_.samples == 0) {
    facts_.first_ms = block.first_ms;
    facts_.last_ms = block.last_ms;
  }
  builder_.Add(block);
  if (block.series != last_series_) series_.Add(block.series);
  last_series_ = page_.last_series = block.series;
  page_.first_ms = std::min(page_.first_ms, block.first_ms);
  page_.last_ms = std::max(page_.last_ms, block.last_ms);
  facts_.first_ms = std::min(facts_.first_ms, block.first_ms);
  facts_.last_ms = std::max(facts_.last_ms, block.last_ms);
  facts_.samples += block.samples;
  return builder_.full() ? WritePage() : Status{};
}

Status PartWriter::WritePage() {
  builder_.Finish(raw_);
  std::string packed(ZSTD_compressBound(raw_.size()), '\0');
  const std::size_t bytes =
      ZSTD_compressCCtx(compressor_, packed.data(), packed.size(), raw_.data(), raw_.size(), kCompressionLevel);
  if (ZSTD_isError(bytes) != 0) return Error{Code::kInternal, std::string("zstd: ") + ZSTD_getErrorName(bytes)};
  packed.resize(bytes);
  page_.offset = offset_;
  page_.bytes = static_cast<std::uint32_t>(bytes);
  page_.raw_bytes = static_cast<std::uint32_t>(raw_.size());
  page_.checksum = ChecksumAt(AsBytes(packed), facts_.number, offset_);
  pages_.push_back(page_);
  return Write(AsBytes(packed));
}

Status PartWriter::Write(Bytes bytes) {
  buffer_ += AsText(bytes);
  offset_ += bytes.size();
  return buffer_.size() >= kWriteBytes ? WriteOut() : Status{};
}

Status PartWriter::WriteOut() {
  auto done = file_->WriteAt(offset_ - buffer_.size(), AsBytes(buffer_));
  buffer_.clear();
  return done;
}

Status PartWriter::Finish() {
  if (!builder_.empty()) {
    if (auto done = WritePage(); !done) return done;
  }
  std::string index(reinterpret_cast<const char*>(pages_.data()), pages_.size() * sizeof(PageEntry));
  series_.Serialize(index);
  const std::uint64_t index_offset = offset_;
  if (auto done = Write(AsBytes(index)); !done) return done;
  const std::string footer = EncodePartFooter(facts_, index_offset, pages_.size(), Checksum(AsBytes(index)));
  if (auto done = Write(AsBytes(footer)); !done) return done;
  if (auto done = WriteOut(); !done) return done;
  if (auto done = file_->Sync(); !done) return done;
  facts_.bytes = offset_;
  const std::string path = folder_ + "/" + PartName(facts_.number);
  if (auto done = files_.Rename(path + ".tmp", path); !done) return done;
  finished_ = true;
  return files_.SyncFolder(folder_);
}

}  // namespace wiregauge::store
