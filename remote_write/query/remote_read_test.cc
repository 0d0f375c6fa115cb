#include "remote_write/query/remote_read.h"

#include <gtest/gtest.h>
#include <snappy.h>

#include "remote_write/query/query_fixture.h"
#include "remote_write/receive/wire.h"

namespace wiregauge::query {
namespace {

using namespace std::string_literals;
using receive::Tag;
using receive::WireReader;
using receive::WireType;
using receive::testing::AppendField;
using receive::testing::At;

void AppendNumber(std::string& out, std::uint32_t field, std::int64_t value) {
  AppendVarint(out, Tag(field, WireType::kVarint));
  AppendVarint(out, static_cast<std::uint64_t>(value));
}

std::string MatcherMessage(int type, std::string_view name, std::string_view value) {
  std::string out;
  AppendNumber(out, 1, type);
  AppendField(out, 2, name);
  AppendField(out, 3, value);
  return out;
}

std::string QueryMessage(std::int64_t first, std::int64_t last, const std::vector<std::string>& matchers,
                         std::string_view func = "") {
  std::string out;
  AppendNumber(out, 1, first);
  AppendNumber(out, 2, last);
  for (const std::string& matcher : matchers) AppendField(out, 3, matcher);
  std::string hints;
  AppendField(hints, 2, func);
  AppendField(out, 4, hints);
  return out;
}

std::string ReadMessage(const std::vector<std::string>& queries) {
  std::string out;
  for (const std::string& query : queries) AppendField(out, 1, query);
  return out;
}

// "name=value,…: ts=value ts=value; " for each series of each result, results apart by "|". The response is read as a
// write request's series, whose fields have the same numbers.
std::string ShowResponse(const std::string& response) {
  std::string out;
  WireReader results(AsBytes(response));
  while (!results.AtEnd()) {
    EXPECT_EQ(results.ReadTag(), Tag(1, WireType::kLength));
    receive::WriteRequest content;
    EXPECT_TRUE(receive::DecodeV1(results.ReadLength(), {INT64_MIN, INT64_MAX}, content).has_value());
    for (const auto& series : content.series) {
      std::vector<receive::Label> labels;
      EXPECT_TRUE(receive::ParseLabels(series.raw_labels, labels).has_value());
      for (const auto& label : labels) out += std::string(label.name) + "=" + std::string(label.value) + ",";
      for (std::uint32_t i = 0; i < series.sample_count; ++i) {
        const auto& sample = content.samples[series.first_sample + i];
        out += " " + std::to_string(sample.timestamp_ms) + "=" + std::to_string(sample.value_bits);
      }
      out += "; ";
    }
    out += "|";
  }
  EXPECT_TRUE(results.ok());
  return out;
}

class RemoteReadTest : public ::testing::Test {
 protected:
  RemoteReadTest() {
    data_.Write({{"__name__", "up"}, {"job", "b"}}, {{10, 1}, {20, 2}, {30, 0x7ff0000000000002}});
    data_.Write({{"__name__", "up"}, {"job", "a"}}, {{20, 4}});
    data_.Write({{"__name__", "down"}}, {{25, 5}});
  }

  std::string Ask(const std::string& message, std::uint64_t max_samples = kMaxReadSamples) {
    RemoteRead read(data_.dictionary, data_.store, max_samples);
    http::Request request;
    snappy::Compress(message.data(), message.size(), &request.body);
    const auto response = read.Serve(request);
    if (!response) return "error " + response.error().message;
    EXPECT_EQ(response->content_type, "application/x-protobuf");
    EXPECT_EQ(response->headers.at(0), (std::pair<std::string, std::string>{"Content-Encoding", "snappy"}));
    std::string plain;
    EXPECT_TRUE(snappy::Uncompress(response->body.data(), response->body.size(), &plain));
    return ShowResponse(plain);
  }

