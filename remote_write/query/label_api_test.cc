// Expected bodies were taken from Debian's Prometheus 2.42 asked the same.
#include "remote_write/query/label_api.h"

#include <gtest/gtest.h>

#include "remote_write/query/json.h"
#include "remote_write/query/query_fixture.h"

namespace wiregauge::query {
namespace {

using receive::testing::At;
using testing::Get;
using testing::PostForm;

class LabelApiTest : public ::testing::Test {
 protected:
  LabelApiTest() {
    data_.Write({{"__name__", "up"}, {"job", "b"}}, {At(10'000, 1)});
    data_.Write({{"__name__", "up"}, {"job", "a"}, {"zone", "eu\"<"}}, {At(20'000, 1)});
    data_.Write({{"__name__", "down"}, {"job", "c"}}, {At(30'000, 1)});
  }

  static std::string Show(const http::Response& response) {
    return std::to_string(response.status) + " " + response.body;
  }
  std::string Series(const http::Request& request) { return Show(api_.Series(request)); }
  std::string Labels(const http::Request& request) { return Show(api_.Labels(request)); }
  std::string Values(const std::string& path) { return Show(api_.Values(Get(path))); }

  testing::Data data_;
  MetadataTable metadata_;
  LabelApi api_{data_.dictionary, data_.store, metadata_, "0.1.0"};
};

TEST_F(LabelApiTest, SeriesAreSortedMergedAndDeduplicated) {
  const std::string ups = R"({"__name__":"up","job":"a","zone":"eu\"\u003c"},{"__name__":"up","job":"b"})";
  EXPECT_EQ(Series(Get("/api/v1/series?match[]=up")), R"(200 {"status":"success","data":[)" + ups + "]}");
  EXPECT_EQ(Series(Get("/api/v1/series?match[]=up&match%5B%5D=%7Bjob%3D~%22a%7Cb%22%7D")),
            R"(200 {"status":"success","data":[)" + ups + "]}");
  EXPECT_EQ(Series(PostForm("/api/v1/series", "match[]=down&start=0")),
            R"(200 {"status":"success","data":[{"__name__":"down","job":"c"}]})");
  EXPECT_EQ(Series(Get("/api/v1/series?match[]=nosuch")), R"(200 {"status":"success","data":[]})");
}

TEST_F(LabelApiTest, TimeRangeIsInclusiveAtBothEnds) {
  const auto up_between = [&](const std::string& start, const std::string& end) {
    const std::string body = Series(Get("/api/v1/series?match[]=up&start=" + start + "&end=" + end));
    return std::string(body.find("\"a\"") == std::string::npos ? "" : "a") +
           (body.find("\"b\"") == std::string::npos ? "" : "b");
  };
  EXPECT_EQ(up_between("0", "9.999"), "");
  EXPECT_EQ(up_between("0", "10"), "b");
  EXPECT_EQ(up_between("10", "20"), "ab");
  EXPECT_EQ(up_between("10.001", "1970-01-01T00:00:20Z"), "a");
  EXPECT_EQ(up_between("-292273086-05-16T16:47:06Z", "%2B292277025-08-18T07:12:54.999999999Z"), "ab");
  EXPECT_EQ(up_between("20", "10"), "");
  EXPECT_EQ(up_between("", ""), "ab");
}

TEST_F(LabelApiTest, SeriesErrors) {
  const auto bad = [](const std::string& error) {
    return R"(400 {"status":"error","errorType":"bad_data","error":")" + error + "\"}";
  };
  EXPECT_EQ(Series(Get("/api/v1/series")), bad("no match[] parameter provided"));
  EXPECT_EQ(Series(Get("/api/v1/series?match[]=%7B%7D")),
            bad(R"(invalid parameter \"match[]\": match[] must contain at least one non-empty matcher)"));
  EXPECT_EQ(
      Series(Get("/api/v1/series?match[]=up&start=x")),
      bad(R"(invalid parameter \"start\": Invalid time value for 'start': cannot parse \"x\" to a valid timestamp)"));
  EXPECT_EQ(Series(Get("/api/v1/series?match[]=up&end=x")),
            bad(R"(invalid parameter \"end\": Invalid time value for 'end': cannot parse \"x\" to a valid timestamp)"));
  EXPECT_EQ(Series(Get("/api/v1/series?match[]=up%5B5m%5D")).substr(0, 4), "400 ");
}

TEST_F(LabelApiTest, LabelNames) {
  const auto names = [](const std::string& list) { return R"(200 {"status":"success","data":[)" + list + "]}"; };
  EXPECT_EQ(Labels(Get("/api/v1/labels")), names(R"("__name__","job","zone")"));
  EXPECT_EQ(Labels(PostForm("/api/v1/labels", "match[]=down")), names(R"("__name__","job")"));
  EXPECT_EQ(Labels(Get("/api/v1/labels?start=25")), names(R"("__name__","job")"));
  EXPECT_EQ(Labels(Get("/api/v1/labels?start=40")), names(""));
  EXPECT_EQ(
      Labels(Get("/api/v1/labels?match[]=%7Ba%3D%22%22%7D")),
      R"(400 {"status":"error","errorType":"bad_data","error":"match[] must contain at least one non-empty matcher"})");
}

TEST_F(LabelApiTest, LabelValues) {
  const auto values = [](const std::string& list) { return R"(200 {"status":"success","data":[)" + list + "]}"; };
  EXPECT_EQ(Values("/api/v1/label/job/values"), values(R"("a","b","c")"));
  EXPECT_EQ(Values("/api/v1/label/__name__/values"), values(R"("down","up")"));
  EXPECT_EQ(Values("/api/v1/label/job/values?match[]=up"), values(R"("a","b")"));
  EXPECT_EQ(Values("/api/v1/label/job/values?match[]=up&start=15"), values(R"("a")"));
  EXPECT_EQ(Values("/api/v1/label/nosuch/values"), values(""));
  EXPECT_EQ(Values("/api/v1/label/a-b/values"),
            R"(400 {"status":"error","errorType":"bad_data","error":"invalid label name: \"a-b\""})");
  EXPECT_EQ(Values("/api/v1/label/job").substr(0, 4), "404 ");
  EXPECT_EQ(Values("/api/v1/label//values").substr(0, 4), "404 ");
}

TEST_F(LabelApiTest, MetadataAndBuildInfo) {
  const auto metadata = [&](const std::string& query) { return Show(api_.Metadata(Get("/api/v1/metadata" + query))); };
  EXPECT_EQ(metadata(""), R"(200 {"status":"success","data":{}})");
  metadata_.Set("up", 2, "Up.", "");
  metadata_.Set("b_total", 1, "", "x");
  EXPECT_EQ(metadata(""), R"(200 {"status":"success","data":{"b_total":[{"type":"counter","help":"","unit":"x"}],)"
                          R"("up":[{"type":"gauge","help":"Up.","unit":""}]}})");
  EXPECT_EQ(metadata("?metric=up&limit=5"),
            R"(200 {"status":"success","data":{"up":[{"type":"gauge","help":"Up.","unit":""}]}})");
  EXPECT_EQ(metadata("?limit=x"), R"(400 {"status":"error","errorType":"bad_data","error":"limit must be a number"})");
  EXPECT_NE(api_.BuildInfo().body.find(R"("version":"2.42.0")"), std::string::npos);
  EXPECT_EQ(api_.BuildInfo().content_type, "application/json");
}

TEST(Json, StringsAreEscapedAsGoDoes) {
  std::string out;
  AppendJsonString(out, "a\"\\\n\r\t\x01<>&\x7f\xc3\xa9\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa");
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\r\\t\\u0001\\u003c\\u003e\\u0026\x7f\xc3\xa9\\u2028\\u2029\xe2\x80\xaa\"");
}

}  // namespace
}  // namespace wiregauge::query
