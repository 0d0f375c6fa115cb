#include "exporter/expose/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "exporter/expose/escape.h"
#include "exporter/expose/sample_snapshot.h"

namespace wiregauge::expose {
namespace {

using aggregate::FamilyType;
using aggregate::Snapshot;

std::string Text(const Snapshot& snapshot, Dialect dialect) {
  std::string out;
  AppendText(snapshot, dialect, out);
  return out;
}

std::string Escaped(std::string_view text, bool quotes = true) {
  std::string out;
  AppendEscaped(text, quotes, out);
  return out;
}

constexpr char kGoldenText[] = R"(# HELP a_ratio A ratio.
# TYPE a_ratio gauge
a_ratio 0.25
a_ratio{kind="inf"} +Inf
a_ratio{kind="nan"} NaN
# HELP bytes_sent_bytes_total Back\\slash "quoted"\nline.
# TYPE bytes_sent_bytes_total counter
bytes_sent_bytes_total{peer="quote \" back\\slash new\nline café"} 1000000000000000
bytes_sent_bytes_total{peer="z"} 2
# HELP http_server_request_duration_seconds Time to answer.
# TYPE http_server_request_duration_seconds histogram
http_server_request_duration_seconds_bucket{http_route="/a",service_name="web",le="0.0005"} 1
http_server_request_duration_seconds_bucket{http_route="/a",service_name="web",le="1"} 3
http_server_request_duration_seconds_bucket{http_route="/a",service_name="web",le="+Inf"} 4
http_server_request_duration_seconds_count{http_route="/a",service_name="web"} 4
http_server_request_duration_seconds_sum{http_route="/a",service_name="web"} 12.5
# HELP old_thing Of no type.
# TYPE old_thing untyped
old_thing 7
# HELP scrape_time_seconds Scrapes.
# TYPE scrape_time_seconds summary
scrape_time_seconds{quantile="0.5"} 0.01
scrape_time_seconds{quantile="1"} 0.02
scrape_time_seconds_count 3
scrape_time_seconds_sum 0.05
# HELP target_info What is known.
# TYPE target_info gauge
target_info{service_name="web"} 1
)";

constexpr char kGoldenOpenMetrics[] = R"(# HELP a_ratio A ratio.
# TYPE a_ratio gauge
a_ratio 0.25
a_ratio{kind="inf"} +Inf
a_ratio{kind="nan"} NaN
# HELP bytes_sent_bytes Back\\slash \"quoted\"\nline.
# TYPE bytes_sent_bytes counter
# UNIT bytes_sent_bytes bytes
bytes_sent_bytes_total{peer="quote \" back\\slash new\nline café"} 1000000000000000
bytes_sent_bytes_total{peer="z"} 2
bytes_sent_bytes_created{peer="z"} 1795158851.000
# HELP http_server_request_duration_seconds Time to answer.
# TYPE http_server_request_duration_seconds histogram
# UNIT http_server_request_duration_seconds seconds
http_server_request_duration_seconds_bucket{http_route="/a",service_name="web",le="0.0005"} 1 # {span_id="00000000000000b1",trace_id="quote \" back\\slash new\nline café"} 0.00025 1795158860.250
http_server_request_duration_seconds_bucket{http_route="/a",service_name="web",le="1.0"} 3
http_server_request_duration_seconds_bucket{http_route="/a",service_name="web",le="+Inf"} 4 # {trace_id="a2"} 12 1795158861.000
http_server_request_duration_seconds_count{http_route="/a",service_name="web"} 4
http_server_request_duration_seconds_sum{http_route="/a",service_name="web"} 12.5
http_server_request_duration_seconds_created{http_route="/a",service_name="web"} 1795158851.493
# HELP old_thing Of no type.
# TYPE old_thing unknown
old_thing 7
# HELP scrape_time_seconds Scrapes.
# TYPE scrape_time_seconds summary
# UNIT scrape_time_seconds seconds
scrape_time_seconds{quantile="0.5"} 0.01
scrape_time_seconds{quantile="1.0"} 0.02
scrape_time_seconds_count 3
scrape_time_seconds_sum 0.05
# HELP target What is known.
# TYPE target info
target_info{service_name="web"} 1
# EOF
)";

TEST(AppendText, GoldenText) { EXPECT_EQ(Text(SampleSnapshot(), Dialect::kText), kGoldenText); }

TEST(AppendText, GoldenOpenMetrics) { EXPECT_EQ(Text(SampleSnapshot(), Dialect::kOpenMetrics), kGoldenOpenMetrics); }

TEST(AppendText, TheOrderOfTheSnapshotDoesNotMatter) {
  Snapshot snapshot = SampleSnapshot();
  std::reverse(snapshot.begin(), snapshot.end());
  for (aggregate::Family& family : snapshot) std::reverse(family.points.begin(), family.points.end());
  EXPECT_EQ(Text(snapshot, Dialect::kText), kGoldenText);
}

