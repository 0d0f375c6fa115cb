#include "exporter/expose/negotiate.h"

#include <gtest/gtest.h>

namespace wiregauge::expose {
namespace {

constexpr char kText[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr char kText1[] = "text/plain; version=1.0.0; charset=utf-8";
constexpr char kProtobuf[] =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
constexpr char kOpen[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";

void Check(std::string_view accept, Format format, std::string_view content_type) {
  const Choice choice = ChooseFormat(accept);
  EXPECT_EQ(choice.format, format) << accept;
  EXPECT_EQ(choice.content_type, content_type) << accept;
}

TEST(ChooseFormat, PrometheusOfEachAge) {
  // 2.42
  Check(
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      Format::kOpenMetrics100, kOpen);
  // 2.42 with native histograms
  Check(
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
      "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      Format::kProtobuf, kProtobuf);
  // 3.x with native histograms
  Check(
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      Format::kProtobuf, kProtobuf);
  // 3.x
  Check(
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
      "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
      "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      Format::kOpenMetrics100, std::string(kOpen) + "; escaping=allow-utf-8");
  // 3.x, text only
  Check("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4",
        Format::kText100, std::string(kText1) + "; escaping=allow-utf-8");
  Check("text/plain;version=0.0.4;q=0.6,*/*;q=0.5", Format::kText004, kText);
}

TEST(ChooseFormat, OtherClients) {
  Check("", Format::kText004, kText);
  Check("*/*", Format::kText004, kText);
  Check("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::kText004, kText);
  Check("text/plain", Format::kText004, kText);
  Check("text/*", Format::kText004, kText);
  Check("application/openmetrics-text", Format::kOpenMetrics100, kOpen);
  Check("application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5", Format::kOpenMetrics100, kOpen);
  Check("Application/OpenMetrics-Text; Version=\"1.0.0\"", Format::kOpenMetrics100, kOpen);
  Check("application/json", Format::kText004, kText);
}

TEST(ChooseFormat, QualityDecidesThenPreference) {
  Check("application/openmetrics-text;q=0.4,text/plain;q=0.5", Format::kText004, kText);
  Check("text/plain;q=0.5,application/openmetrics-text;q=0.5", Format::kOpenMetrics100, kOpen);
  Check("text/plain;version=1.0.0,text/plain", Format::kText100, kText1);
  const std::string protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily";
  Check("application/openmetrics-text," + protobuf + ";encoding=delimited", Format::kProtobuf, kProtobuf);
  Check(protobuf + ";encoding=delimited;q=0.3,text/plain;q=0.4", Format::kText004, kText);
  Check(protobuf + ";encoding=delimited;q=0,application/openmetrics-text;q=0.1", Format::kOpenMetrics100, kOpen);
  Check(protobuf + ";encoding=\"delimited\";escaping=allow-utf-8", Format::kProtobuf,
        std::string(kProtobuf) + "; escaping=allow-utf-8");
  Check(protobuf + ";encoding=text,application/openmetrics-text;q=0.1", Format::kOpenMetrics100, kOpen);
  Check(protobuf, Format::kText004, kText);
  Check("application/vnd.google.protobuf;proto=a.B;encoding=delimited", Format::kText004, kText);
  Check("application/openmetrics-text;q=0,*/*;q=0.1", Format::kText004, kText);
  Check("application/openmetrics-text;q=0.001,text/plain;q=0", Format::kOpenMetrics100, kOpen);
  Check("application/openmetrics-text;version=0.0.1,text/plain;q=0.1", Format::kText004, kText);
  Check("application/openmetrics-text;version=2.0.0", Format::kText004, kText);
}

TEST(ChooseFormat, NonsenseIsTextAndNeverEchoed) {
  Check(",,;;==,q=1", Format::kText004, kText);
  Check("application/openmetrics-text;q=high", Format::kText004, kText);
  Check("application/openmetrics-text;q=1.0000", Format::kText004, kText);
  Check("application/openmetrics-text;q=1.5", Format::kOpenMetrics100, kOpen);
  Check("application/openmetrics-text;escaping=\"x\r\nSet-Cookie: a\"", Format::kOpenMetrics100, kOpen);
  Check("application/openmetrics-text;x=\"a,b;q=0\",text/plain;q=0.5", Format::kOpenMetrics100, kOpen);
  Check("\"", Format::kText004, kText);
}

TEST(WantsGzip, FollowsQuality) {
  for (const char* yes : {"gzip", "GZIP", "gzip, deflate, br", "deflate,gzip;q=1.0", "x-gzip", "*", "gzip;q=0.5",
                          "identity;q=0.5, gzip", "*;q=0.1", "identity;q=0, *", "gzip ; q=0.3 , identity;q=0.3"}) {
    EXPECT_TRUE(WantsGzip(yes)) << yes;
  }
  for (const char* no : {"", "identity", "gzip;q=0", "gzip;q=0.0, *", "deflate", "*;q=0", "gzip;q=0.2, identity",
                         "gzipped", "gzip;q=x"}) {
    EXPECT_FALSE(WantsGzip(no)) << no;
  }
}

}  // namespace
}  // namespace wiregauge::expose
