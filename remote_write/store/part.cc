#include "remote_write/store/part.h"

#include <fmt/format.h>
#include <roaring/roaring.h>
#include <zstd.h>

#include <cstring>
#include <utility>

#include "base/log.h"
#include "remote_write/store/checksum.h"

namespace wiregauge::store {
namespace {

using namespace std::string_view_literals;
constexpr auto kHeaderMagic = "wgpart\r\n"sv;
// A page entry each 64 KiB of up to 1 TiB: bounds what a damaged footer makes Open allocate.
constexpr std::uint64_t kIndexBytesMax = 1ULL << 30;

struct Footer {
  std::uint64_t index_offset = 0;
  std::uint64_t pages = 0;
  std::uint64_t index_checksum = 0;
};

bool DecodeFooter(Bytes bytes, PartFacts& facts, Footer& footer) {
  ByteReader in(bytes);
  footer.index_offset = in.Read<std::uint64_t>();
  footer.pages = in.Read<std::uint64_t>();
  footer.index_checksum = in.Read<std::uint64_t>();
  facts.number = in.Read<std::uint64_t>();
  facts.partition = in.Read<std::int64_t>();
  facts.samples = in.Read<std::uint64_t>();
  facts.first_ms = in.Read<std::int64_t>();
  facts.last_ms = in.Read<std::int64_t>();
  facts.level = in.Read<std::uint32_t>();
  const auto version = in.Read<std::uint32_t>();
  const bool sum = in.Read<std::uint64_t>() == Checksum(bytes.first(kPartFooterBytes - 8));
  return in.ok() && sum && version == kPartVersion;
}

Result<std::string> ReadExactly(const File& file, std::uint64_t offset, std::size_t bytes) {
  std::string out(bytes, '\0');
  const auto got = file.ReadAt(offset, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  if (!got) return got.error();
  if (*got != bytes) return Error{Code::kCorrupt, fmt::format("{} of {} bytes at {}", *got, bytes, offset)};
  return out;
}

}  // namespace

SeriesSet::SeriesSet() : bitmap_(roaring_bitmap_create()) {}
SeriesSet::SeriesSet(roaring_bitmap_s* owned) : bitmap_(owned) {}
SeriesSet::~SeriesSet() {
  if (bitmap_ != nullptr) roaring_bitmap_free(bitmap_);
}
SeriesSet::SeriesSet(SeriesSet&& other) noexcept : bitmap_(std::exchange(other.bitmap_, nullptr)) {}
SeriesSet& SeriesSet::operator=(SeriesSet&& other) noexcept {
  std::swap(bitmap_, other.bitmap_);
  return *this;
}

void SeriesSet::Add(SeriesId series) { roaring_bitmap_add(bitmap_, series); }
bool SeriesSet::Contains(SeriesId series) const { return roaring_bitmap_contains(bitmap_, series); }

void SeriesSet::Serialize(std::string& out) {
  roaring_bitmap_run_optimize(bitmap_);
  const std::size_t start = out.size();
  out.resize(start + roaring_bitmap_portable_size_in_bytes(bitmap_));
  roaring_bitmap_portable_serialize(bitmap_, out.data() + start);
}

std::optional<SeriesSet> SeriesSet::Parse(Bytes bytes) {
  roaring_bitmap_s* parsed = roaring_bitmap_portable_deserialize_safe(AsText(bytes).data(), bytes.size());
  if (parsed == nullptr) return std::nullopt;
  return SeriesSet(parsed);
}

std::string PartName(std::uint64_t number) { return fmt::format("{:016}.part", number); }

std::string EncodePartHeader(std::uint64_t number) {
  std::string out(kHeaderMagic);
  AppendRaw(out, kPartVersion);
  AppendRaw(out, std::uint32_t{0});
  AppendRaw(out, number);
  AppendRaw(out, Checksum(AsBytes(out)));
  return out;
}

std::string EncodePartFooter(const PartFacts& facts, std::uint64_t index_offset, std::uint64_t pages,
                             std::uint64_t index_checksum) {
  std::string out;
  AppendRaw(out, index_offset);
  AppendRaw(out, pages);
  AppendRaw(out, index_checksum);
  AppendRaw(out, facts.number);
  AppendRaw(out, facts.partition);
  AppendRaw(out, facts.samples);
  AppendRaw(out, facts.first_ms);
  AppendRaw(out, facts.last_ms);
  AppendRaw(out, facts.level);
  AppendRaw(out, kPartVersion);
  AppendRaw(out, Checksum(AsBytes(out)));
  return out;
}

Result<std::shared_ptr<Part>> Part::Open(FileSystem& files, const std::string& folder, std::uint64_t number) {
  std::shared_ptr<Part> part(new Part(files, folder + "/" + PartName(number)));
  if (auto loaded = part->Load(number); !loaded) return loaded.error().Within("part " + part->path_);
  return part;
}

Status Part::Load(std::uint64_t number) {
  auto file = files_.Open(path_, OpenMode::kRead);
  if (!file) return file.error();
  file_ = std::move(*file);
  const auto size = file_->Size();
  if (!size) return size.error();
  if (*size < kPartHeaderBytes + kPartFooterBytes) return Error{Code::kCorrupt, "shorter than header and footer"};
  const auto header = ReadExactly(*file_, 0, kPartHeaderBytes);
  if (!header) return header.error();
  if (*header != EncodePartHeader(number)) return Error{Code::kCorrupt, "header fails its check"};
  const auto tail = ReadExactly(*file_, *size - kPartFooterBytes, kPartFooterBytes);
  if (!tail) return tail.error();
  Footer footer;
  if (!DecodeFooter(AsBytes(*tail), facts_, footer) || facts_.number != number) {
    return Error{Code::kCorrupt, "footer fails its check"};
  }
  facts_.bytes = *size;
  const std::uint64_t index_end = *size - kPartFooterBytes;
  if (footer.index_offset > index_end || index_end - footer.index_offset > kIndexBytesMax) {
    return Error{Code::kCorrupt, "index outside the file"};
  }
  const auto index = ReadExactly(*file_, footer.index_offset, index_end - footer.index_offset);
  if (!index) return index.error();
  if (Checksum(AsBytes(*index)) != footer.index_checksum || footer.pages > index->size() / sizeof(PageEntry)) {
    return Error{Code::kCorrupt, "index fails its checksum"};
  }
  pages_.resize(footer.pages);
  const std::size_t page_bytes = footer.pages * sizeof(PageEntry);
  if (page_bytes > 0) std::memcpy(pages_.data(), index->data(), page_bytes);
  auto series = SeriesSet::Parse(AsBytes(*index).subspan(page_bytes));
  if (!series) return Error{Code::kCorrupt, "series set does not parse"};
  series_ = std::move(*series);
  return {};
}

Part::~Part() {
  file_.reset();
  Status done;
  if (end_ == End::kRemove) done = files_.Remove(path_);
  if (end_ == End::kQuarantine) done = files_.Rename(path_, quarantine_path_);
  if (!done) log::Warn("store", "Old part stays", {{"error", done.error().message}});
}

void Part::QuarantineWhenUnused(std::string quarantine_path) {
  quarantine_path_ = std::move(quarantine_path);
  end_ = End::kQuarantine;
}

Result<std::shared_ptr<const Page>> Part::ReadPage(std::size_t index) const {
  const PageEntry& entry = pages_[index];
  const auto where = [&] { return fmt::format("part {} page {}", path_, index); };
  if (entry.raw_bytes > kPageBytesMax || entry.bytes > ZSTD_COMPRESSBOUND(kPageBytesMax)) {
    return Error{Code::kCorrupt, where() + ": impossible size"};
  }
  const auto packed = ReadExactly(*file_, entry.offset, entry.bytes);
  if (!packed) return packed.error().Within(where());
  if (ChecksumAt(AsBytes(*packed), facts_.number, entry.offset) != entry.checksum) {
    return Error{Code::kCorrupt, where() + " fails its checksum"};
  }
  std::string raw(entry.raw_bytes, '\0');
  const std::size_t got = ZSTD_decompress(raw.data(), raw.size(), packed->data(), packed->size());
  if (ZSTD_isError(got) != 0 || got != raw.size()) return Error{Code::kCorrupt, where() + " does not decompress"};
  auto page = Page::Parse(std::move(raw));
  if (!page) return page.error().Within(where());
  return page;
}

}  // namespace wiregauge::store
