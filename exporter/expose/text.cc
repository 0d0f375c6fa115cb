#include "exporter/expose/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "exporter/expose/number.h"

namespace wiregauge::expose {
namespace {

using aggregate::Family;
using aggregate::FamilyType;
using aggregate::Labels;
using aggregate::Point;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// How many bytes of `text` (not empty, its first byte not ASCII) are one well-formed character: 2 to 4, or 0; then
// `broken` says how many to replace.
std::size_t CharacterSize(std::string_view text, std::size_t& broken) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  broken = 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const std::size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
  if (lead == 0xe0) low = 0xa0;   // overlong
  if (lead == 0xed) high = 0x9f;  // surrogates
  if (lead == 0xf0) low = 0x90;   // overlong
  if (lead == 0xf4) high = 0x8f;  // above U+10FFFF
  for (std::size_t i = 1; i < size; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) {
      broken = i;
      return 0;
    }
    low = 0x80;
    high = 0xbf;
  }
  return size;
}

bool IsPlain(char c, bool escape_quotes) {
  return static_cast<signed char>(c) >= 0 && c != '\\' && c != '\n' && !(escape_quotes && c == '"');
}

std::string_view TypeName(FamilyType type, Dialect dialect) {
  const bool open = dialect == Dialect::kOpenMetrics;
  switch (type) {
    case FamilyType::kCounter: return "counter";
    case FamilyType::kGauge: return "gauge";
    case FamilyType::kHistogram: return "histogram";
    case FamilyType::kSummary: return "summary";
    case FamilyType::kInfo: return open ? "info" : "gauge";
    case FamilyType::kUnknown: break;
  }
  return open ? "unknown" : "untyped";
}

// The suffix of a family's samples, where there is only one kind.
std::string_view SampleSuffix(FamilyType type) {
  if (type == FamilyType::kCounter) return "_total";
  if (type == FamilyType::kInfo) return "_info";
  return {};
}

// The family's name without its samples' suffix, which a name from another library may already have.
std::string_view BaseName(const Family& family) {
  std::string_view name = family.name;
  const std::string_view suffix = SampleSuffix(family.type);
  if (!suffix.empty() && name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return name;
}

// Writes families; keeps what consecutive lines share, rendered once.
class Writer {
 public:
  Writer(Dialect dialect, std::string& out) : open_(dialect == Dialect::kOpenMetrics), dialect_(dialect), out_(out) {}

  void Begin(const Family& family) {
    type_ = family.type;
    base_ = BaseName(family);
    sample_ = base_;
    sample_ += SampleSuffix(type_);
    bounds_.clear();
    const std::string_view described = open_ ? base_ : std::string_view(sample_);
    if (!family.help.empty()) {
      Join("# HELP ", described, " ");
      AppendEscaped(family.help, open_, out_);
      out_ += '\n';
    }
    Join("# TYPE ", described, " ");
    Join(TypeName(type_, dialect_), "\n");
    if (open_ && !family.unit.empty()) {
      Join("# UNIT ", described, " ");
      Join(family.unit, "\n");
    }
  }

  void Add(const Point& point) {
    RenderLabels(point.labels);
    switch (type_) {
      case FamilyType::kHistogram: AddHistogram(point); break;
      case FamilyType::kSummary: AddSummary(point); break;
      default: Line({}, type_ == FamilyType::kInfo ? 1 : point.value); break;
    }
    const bool has_beginning =
        type_ == FamilyType::kCounter || type_ == FamilyType::kHistogram || type_ == FamilyType::kSummary;
    if (open_ && point.created_s && has_beginning) AddCreated(*point.created_s);
  }

 private:
  template <typename... Texts>
  void Join(const Texts&... texts) {
    (out_.append(texts), ...);
  }

  // labels_ becomes `a="b",c="d"`, without braces.
  void RenderLabels(const Labels& labels) {
    labels_.clear();
    for (const auto& [name, value] : labels) {
      if (!labels_.empty()) labels_ += ',';
      labels_ += name;
      labels_ += "=\"";
      AppendEscaped(value, true, labels_);
      labels_ += '"';
    }
  }

  void NameAndLabels(std::string_view suffix) {
    Join(sample_, suffix);
    if (!labels_.empty()) Join("{", labels_, "}");
    out_ += ' ';
  }

  template <typename Number>
  void Line(std::string_view suffix, Number value) {
    NameAndLabels(suffix);
    AppendNumber(value, out_);
    out_ += '\n';
  }

  void AddHistogram(const Point& point) {
    head_.assign(sample_).append("_bucket{").append(labels_);
    if (!labels_.empty()) head_ += ',';
    for (std::size_t i = 0; i < point.buckets.size(); ++i) {
      Join(head_, BoundText(i, point.buckets[i].upper_bound));
      AppendNumber(point.buckets[i].cumulative, out_);
      out_ += '\n';
    }
    Line("_count", point.count);
    Line("_sum", point.sum);
  }

  // `le="0.5"} `, rendered once for all points with the same bounds.
  std::string_view BoundText(std::size_t i, double bound) {
    if (i >= bounds_.size()) bounds_.resize(i + 1);
    RenderedBound& rendered = bounds_[i];
    if (rendered.text.empty() || rendered.bound != bound) {
      rendered.bound = bound;
      rendered.text = "le=\"";
      AppendBound(bound, open_, rendered.text);
      rendered.text += "\"} ";
    }
    return rendered.text;
  }

  void AddSummary(const Point& point) {
    for (const aggregate::Quantile& quantile : point.quantiles) {
      Join(sample_, "{", labels_, labels_.empty() ? "quantile=\"" : ",quantile=\"");
      AppendBound(quantile.quantile, open_, out_);
      out_ += "\"} ";
      AppendNumber(quantile.value, out_);
      out_ += '\n';
    }
    Line("_count", point.count);
    Line("_sum", point.sum);
  }

  void AddCreated(double created_s) {
    Join(base_, "_created");
    if (!labels_.empty()) Join("{", labels_, "}");
    out_ += ' ';
    AppendTimestamp(created_s, out_);
    out_ += '\n';
  }

  struct RenderedBound {
    double bound = 0;
    std::string text;
  };

  bool open_;
  Dialect dialect_;
  std::string& out_;
  FamilyType type_ = FamilyType::kUnknown;
  std::string_view base_;
  std::string sample_;
  std::string labels_;
  std::string head_;
  std::vector<RenderedBound> bounds_;
};

void AddPoints(const std::vector<Point>& points, Writer& writer) {
  const auto before = [](const Point& a, const Point& b) { return a.labels < b.labels; };
  if (std::is_sorted(points.begin(), points.end(), before)) {
    for (const Point& point : points) writer.Add(point);
    return;
  }
  std::vector<const Point*> order;
  order.reserve(points.size());
  for (const Point& point : points) order.push_back(&point);
  std::stable_sort(order.begin(), order.end(), [&](const Point* a, const Point* b) { return before(*a, *b); });
  for (const Point* point : order) writer.Add(*point);
}

// Room for the whole text, so that it is not moved while it grows.
std::size_t EstimateBytes(const aggregate::Snapshot& snapshot) {
  std::size_t bytes = 64;
  for (const Family& family : snapshot) {
    bytes += 3 * family.name.size() + family.help.size() + 64;
    for (const Point& point : family.points) {
      std::size_t line = family.name.size() + 32;
      for (const auto& [name, value] : point.labels) line += name.size() + value.size() + 4;
      const bool many = family.type == FamilyType::kHistogram || family.type == FamilyType::kSummary;
      bytes += line * (1 + (many ? 2 + point.buckets.size() + point.quantiles.size() : 0) + (point.created_s ? 1 : 0));
    }
  }
  return bytes;
}

}  // namespace

