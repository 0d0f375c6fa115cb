#include "exporter/expose/protobuf.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "exporter/expose/escape.h"
#include "exporter/expose/families.h"

namespace wiregauge::expose {
namespace {

using aggregate::Family;
using aggregate::FamilyType;
using aggregate::Labels;
using aggregate::NativeBuckets;
using aggregate::Point;

// Field numbers, by message: proto/metrics.proto.
namespace timestamp {
constexpr unsigned kSeconds = 1, kNanos = 2;
}
namespace label_pair {
constexpr unsigned kName = 1, kValue = 2;
}
namespace exemplar {
constexpr unsigned kLabel = 1, kValue = 2, kTimestamp = 3;
}
namespace single_value {  // gauge, untyped
constexpr unsigned kValue = 1;
}
namespace counter {
constexpr unsigned kValue = 1, kCreated = 3;
}
namespace quantile {
constexpr unsigned kQuantile = 1, kValue = 2;
}
namespace summary {
constexpr unsigned kCount = 1, kSum = 2, kQuantile = 3, kCreated = 4;
}
namespace bucket {
constexpr unsigned kCumulative = 1, kUpperBound = 2, kExemplar = 3;
}
namespace bucket_span {
constexpr unsigned kOffset = 1, kLength = 2;
}
namespace histogram {
constexpr unsigned kCount = 1, kSum = 2, kBucket = 3, kSchema = 5, kZeroThreshold = 6, kZeroCount = 7,
                   kPositiveSpan = 12, kPositiveDelta = 13, kCreated = 15;
}
namespace metric {
constexpr unsigned kLabel = 1, kGauge = 2, kCounter = 3, kSummary = 4, kUntyped = 5, kHistogram = 7;
}
namespace metric_family {
constexpr unsigned kName = 1, kHelp = 2, kType = 3, kMetric = 4, kUnit = 5;
}

// Empty buckets between two that have counts which are told as zeros: a new span takes as many bytes as two of them.
constexpr std::int32_t kGapMax = 2;

// Wire types (protobuf encoding, "Message structure").
constexpr unsigned kVarint = 0, kFixed64 = 1, kLengthDelimited = 2;

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void Add(const Family& family, const std::vector<const Point*>& points) {
    Delimited([&] {
      std::string name(BaseName(family));
      name += SampleSuffix(family.type);
      Text(metric_family::kName, name);
      if (!family.help.empty()) Text(metric_family::kHelp, family.help);
      Unsigned(metric_family::kType, TypeNumber(family.type));
      for (const Point* point : points) {
        Message(metric_family::kMetric, [&] { AddPoint(family.type, *point); });
      }
      if (!family.unit.empty()) Text(metric_family::kUnit, family.unit);
    });
  }

 private:
  static std::uint64_t TypeNumber(FamilyType type) {
    switch (type) {
      case FamilyType::kCounter: return 0;
      case FamilyType::kGauge:
      case FamilyType::kInfo: return 1;
      case FamilyType::kSummary: return 2;
      case FamilyType::kUnknown: break;
      case FamilyType::kHistogram: return 4;
    }
    return 3;
  }

  void AddPoint(FamilyType type, const Point& point) {
    AddLabels(metric::kLabel, point.labels);
    switch (type) {
      case FamilyType::kCounter:
        Message(metric::kCounter, [&] {
          Double(counter::kValue, point.value);
          if (point.created_s) Timestamp(counter::kCreated, *point.created_s);
        });
        break;
      case FamilyType::kGauge: Message(metric::kGauge, [&] { Double(single_value::kValue, point.value); }); break;
      case FamilyType::kInfo: Message(metric::kGauge, [&] { Double(single_value::kValue, 1); }); break;
      case FamilyType::kUnknown: Message(metric::kUntyped, [&] { Double(single_value::kValue, point.value); }); break;
      case FamilyType::kSummary: Message(metric::kSummary, [&] { AddSummary(point); }); break;
      case FamilyType::kHistogram: Message(metric::kHistogram, [&] { AddHistogram(point); }); break;
    }
  }

  void AddLabels(unsigned field, const Labels& labels) {
    for (const auto& [name, value] : labels) {
      Message(field, [&, &name = name, &value = value] {
        Text(label_pair::kName, name);
        Text(label_pair::kValue, value);
      });
    }
  }

  void AddSummary(const Point& point) {
    Unsigned(summary::kCount, point.count);
    Double(summary::kSum, point.sum);
    for (const aggregate::Quantile& value : point.quantiles) {
      Message(summary::kQuantile, [&] {
        Double(quantile::kQuantile, value.quantile);
        Double(quantile::kValue, value.value);
      });
    }
    if (point.created_s) Timestamp(summary::kCreated, *point.created_s);
  }

