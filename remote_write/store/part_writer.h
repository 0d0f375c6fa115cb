// Writes a part: blocks by ascending series, then by time. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "remote_write/store/files.h"
#include "remote_write/store/page.h"
#include "remote_write/store/part.h"

struct ZSTD_CCtx_s;

namespace wiregauge::store {

class PartWriter {
 public:
  // Creates number.part.tmp in `folder`.
  static Result<std::unique_ptr<PartWriter>> Create(FileSystem& files, const std::string& folder, std::uint64_t number,
                                                    std::int64_t partition, std::uint32_t level);
  ~PartWriter();  // removes the temporary file unless Finish succeeded
  PartWriter(const PartWriter&) = delete;
  PartWriter& operator=(const PartWriter&) = delete;

  // Sorted samples, each timestamp once; cut into blocks of kBlockSamplesWanted and encoded.
  Status AddSamples(SeriesId series, std::span<const Sample> samples);
  // A block that is encoded already.
  Status AddBlock(const Block& block);

  // Writes index and footer, syncs, gives the file its name and makes that durable.
  Status Finish();

  [[nodiscard]] const PartFacts& facts() const { return facts_; }

 private:
  PartWriter(FileSystem& files, std::string folder, std::unique_ptr<File> file, PartFacts facts);
  Status WritePage();
  Status Write(Bytes bytes);
  Status WriteOut();

  FileSystem& files_;
  const std::string folder_;
  std::unique_ptr<File> file_;
  PartFacts facts_;
  ZSTD_CCtx_s* compressor_;
  PageBuilder builder_;
  PageEntry page_;  // facts of the blocks in builder_
  std::vector<PageEntry> pages_;
  SeriesSet series_;
  SeriesId last_series_ = 0;
  std::string buffer_;  // bytes before offset_ that are not yet in the file
  std::uint64_t offset_ = 0;
  std::string raw_;  // scratch
  std::vector<std::int64_t> timestamps_, last_timestamps_;
  std::vector<std::uint64_t> values_;
  std::string timestamp_column_, value_column_;
  bool finished_ = false;
};

}  // namespace wiregauge::store
