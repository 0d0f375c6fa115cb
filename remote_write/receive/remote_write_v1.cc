#include "remote_write/receive/remote_write_v1.h"

#include <fmt/format.h>

#include "remote_write/receive/labels.h"
#include "remote_write/receive/wire.h"

namespace wiregauge::receive {
namespace {

constexpr std::uint32_t kLabelTag = Tag(1, WireType::kLength);
constexpr std::uint32_t kSampleTag = Tag(2, WireType::kLength);
constexpr std::uint32_t kExemplarTag = Tag(3, WireType::kLength);
constexpr std::uint32_t kHistogramTag = Tag(4, WireType::kLength);

bool ParseSampleFields(Bytes message, Sample& sample) {
  WireReader reader(message);
  while (!reader.AtEnd()) {
    const std::uint32_t tag = reader.ReadTag();
    if (tag == Tag(1, WireType::kFixed64)) {
      sample.value_bits = reader.ReadFixed64();
    } else if (tag == Tag(2, WireType::kVarint)) {
      sample.timestamp_ms = static_cast<std::int64_t>(reader.ReadVarint());
    } else if (reader.ok()) {
      reader.Skip(tag);
    }
  }
  return reader.ok();
}

// What every sender writes: value, then timestamp in six bytes (years 1971 to 2109). Anything else goes field by field.
inline bool ParseSample(Bytes message, Sample& sample) {
  const std::uint8_t* p = message.data();
  if (message.size() != 16 || p[0] != Tag(1, WireType::kFixed64) || p[9] != Tag(2, WireType::kVarint)) {
    return ParseSampleFields(message, sample);
  }
  std::memcpy(&sample.value_bits, p + 1, 8);
  std::uint64_t six = 0;
  std::memcpy(&six, p + 10, 6);
  constexpr std::uint64_t kContinueBits = 0x808080808080;
  constexpr std::uint64_t kSixByteVarint = 0x008080808080;  // five bytes that continue and one that ends
  if ((six & kContinueBits) != kSixByteVarint) return ParseSampleFields(message, sample);
  const std::uint64_t value = (six & 0x7f) | (six >> 8 & 0x7f) << 7 | (six >> 16 & 0x7f) << 14 |
                              (six >> 24 & 0x7f) << 21 | (six >> 32 & 0x7f) << 28 | (six >> 40 & 0x7f) << 35;
  sample.timestamp_ms = static_cast<std::int64_t>(value);
  return true;
}

// One TimeSeries message. Counts what is refused while it goes and speaks the verdicts at the end, when the labels are
// known.
class SeriesDecoder {
 public:
  SeriesDecoder(Bytes message, const TimeWindow& window, WriteRequest& out)
      : reader_(message), window_(window), out_(out) {}

  // False: malformed.
  bool Decode() {
    const auto first = static_cast<std::uint32_t>(out_.samples.size());
    ReadLabelRun();
    while (!reader_.AtEnd()) ReadField();
    if (!reader_.ok()) return false;
    const auto count = static_cast<std::uint32_t>(out_.samples.size()) - first;
    if (count > 0) {
      out_.series.push_back({labels_, KeyOf(labels_), first, count});  // hashed while the cache has them
    } else if (std::vector<Label> ignored; !ParseLabels(labels_, ignored)) {
      return false;  // encode will not see these labels, so their grammar is checked here
    }
    if ((too_old_ | too_new_ | exemplars_ | histograms_) != 0) Refuse();
    return true;
  }

 private:
  // Labels stand first and together in what senders write: one hop a label, none of it parsed.
  void ReadLabelRun() {
    const std::uint8_t* begin = reader_.position();
    reader_.SkipShortRun(kLabelTag);
    while (!reader_.AtEnd() && reader_.Peek() == kLabelTag) {
      reader_.ReadTag();
      reader_.ReadLength();
      reader_.SkipShortRun(kLabelTag);
    }
    labels_ = reader_.ok() ? Bytes{begin, reader_.position()} : Bytes{};
  }