TEST(AppendText, AnEmptySnapshot) {
  EXPECT_EQ(Text({}, Dialect::kText), "");
  EXPECT_EQ(Text({}, Dialect::kOpenMetrics), "# EOF\n");
}

TEST(AppendText, NamesThatAlreadyHaveTheirSuffixKeepOne) {
  Snapshot snapshot;
  snapshot.push_back(SampleFamily("a_total", "", FamilyType::kCounter, ""));
  snapshot.back().points.push_back(SamplePoint({}, 1));
  snapshot.push_back(SampleFamily("b_info", "", FamilyType::kInfo, ""));
  snapshot.back().points.push_back(SamplePoint({}, 1));
  EXPECT_EQ(Text(snapshot, Dialect::kText), "# TYPE a_total counter\na_total 1\n# TYPE b_info gauge\nb_info 1\n");
  EXPECT_EQ(Text(snapshot, Dialect::kOpenMetrics), "# TYPE a counter\na_total 1\n# TYPE b info\nb_info 1\n# EOF\n");
}

TEST(AppendText, FamiliesOfOneNameAreToldOnce) {
  Snapshot snapshot;
  for (const char* label : {"2", "3", "1"}) {
    snapshot.push_back(SampleFamily(label[0] == '3' ? "a_total" : "a", "", FamilyType::kCounter, "Help."));
    snapshot.back().points.push_back(SamplePoint({{"l", label}}, 1));
  }
  EXPECT_EQ(
      Text(snapshot, Dialect::kText),
      "# HELP a_total Help.\n# TYPE a_total counter\na_total{l=\"1\"} 1\na_total{l=\"2\"} 1\na_total{l=\"3\"} 1\n");
}

TEST(AppendText, DifferentBoundsInOneFamily) {
  Snapshot snapshot;
  snapshot.push_back(SampleFamily("h", "", FamilyType::kHistogram, ""));
  for (const double bound : {1.0, 2.0}) {
    aggregate::Point point = SamplePoint({{"b", bound == 1.0 ? "1" : "2"}}, 0);
    point.buckets = {{bound, 0}, {std::numeric_limits<double>::infinity(), 0}};
    snapshot.back().points.push_back(point);
  }
  const std::string text = Text(snapshot, Dialect::kText);
  EXPECT_NE(text.find("h_bucket{b=\"1\",le=\"1\"} 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("h_bucket{b=\"2\",le=\"2\"} 0\n"), std::string::npos) << text;
}

TEST(AppendTextDeathTest, OneNameWithTwoTypesIsABug) {
  Snapshot snapshot;
  snapshot.push_back(SampleFamily("a", "", FamilyType::kCounter, ""));
  snapshot.push_back(SampleFamily("a", "", FamilyType::kGauge, ""));
  EXPECT_DEATH(Text(snapshot, Dialect::kText), "BUG: metric family a has two types");
}

TEST(AppendEscaped, EscapesThreeCharacters) {
  EXPECT_EQ(Escaped(""), "");
  EXPECT_EQ(Escaped("plain"), "plain");
  EXPECT_EQ(Escaped("\"\\\n"), "\\\"\\\\\\n");
  EXPECT_EQ(Escaped("\"\\\n", false), "\"\\\\\\n");
  EXPECT_EQ(Escaped(std::string("a\0\tb", 4)), std::string("a\0\tb", 4));
}

TEST(AppendEscaped, ReplacesWhatIsNotUtf8) {
  const std::string r = "\xef\xbf\xbd";
  for (const char* good : {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Escaped(good), good);
    EXPECT_EQ(Escaped(std::string("x") + good + "y"), std::string("x") + good + "y");
  }
  EXPECT_EQ(Escaped("a\xff"
                    "b"),
            "a" + r + "b");
  EXPECT_EQ(Escaped("\x80"), r);
  EXPECT_EQ(Escaped("\xc0\xaf"), r + r);          // overlong
  EXPECT_EQ(Escaped("\xe0\x9f\xbf"), r + r + r);  // overlong
  EXPECT_EQ(Escaped("\xed\xa0\x80"), r + r + r);  // surrogate
  EXPECT_EQ(Escaped("\xf4\x90\x80\x80"), r + r + r + r);
  EXPECT_EQ(Escaped("\xf5\x80"), r + r);
  EXPECT_EQ(Escaped("\xe2\x82"), r);  // a cut character is one piece
  EXPECT_EQ(Escaped("\xe2\x82"
                    "a"),
            r + "a");
  EXPECT_EQ(Escaped("\xf0\x9f\x98"), r);
  EXPECT_EQ(Escaped("\xe2\"\xc3\n"), r + "\\\"" + r + "\\n");
}

}  // namespace
}  // namespace wiregauge::expose
