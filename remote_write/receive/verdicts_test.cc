#include "remote_write/receive/verdicts.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "remote_write/receive/request_builder.h"

namespace wiregauge::receive {
namespace {

TEST(Verdicts, FirstLineCountsThenThreeOffenders) {
  Verdicts verdicts;
  EXPECT_TRUE(verdicts.empty());
  const std::string raw = testing::RawLabels({{"__name__", "up"}, {"job", "a\"b"}});
  verdicts.Refuse(Reason::kTooOld, 2, AsBytes(raw), "timestamp before 5 ms");
  for (int i = 0; i < 9; ++i) verdicts.Refuse(Reason::kDuplicateLabel, 1, AsBytes(raw), "label a twice");
  verdicts.Refuse(Reason::kTooManyLabels, 0, AsBytes(raw), "nothing lost, nothing said");
  EXPECT_EQ(verdicts.total(), 11u);
  EXPECT_EQ(verdicts.Count(Reason::kDuplicateLabel), 9u);
  EXPECT_EQ(verdicts.Report(1989),
            "refused 11 (9 duplicate_label, 2 too_old), stored 1989 samples\n"
            "too_old: timestamp before 5 ms: {__name__=\"up\", job=\"a\\\"b\"}\n"
            "duplicate_label: label a twice: {__name__=\"up\", job=\"a\\\"b\"}\n"
            "duplicate_label: label a twice: {__name__=\"up\", job=\"a\\\"b\"}\n");
  verdicts.Clear();
  EXPECT_TRUE(verdicts.empty());
}

TEST(Verdicts, ReportIsShortPrintableAsciiWhateverTheLabels) {
  Verdicts verdicts;
  const std::string raw = testing::RawLabels({{"__name__", std::string(100'000, '\xff')}, {"\n", "\x01"}});
  verdicts.Refuse(Reason::kInvalidUtf8, 1, AsBytes(raw), std::string(100'000, '\n'));
  const std::string report = verdicts.Report(0);
  EXPECT_LT(report.size(), 1024u);
  EXPECT_TRUE(std::all_of(report.begin(), report.end(), [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }));
  EXPECT_EQ(std::count(report.begin(), report.end(), '\n'), 2);
}

TEST(Verdicts, EveryReasonHasItsOwnName) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kReasonCount; ++i) names.push_back(ReasonName(static_cast<Reason>(i)));
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_FALSE(names.front().empty());
  EXPECT_EQ(static_cast<std::size_t>(Reason::kHistogramUnsupported) + 1, kReasonCount);
}

}  // namespace
}  // namespace wiregauge::receive