  void ReadField() {
    const std::uint32_t tag = reader_.ReadTag();
    if (tag == kSampleTag) {
      ReadSample();
    } else if (tag == kLabelTag) {
      GatherLabel(reader_.ReadLength());
    } else if (tag == kExemplarTag) {
      reader_.ReadLength();
      ++exemplars_;
    } else if (tag == kHistogramTag) {
      reader_.ReadLength();
      ++histograms_;
    } else if (reader_.ok()) {
      reader_.Skip(tag);
    }
  }

  void ReadSample() {
    Sample sample;
    if (!ParseSample(reader_.ReadLength(), sample)) {
      reader_.Fail();
    } else if (sample.timestamp_ms < window_.oldest_ms) {
      ++too_old_;
    } else if (sample.timestamp_ms > window_.newest_ms) {
      ++too_new_;
    } else {
      out_.samples.push_back(sample);
    }
  }

  void GatherLabel(Bytes label) {
    if (!gathered_) {
      gathered_ = true;
      out_.gathered.emplace_back(AsText(labels_));
    }
    std::string& raw = out_.gathered.back();
    raw.push_back(static_cast<char>(kLabelTag));
    AppendVarint(raw, label.size());
    raw.append(AsText(label));
    labels_ = AsBytes(raw);
  }

  void Refuse() {
    out_.verdicts.Refuse(Reason::kTooOld, too_old_, labels_,
                         fmt::format("timestamp before {} ms, the retention", window_.oldest_ms));
    out_.verdicts.Refuse(Reason::kTooFarInFuture, too_new_, labels_,
                         fmt::format("timestamp after {} ms, the clock + 10 min", window_.newest_ms));
    out_.verdicts.Refuse(Reason::kExemplarUnsupported, exemplars_, labels_, "exemplars are not stored");
    out_.verdicts.Refuse(Reason::kHistogramUnsupported, histograms_, labels_, "native histograms are not stored");
  }

  WireReader reader_;
  const TimeWindow& window_;
  WriteRequest& out_;
  Bytes labels_;
  bool gathered_ = false;
  std::uint64_t too_old_ = 0;
  std::uint64_t too_new_ = 0;
  std::uint64_t exemplars_ = 0;
  std::uint64_t histograms_ = 0;
};

bool DecodeMetadata(Bytes message, WriteRequest& out) {
  Metadata metadata;
  WireReader reader(message);
  while (!reader.AtEnd()) {
    const std::uint32_t tag = reader.ReadTag();
    if (tag == Tag(1, WireType::kVarint)) {
      metadata.type = reader.ReadVarint();
    } else if (tag == Tag(2, WireType::kLength)) {
      metadata.family = AsText(reader.ReadLength());
    } else if (tag == Tag(4, WireType::kLength)) {
      metadata.help = AsText(reader.ReadLength());
    } else if (tag == Tag(5, WireType::kLength)) {
      metadata.unit = AsText(reader.ReadLength());
    } else if (reader.ok()) {
      reader.Skip(tag);
    }
  }
  if (reader.ok()) out.metadata.push_back(metadata);
  return reader.ok();
}

}  // namespace

Status DecodeV1(Bytes message, const TimeWindow& window, WriteRequest& out) {
  out.Clear();
  WireReader reader(message);
  while (!reader.AtEnd()) {
    const auto offset = reader.position() - message.data();
    const std::uint32_t tag = reader.ReadTag();
    bool ok = true;
    if (tag == Tag(1, WireType::kLength)) {
      const Bytes series = reader.ReadLength();
      ok = reader.ok() && SeriesDecoder(series, window, out).Decode();
    } else if (tag == Tag(3, WireType::kLength)) {
      const Bytes metadata = reader.ReadLength();
      ok = reader.ok() && DecodeMetadata(metadata, out);
    } else if (reader.ok()) {
      reader.Skip(tag);
    }
    if (!ok || !reader.ok()) {
      return Error{
          Code::kInvalidArgument,
          fmt::format("write request: malformed protobuf in the field at byte {} of {}", offset, message.size())};
    }
  }
  return {};
}

}  // namespace wiregauge::receive
