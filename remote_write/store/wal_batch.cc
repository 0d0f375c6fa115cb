#include "remote_write/store/wal_batch.h"

#include <bit>
#include <cstring>

#include "remote_write/store/integer_column.h"

namespace wiregauge::store {
namespace {

constexpr std::uint8_t kBatchVersion = 1;

// A sample's first byte: how many of the value's most significant bytes follow (the rest are zero), and two flags.
constexpr unsigned kValueBytesMask = 0x0f;
constexpr unsigned kNextSeries = 0x10;     // series = the one before + 1
constexpr unsigned kSameTimestamp = 0x20;  // as the one before
constexpr std::size_t kSampleBytesMax = 1 + 5 + 10 + 8;

char* PutVarint(char* out, std::uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

char* PutSample(char* out, const SeriesSample& previous, const SeriesSample& next) {
  const std::uint64_t bits = next.sample.value_bits;
  const unsigned value_bytes = bits == 0 ? 0 : 8 - static_cast<unsigned>(std::countr_zero(bits)) / 8;
  const std::int64_t series_step = std::int64_t{next.series} - previous.series;
  const auto time_step = static_cast<std::int64_t>(static_cast<std::uint64_t>(next.sample.timestamp_ms) -
                                                   static_cast<std::uint64_t>(previous.sample.timestamp_ms));
  *out++ =
      static_cast<char>(value_bytes | (series_step == 1 ? kNextSeries : 0) | (time_step == 0 ? kSameTimestamp : 0));
  if (series_step != 1) out = PutVarint(out, ZigZag(series_step));
  if (time_step != 0) out = PutVarint(out, ZigZag(time_step));
  const std::uint64_t kept = value_bytes == 0 ? 0 : bits >> (64 - 8 * value_bytes);
  std::memcpy(out, &kept, 8);  // the buffer has room for 8
  return out + value_bytes;
}

bool GetSample(ByteReader& in, SeriesSample& sample) {
  const unsigned tag = in.Read<std::uint8_t>();
  const unsigned value_bytes = tag & kValueBytesMask;
  if (value_bytes > 8 || (tag & ~(kValueBytesMask | kNextSeries | kSameTimestamp)) != 0) return false;
  const std::int64_t step = (tag & kNextSeries) != 0 ? 1 : UnZigZag(in.Varint());
  sample.series = static_cast<SeriesId>(sample.series + static_cast<std::uint64_t>(step));
  if ((tag & kSameTimestamp) == 0) {
    const auto time_step = static_cast<std::uint64_t>(UnZigZag(in.Varint()));
    sample.sample.timestamp_ms =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(sample.sample.timestamp_ms) + time_step);
  }
  std::uint64_t kept = 0;
  const Bytes raw = in.Take(value_bytes);
  if (!in.ok()) return false;
  std::memcpy(&kept, raw.data(), raw.size());
  sample.sample.value_bits = value_bytes == 0 ? 0 : kept << (64 - 8 * value_bytes);
  return true;
}

}  // namespace

void EncodeBatch(std::span<const std::string> catalogue, std::span<const SeriesSample> samples, std::string& out) {
  out.clear();
  out.push_back(static_cast<char>(kBatchVersion));
  AppendVarint(out, catalogue.size());
  for (const std::string& entry : catalogue) {
    AppendVarint(out, entry.size());
    out.append(entry);
  }
  AppendVarint(out, samples.size());
  const std::size_t start = out.size();
  out.resize(start + samples.size() * kSampleBytesMax + 8);
  char* end = out.data() + start;
  SeriesSample previous;
  for (const SeriesSample& sample : samples) {
    end = PutSample(end, previous, sample);
    previous = sample;
  }
  out.resize(static_cast<std::size_t>(end - out.data()));
}

bool DecodeBatch(ByteReader& in, BatchView& out) {
  out.catalogue.clear();
  out.samples.clear();
  if (in.Read<std::uint8_t>() != kBatchVersion) return false;
  const std::uint64_t entries = in.Varint();
  if (!in.ok() || entries > in.remaining()) return false;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const Bytes entry = in.Take(in.Varint());
    if (!in.ok()) return false;
    out.catalogue.push_back(entry);
  }
  const std::uint64_t samples = in.Varint();
  if (!in.ok() || samples > in.remaining() || samples > kRecordSamplesMax) return false;
  out.samples.reserve(samples);
  SeriesSample sample;
  for (std::uint64_t i = 0; i < samples; ++i) {
    if (!GetSample(in, sample)) return false;
    out.samples.push_back(sample);
  }
  return true;
}

}  // namespace wiregauge::store