  testing::Data data_;
};

const std::string kStale = std::to_string(0x7ff0000000000002);

TEST_F(RemoteReadTest, SortedByLabelsBothEndsIncluded) {
  const std::string up = MatcherMessage(0, "__name__", "up");
  EXPECT_EQ(Ask(ReadMessage({QueryMessage(10, 30, {up})})),
            "__name__=up,job=a, 20=4; __name__=up,job=b, 10=1 20=2 30=" + kStale + "; |");
  EXPECT_EQ(Ask(ReadMessage({QueryMessage(11, 29, {up})})), "__name__=up,job=a, 20=4; __name__=up,job=b, 20=2; |");
  EXPECT_EQ(Ask(ReadMessage({QueryMessage(40, 50, {up})})), "|");
  EXPECT_EQ(Ask(ReadMessage({QueryMessage(30, 10, {up})})), "|");
}

TEST_F(RemoteReadTest, OneResultForEachQueryInOrder) {
  EXPECT_EQ(Ask(ReadMessage({QueryMessage(0, 99, {MatcherMessage(0, "__name__", "down")}),
                             QueryMessage(0, 99, {MatcherMessage(0, "__name__", "nosuch")}),
                             QueryMessage(0, 99, {MatcherMessage(2, "job", "a|x")})})),
            "__name__=down, 25=5; ||__name__=up,job=a, 20=4; |");
  EXPECT_EQ(Ask(""), "");
}

TEST_F(RemoteReadTest, AbsentLabelsMatchAsEmpty) {
  EXPECT_EQ(Ask(ReadMessage({QueryMessage(0, 99, {MatcherMessage(0, "job", "")})})), "__name__=down, 25=5; |");
  EXPECT_EQ(Ask(ReadMessage({QueryMessage(0, 99, {MatcherMessage(1, "job", "b")})})),
            "__name__=down, 25=5; __name__=up,job=a, 20=4; |");
  EXPECT_EQ(Ask(ReadMessage({QueryMessage(0, 99, {MatcherMessage(3, "job", ".+")})})), "__name__=down, 25=5; |");
}

TEST_F(RemoteReadTest, FuncSeriesWantsNoSamples) {
  const std::string message = ReadMessage({QueryMessage(0, 99, {MatcherMessage(0, "__name__", "up")}, "series")});
  RemoteRead read(data_.dictionary, data_.store);
  http::Request request;
  snappy::Compress(message.data(), message.size(), &request.body);
  std::string plain;
  const auto response = read.Serve(request);
  ASSERT_TRUE(response.has_value());
  ASSERT_TRUE(snappy::Uncompress(response->body.data(), response->body.size(), &plain));
  std::string want_result;
  AppendField(want_result, 1, receive::testing::RawLabels({{"__name__", "up"}, {"job", "a"}}));
  AppendField(want_result, 1, receive::testing::RawLabels({{"__name__", "up"}, {"job", "b"}}));
  std::string want;
  AppendField(want, 1, want_result);
  EXPECT_EQ(plain, want);
}

TEST_F(RemoteReadTest, SampleLimitHasPrometheusWords) {
  const std::string message = ReadMessage({QueryMessage(0, 99, {MatcherMessage(0, "__name__", "up")})});
  EXPECT_EQ(Ask(message, 3), "error exceeded sample limit (3)");
  EXPECT_EQ(Ask(message, 4).substr(0, 9), "__name__=");
}

TEST_F(RemoteReadTest, FirstSupportedResponseTypeWins) {
  const std::string query = ReadMessage({QueryMessage(0, 99, {MatcherMessage(0, "__name__", "down")})});
  const std::string down = "__name__=down, 25=5; |";
  EXPECT_EQ(Ask(query + "\x10\x00"s), down);
  EXPECT_EQ(Ask(query + "\x10\x01\x10\x00"s), down) << "streamed first, then samples";
  EXPECT_EQ(Ask(query + "\x12\x02\x01\x00"s), down) << "packed";
  EXPECT_NE(Ask(query + "\x10\x01"s).find("response types"), std::string::npos);
  EXPECT_NE(Ask(query + "\x12\x02\x01\x07"s).find("response types"), std::string::npos);
}

TEST_F(RemoteReadTest, BadRequestsSayWhatIsWrong) {
  const std::string good = ReadMessage({QueryMessage(0, 99, {MatcherMessage(0, "__name__", "up")}, "series")});
  for (std::size_t cut = 1; cut < good.size(); ++cut) {
    EXPECT_EQ(Ask(good.substr(0, cut)), "error read request: malformed protobuf") << cut;
  }
  EXPECT_NE(Ask(ReadMessage({QueryMessage(0, 1, {MatcherMessage(9, "a", "b")})})).find("matcher type 9"),
            std::string::npos);
  EXPECT_NE(Ask(ReadMessage({QueryMessage(0, 1, {MatcherMessage(2, "a", "(")})})).find("regular"), std::string::npos);
  EXPECT_NE(Ask(ReadMessage({QueryMessage(0, 1, {MatcherMessage(0, "a", "\xff")})})).find("UTF-8"), std::string::npos);
  EXPECT_NE(Ask(ReadMessage(std::vector<std::string>(kMaxReadQueries + 1, QueryMessage(0, 1, {})))).find("more than"),
            std::string::npos);
  RemoteRead read(data_.dictionary, data_.store);
  http::Request request;
  request.body = "\xff\xff\xff\xff\x0f";
  EXPECT_FALSE(read.Serve(request).has_value());
}

}  // namespace
}  // namespace wiregauge::query