  void AddHistogram(const Point& point) {
    Unsigned(histogram::kCount, point.count);
    Double(histogram::kSum, point.sum);
    auto next = point.exemplars.begin();
    for (std::size_t i = 0; i < point.buckets.size(); ++i) {
      Message(histogram::kBucket, [&] {
        Unsigned(bucket::kCumulative, point.buckets[i].cumulative);
        Double(bucket::kUpperBound, point.buckets[i].upper_bound);
        if (next == point.exemplars.end() || next->bucket != i) return;
        Message(bucket::kExemplar, [&] {
          AddLabels(exemplar::kLabel, next->labels);
          Double(exemplar::kValue, next->value);
          Timestamp(exemplar::kTimestamp, next->time_s);
        });
        ++next;
      });
    }
    if (point.native) AddNative(*point.native);
    if (point.created_s) Timestamp(histogram::kCreated, *point.created_s);
  }

  void AddNative(const NativeBuckets& native) {
    Unsigned(histogram::kSchema, ZigZag(native.schema));
    Double(histogram::kZeroThreshold, native.zero_threshold);
    Unsigned(histogram::kZeroCount, native.zero_count);
    std::vector<std::int64_t> deltas;
    std::int32_t span_end = 0;  // index behind the last span
    for (std::size_t i = 0; i < native.buckets.size();) {
      const std::int32_t offset = native.buckets[i].index - span_end;
      const std::int32_t begin = native.buckets[i].index;
      i = AddRun(native.buckets, i, deltas);
      span_end = native.buckets[i - 1].index + 1;
      Message(histogram::kPositiveSpan, [&] {
        Unsigned(bucket_span::kOffset, ZigZag(offset));
        Unsigned(bucket_span::kLength, static_cast<std::uint64_t>(span_end - begin));
      });
    }
    if (deltas.empty()) return;
    Message(histogram::kPositiveDelta, [&] {
      for (const std::int64_t delta : deltas) Varint(ZigZag(delta));
    });
  }

  // Appends the counts of buckets from `i` on that are close enough to be one span, as differences; zeros for the empty
  // ones between. The index behind them. Differences go on over spans.
  std::size_t AddRun(const std::vector<NativeBuckets::Bucket>& buckets, std::size_t i,
                     std::vector<std::int64_t>& deltas) {
    if (deltas.empty()) last_count_ = 0;
    const auto add = [&](std::uint64_t count) {
      deltas.push_back(static_cast<std::int64_t>(count - last_count_));
      last_count_ = count;
    };
    add(buckets[i].count);
    for (++i; i < buckets.size() && buckets[i].index - buckets[i - 1].index - 1 <= kGapMax; ++i) {
      for (std::int32_t gap = buckets[i - 1].index + 1; gap < buckets[i].index; ++gap) add(0);
      add(buckets[i].count);
    }
    return i;
  }

  static std::uint64_t ZigZag(std::int64_t value) {
    return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
  }

  void Varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  void Tag(unsigned field, unsigned wire_type) { Varint(field << 3 | wire_type); }
  void Unsigned(unsigned field, std::uint64_t value) {
    Tag(field, kVarint);
    Varint(value);
  }
  void Double(unsigned field, double value) {
    Tag(field, kFixed64);
    const auto bits = std::bit_cast<std::uint64_t>(value);
    std::array<char, 8> bytes;
    for (unsigned i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bits >> (8 * i));
    out_.append(bytes.data(), bytes.size());
  }
  void Text(unsigned field, std::string_view text) {
    Message(field, [&] { AppendUtf8(text, out_); });
  }
  void Timestamp(unsigned field, double unix_s) {
    const double seconds = std::floor(unix_s);
    const auto milliseconds = static_cast<std::uint64_t>(std::lround((unix_s - seconds) * 1e3));
    Message(field, [&] {
      Unsigned(timestamp::kSeconds, static_cast<std::uint64_t>(seconds) + milliseconds / 1'000);
      Unsigned(timestamp::kNanos, milliseconds % 1'000 * 1'000'000);
    });
  }

  template <typename Body>
  void Message(unsigned field, Body body) {
    Tag(field, kLengthDelimited);
    Delimited(body);
  }

  // What `body` appends, behind its length. One byte is left for the length, as it is below 128 nearly always; more are
  // made room for.
  template <typename Body>
  void Delimited(Body body) {
    const std::size_t at = out_.size();
    out_ += '\0';
    body();
    std::uint64_t length = out_.size() - at - 1;
    std::array<char, 10> bytes;
    std::size_t size = 0;
    for (; length >= 0x80; length >>= 7) bytes[size++] = static_cast<char>(length | 0x80);
    bytes[size++] = static_cast<char>(length);
    out_[at] = bytes[0];
    out_.insert(at + 1, bytes.data() + 1, size - 1);
  }

  std::string& out_;
  std::uint64_t last_count_ = 0;
};

}  // namespace

void AppendProtobuf(const aggregate::Snapshot& snapshot, std::string& out) {
  Writer writer(out);
  VisitFamilies(snapshot, [&writer](const Family& family, const std::vector<const Point*>& points) {
    writer.Add(family, points);
  });
}

}  // namespace wiregauge::expose
