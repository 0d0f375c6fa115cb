#include "exporter/expose/text.h"

#include <vector>

#include "exporter/expose/escape.h"
#include "exporter/expose/families.h"
#include "exporter/expose/number.h"

namespace wiregauge::expose {
namespace {

using aggregate::Family;
using aggregate::FamilyType;
using aggregate::Labels;
using aggregate::Point;

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
    labels_.clear();
    AppendLabels(point.labels, labels_);
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

  // `a="b",c="d"`, without braces.
  static void AppendLabels(const Labels& labels, std::string& out) {
    bool first = true;
    for (const auto& [name, value] : labels) {
      if (!first) out += ',';
      first = false;
      out += name;
      out += "=\"";
      AppendEscaped(value, true, out);
      out += '"';
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
    auto exemplar = point.exemplars.begin();
    for (std::size_t i = 0; i < point.buckets.size(); ++i) {
      Join(head_, BoundText(i, point.buckets[i].upper_bound));
      AppendNumber(point.buckets[i].cumulative, out_);
      if (open_ && exemplar != point.exemplars.end() && exemplar->bucket == i) AddExemplar(*exemplar++);
      out_ += '\n';
    }
    Line("_count", point.count);
    Line("_sum", point.sum);
  }

  void AddExemplar(const aggregate::Exemplar& exemplar) {
    out_ += " # {";
    AppendLabels(exemplar.labels, out_);
    out_ += "} ";
    AppendNumber(exemplar.value, out_);
    out_ += ' ';
    AppendTimestamp(exemplar.time_s, out_);
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

// Room for the whole text, so that it is not moved while it grows.
std::size_t EstimateBytes(const aggregate::Snapshot& snapshot) {
  std::size_t bytes = 64;
  for (const Family& family : snapshot) {
    bytes += 3 * family.name.size() + family.help.size() + 64;
    for (const Point& point : family.points) {
      std::size_t line = family.name.size() + 32;
      for (const auto& [name, value] : point.labels) line += name.size() + value.size() + 4;
      const bool many = family.type == FamilyType::kHistogram || family.type == FamilyType::kSummary;
      bytes += 160 * point.exemplars.size();
      bytes += line * (1 + (many ? 2 + point.buckets.size() + point.quantiles.size() : 0) + (point.created_s ? 1 : 0));
    }
  }
  return bytes;
}

}  // namespace

void AppendText(const aggregate::Snapshot& snapshot, Dialect dialect, std::string& out) {
  out.reserve(out.size() + EstimateBytes(snapshot));
  Writer writer(dialect, out);
  VisitFamilies(snapshot, [&writer](const Family& family, const std::vector<const Point*>& points) {
    writer.Begin(family);
    for (const Point* point : points) writer.Add(*point);
  });
  if (dialect == Dialect::kOpenMetrics) out += "# EOF\n";
}

}  // namespace wiregauge::expose
