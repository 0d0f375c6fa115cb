#include "remote_write/receive/labels.h"

#include <gtest/gtest.h>

#include "remote_write/receive/raw_key.h"
#include "remote_write/receive/request_builder.h"

namespace wiregauge::receive {
namespace {

using namespace std::string_literals;
using testing::Labels;

// The canonical labels as text, or the name of the reason.
std::string Canonical(const Labels& labels) {
  const std::string raw = testing::RawLabels(labels);
  std::vector<Label> parsed;
  if (!ParseLabels(AsBytes(raw), parsed)) return "malformed";
  if (const auto refusal = Canonicalise(parsed)) return std::string(ReasonName(refusal->reason));
  std::string out;
  for (const Label& label : parsed) out += std::string(label.name) + "=" + std::string(label.value) + ";";
  return out;
}

TEST(Canonicalise, SortsAndDropsEmptyValues) {
  EXPECT_EQ(Canonical({{"__name__", "up"}}), "__name__=up;");
  EXPECT_EQ(Canonical({{"b", "2"}, {"__name__", "up"}, {"a", "1"}}), "__name__=up;a=1;b=2;");
  EXPECT_EQ(Canonical({{"__name__", "up"}, {"a", ""}}), "__name__=up;");
  EXPECT_EQ(Canonical({{"__name__", "up"}, {"Z", "1"}, {"_", "2"}, {"a", "3"}}), "Z=1;_=2;__name__=up;a=3;");
}

TEST(Canonicalise, RefusesWithTheReason) {
  const Labels up = {{"__name__", "up"}};
  const auto with = [&](std::string name, std::string value) {
    Labels labels = up;
    labels.emplace_back(std::move(name), std::move(value));
    return Canonical(labels);
  };
  EXPECT_EQ(Canonical({}), "missing_metric_name");
  EXPECT_EQ(Canonical({{"a", "b"}}), "missing_metric_name");
  EXPECT_EQ(Canonical({{"__name__", ""}, {"a", "b"}}), "missing_metric_name");
  EXPECT_EQ(Canonical({{"__name__", "9up"}}), "invalid_metric_name");
  EXPECT_EQ(Canonical({{"__name__", "http.requests"}}), "invalid_metric_name");
  EXPECT_EQ(Canonical({{"__name__", "job:up:sum"}}), "__name__=job:up:sum;");
  EXPECT_EQ(with("", "x"), "empty_label_name");
  EXPECT_EQ(with("", ""), "empty_label_name");
  EXPECT_EQ(with("a.b", "x"), "invalid_label_name");
  EXPECT_EQ(with("a:b", "x"), "invalid_label_name");
  EXPECT_EQ(with("0a", "x"), "invalid_label_name");
  EXPECT_EQ(with("\xff", "x"), "invalid_utf8");
  EXPECT_EQ(with("a", "\xff"), "invalid_utf8");
  EXPECT_EQ(with("a", "line\nbreak and \xc3\xa9"), "__name__=up;a=line\nbreak and \xc3\xa9;");
  EXPECT_EQ(with("a", "nul\0inside"s), "__name__=up;a=nul\0inside;"s);
  EXPECT_EQ(Canonical({{"__name__", "up"}, {"a", "1"}, {"a", "1"}}), "duplicate_label");
  EXPECT_EQ(Canonical({{"a", "1"}, {"__name__", "up"}, {"a", ""}}), "duplicate_label");
  EXPECT_EQ(Canonical({{"__name__", "up"}, {"__name__", "down"}}), "duplicate_label");
}

TEST(Canonicalise, LimitsAreExact) {
  const auto labels = [](std::size_t count) {
    Labels out = {{"__name__", "up"}};
    for (std::size_t i = 1; i < count; ++i) out.emplace_back("l" + std::to_string(i), "v");
    return out;
  };
  EXPECT_NE(Canonical(labels(kMaxLabels - 1)), "too_many_labels");
  EXPECT_NE(Canonical(labels(kMaxLabels)), "too_many_labels");
  EXPECT_EQ(Canonical(labels(kMaxLabels + 1)), "too_many_labels");

  const auto name = [](std::size_t size) { return Canonical({{"__name__", "up"}, {std::string(size, 'n'), "v"}}); };
  EXPECT_NE(name(kMaxLabelNameBytes), "label_name_too_long");
  EXPECT_EQ(name(kMaxLabelNameBytes + 1), "label_name_too_long");

  const auto value = [](std::size_t size) { return Canonical({{"__name__", "up"}, {"n", std::string(size, 'v')}}); };
  EXPECT_NE(value(kMaxLabelValueBytes), "label_value_too_long");
  EXPECT_EQ(value(kMaxLabelValueBytes + 1), "label_value_too_long");
}

TEST(ParseLabels, LastFieldWinsUnknownFieldsAreSteppedOver) {
  std::string pair;
  testing::AppendField(pair, 1, "first");
  testing::AppendField(pair, 9, "unknown");
  testing::AppendField(pair, 1, "name");
  testing::AppendField(pair, 2, "value");
  pair += "\x08\x05";  // field 1 as a varint: not our field
  std::string raw;
  testing::AppendField(raw, 1, pair);
  std::vector<Label> labels;
  ASSERT_TRUE(ParseLabels(AsBytes(raw), labels).has_value());
  ASSERT_EQ(labels.size(), 1u);
  EXPECT_EQ(labels[0], (Label{"name", "value"}));
}

TEST(ParseLabels, EveryTruncationIsMalformed) {
  const std::string raw = testing::RawLabels({{"__name__", "up"}, {"job", "node"}});
  const std::size_t first = testing::RawLabels({{"__name__", "up"}}).size();
  std::vector<Label> labels;
  for (std::size_t cut = 1; cut < raw.size(); ++cut) {
    EXPECT_EQ(ParseLabels(AsBytes(raw).first(cut), labels).has_value(), cut == first) << cut;
  }
}

TEST(KeyOf, EveryBitCounts) {
  for (const std::size_t size : {1u, 16u, 17u, 128u, 129u, 240u, 241u, 400u}) {
    std::string raw(size, 'x');
    const RawKey key = KeyOf(AsBytes(raw));
    EXPECT_EQ(KeyOf(AsBytes(std::string(raw))), key);
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      std::string other = raw;
      other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
      const RawKey changed = KeyOf(AsBytes(other));
      ASSERT_TRUE(changed.low != key.low && changed.high != key.high) << size << " " << bit;
    }
  }
}

TEST(IsValidUtf8, FollowsTheUnicodeTable) {
  for (const auto& good : {""s, "ascii"s, "\xc2\x80"s, "\xdf\xbf"s, "\xe0\xa0\x80"s, "\xed\x9f\xbf"s, "\xee\x80\x80"s,
                           "\xef\xbf\xbd"s, "\xf0\x90\x80\x80"s, "\xf4\x8f\xbf\xbf"s, "\0"s}) {
    EXPECT_TRUE(IsValidUtf8(good));
  }
  for (const auto& bad :
       {"\x80"s, "\xc0\x80"s, "\xc1\xbf"s, "\xc2"s, "\xe0\x9f\xbf"s, "\xed\xa0\x80"s, "\xed\xbf\xbf"s, "\xe2\x82"s,
        "\xf0\x8f\xbf\xbf"s, "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xff"s, "a\xc3("s}) {
    EXPECT_FALSE(IsValidUtf8(bad));
  }
}

}  // namespace
}  // namespace wiregauge::receive
