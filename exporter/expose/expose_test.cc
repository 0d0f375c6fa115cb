#include "exporter/expose/expose.h"

#include <gtest/gtest.h>
#include <libdeflate.h>

#include <string>

#include "exporter/expose/protobuf.h"
#include "exporter/expose/sample_snapshot.h"
#include "exporter/expose/text.h"

namespace wiregauge::expose {
namespace {

std::string Gunzip(const std::string& packed, std::size_t size_max) {
  std::string text(size_max, '\0');
  std::size_t size = 0;
  libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
  EXPECT_EQ(libdeflate_gzip_decompress(decompressor, packed.data(), packed.size(), text.data(), text.size(), &size),
            LIBDEFLATE_SUCCESS);
  libdeflate_free_decompressor(decompressor);
  text.resize(size);
  return text;
}

TEST(Render, TextUnlessAskedOtherwise) {
  std::string want;
  AppendText(SampleSnapshot(), Dialect::kText, want);
  const Exposition exposition = Render(SampleSnapshot(), "", "");
  EXPECT_EQ(exposition.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(exposition.content_encoding, "");
  EXPECT_EQ(exposition.body, want);
}

TEST(Render, OpenMetricsCompressed) {
  std::string want;
  AppendText(SampleSnapshot(), Dialect::kOpenMetrics, want);
  const Exposition exposition = Render(SampleSnapshot(), "application/openmetrics-text", "gzip");
  EXPECT_EQ(exposition.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_EQ(exposition.content_encoding, "gzip");
  EXPECT_LT(exposition.body.size(), want.size());
  EXPECT_EQ(Gunzip(exposition.body, 2 * want.size()), want);
}

TEST(Render, ProtobufWhenAsked) {
  std::string want;
  AppendProtobuf(SampleSnapshot(), want);
  const std::string type =
      "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
  const Exposition exposition = Render(SampleSnapshot(), type + ",text/plain;q=0.5", "");
  EXPECT_EQ(exposition.content_type, type);
  EXPECT_EQ(exposition.body, want);
  EXPECT_EQ(Gunzip(Render(SampleSnapshot(), type, "gzip").body, 2 * want.size()), want);
}

TEST(Render, AnEmptySnapshotCompresses) {
  const Exposition exposition = Render({}, "", "gzip");
  EXPECT_EQ(exposition.content_encoding, "gzip");
  EXPECT_EQ(Gunzip(exposition.body, 16), "");
}

}  // namespace
}  // namespace wiregauge::expose