void AppendEscaped(std::string_view text, bool escape_quotes, std::string& out) {
  std::size_t plain = 0;  // begin of the run that is copied as it is
  for (std::size_t i = 0; i < text.size();) {
    if (IsPlain(text[i], escape_quotes)) {
      ++i;
      continue;
    }
    std::size_t broken = 0;
    const bool ascii = static_cast<signed char>(text[i]) >= 0;
    if (const std::size_t size = ascii ? 0 : CharacterSize(text.substr(i), broken); size > 0) {
      i += size;
      continue;
    }
    out.append(text.substr(plain, i - plain));
    if (ascii) {
      out += '\\';
      out += text[i] == '\n' ? 'n' : text[i];
    } else {
      out += kReplacement;
    }
    i += ascii ? 1 : broken;
    plain = i;
  }
  out.append(text.substr(plain));
}

void AppendText(const aggregate::Snapshot& snapshot, Dialect dialect, std::string& out) {
  out.reserve(out.size() + EstimateBytes(snapshot));
  std::vector<const Family*> order;
  for (const Family& family : snapshot) order.push_back(&family);
  std::stable_sort(order.begin(), order.end(),
                   [](const Family* a, const Family* b) { return BaseName(*a) < BaseName(*b); });
  Writer writer(dialect, out);
  for (std::size_t i = 0; i < order.size();) {
    const Family& first = *order[i];
    std::vector<Point> joined;  // only when several families have this name
    std::size_t next = i + 1;
    for (; next < order.size() && BaseName(*order[next]) == BaseName(first); ++next) {
      if (order[next]->type != first.type) Bug("metric family " + first.name + " has two types");
      if (joined.empty()) joined = first.points;
      joined.insert(joined.end(), order[next]->points.begin(), order[next]->points.end());
    }
    writer.Begin(first);
    AddPoints(next == i + 1 ? first.points : joined, writer);
    i = next;
  }
  if (dialect == Dialect::kOpenMetrics) out += "# EOF\n";
}

}  // namespace wiregauge::expose
