// The status table of interface.md and the items of the remote-write checklist that apply to 1.0, over the whole path
// but the socket and the disk.
#include "daemon/sink_write.h"

#include <limits>
#include <thread>

#include <gtest/gtest.h>
#include <snappy.h>

#include "remote_write/encode/fake_store.h"
#include "remote_write/receive/request_builder.h"

namespace wiregauge::daemon {
namespace {

using namespace std::string_literals;
using receive::Reason;
using receive::testing::At;
using Labels = receive::testing::Labels;

constexpr std::int64_t kNow = 1'790'000'000'000;

std::string Snappy(const std::string& message) {
  std::string body;
  snappy::Compress(message.data(), message.size(), &body);
  return body;
}

std::string One(const Labels& labels, std::int64_t timestamp_ms = kNow) {
  return receive::testing::SeriesMessage(labels, {At(timestamp_ms, 1)});
}

class SinkWriteTest : public ::testing::Test {
 protected:
  SinkWriteTest() { store_.oldest_accepted_ms = kNow - 1'000'000; }

  http::Response PostBody(std::string body,
                          std::vector<std::pair<std::string, std::string>> headers = {
                              {"Content-Type", "application/x-protobuf"}, {"Content-Encoding", "snappy"}}) {
    http::Request request;
    request.method = "POST";
    request.path = "/api/v1/write";
    request.headers = std::move(headers);
    request.body = std::move(body);
    return endpoint_.Handle(request, kNow);
  }
  http::Response Post(const std::vector<std::string>& series) {
    return PostBody(Snappy(receive::testing::RequestMessage(series)));
  }
  std::size_t Stored() const {
    std::size_t count = 0;
    for (const auto& batch : store_.Log()) count += batch.samples.size();
    return count;
  }
  static std::string FirstLine(const http::Response& response) {
    return response.body.substr(0, response.body.find('\n'));
  }

  encode::Dictionary dictionary_{{.max_series = 20}};
  encode::testing::FakeStore store_;
  query::MetadataTable metadata_;
  WriteEndpoint endpoint_{dictionary_, store_, metadata_};
};

TEST_F(SinkWriteTest, AllStoredIs204WithAnEmptyBody) {
  const auto response = Post({One({{"__name__", "up"}}), One({{"__name__", "down"}})});
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
  for (const auto& [name, value] : response.headers) {
    EXPECT_EQ(name.find("Written"), std::string::npos) << "1.0 must not have 2.0's headers";
  }
  EXPECT_EQ(Stored(), 2u);
  EXPECT_EQ(endpoint_.counters().samples_written(), 2u);
  EXPECT_EQ(PostBody(Snappy("")).status, 204) << "an empty request has nothing to lose";
  EXPECT_EQ(PostBody(Snappy(receive::testing::RequestMessage({One({{"__name__", "up"}})})), {}).status, 204)
      << "without headers: 1.0 and snappy";
}

TEST_F(SinkWriteTest, HeadersDecideBeforeTheBodyIsLookedAt) {
  EXPECT_EQ(PostBody("corrupt", {{"Content-Type", "application/json"}}).status, 415);
  EXPECT_EQ(PostBody("corrupt", {{"Content-Encoding", "gzip"}}).status, 415);
  EXPECT_EQ(
      PostBody("corrupt", {{"content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"}}).status,
      415);
}

TEST_F(SinkWriteTest, DamagedBodiesAre400AndStoreNothing) {
  const std::string message = receive::testing::RequestMessage({One({{"__name__", "up"}}), One({{"__name__", "b"}})});
  const std::string body = Snappy(message);
  for (std::size_t cut = 0; cut < body.size(); ++cut) ASSERT_EQ(PostBody(body.substr(0, cut)).status, 400) << cut;
  EXPECT_EQ(PostBody("\xff\x06\x00\x00sNaPpY"s + body).status, 400);
  EXPECT_EQ(PostBody("\xff\xff\xff\xff\x0f"s + std::string(15, 'x')).status, 400);
  EXPECT_EQ(PostBody(Snappy(message + "\x0a\x7f")).status, 400) << "a good part before a malformed end";
  EXPECT_EQ(Stored(), 0u);
}

struct Case {
  const char* what;
  std::vector<std::string> series;
  int status;
  std::size_t stored;
  const char* first_line;
};

TEST_F(SinkWriteTest, ChecklistOf10) {
  const std::string good = One({{"__name__", "good"}});
  std::string exemplar = One({{"__name__", "e"}});
  receive::testing::AppendField(exemplar, 3, "x");
  std::string histogram = receive::testing::RawLabels({{"__name__", "h"}});
  receive::testing::AppendField(histogram, 4, "x");
  const std::vector<Case> cases = {
      {"27 nameless", {good, One({{"job", "a"}})}, 400, 1, "refused 1 (1 missing_metric_name), stored 1 samples"},
      {"27 no labels", {good, One({})}, 400, 1, "refused 1 (1 missing_metric_name), stored 1 samples"},
      {"29 unsorted", {One({{"z", "1"}, {"__name__", "up"}, {"a", "2"}})}, 204, 1, ""},
      {"30 empty value", {One({{"__name__", "up"}, {"a", ""}})}, 204, 1, ""},
      {"30 empty name",
       {good, One({{"__name__", "up"}, {"", "x"}})},
       400,
       1,
       "refused 1 (1 empty_label_name), stored 1 samples"},
      {"31 duplicate",
       {One({{"__name__", "up"}, {"a", "1"}, {"a", "1"}}), good},
       400,
       1,
       "refused 1 (1 duplicate_label), stored 1 samples"},
      {"32 names of 1.0",
       {good, One({{"__name__", "http.requests"}}), One({{"__name__", "up"}, {"a b", "c"}})},
       400,
       1,
       "refused 2 (1 invalid_metric_name, 1 invalid_label_name), stored 1 samples"},
      {"33 not UTF-8",
       {good, One({{"__name__", "up"}, {"a", "\xff"}})},
       400,
       1,
       "refused 1 (1 invalid_utf8), stored 1 samples"},
      {"34 long value",
       {good, One({{"__name__", "up"}, {"a", std::string(4u << 20, 'x')}})},
       400,
       1,
       "refused 1 (1 label_value_too_long), stored 1 samples"},
      {"35 reserved names are stored",
       {One({{"__name__", "up"}, {"__type__", "x"}, {"__tenant_id__", "y"}})},
       204,
       1,
       ""},
      {"48 out of order inside retention", {good, One({{"__name__", "good"}}, kNow - 999'999)}, 204, 2, ""},
      {"49 too old",
       {good, One({{"__name__", "good"}}, kNow - 10LL * 365 * 86'400'000)},
       400,
       1,
       "refused 1 (1 too_old), stored 1 samples"},
      {"50 a day ahead",
       {good, One({{"__name__", "good"}}, kNow + 86'400'000)},
       400,
       1,
       "refused 1 (1 too_far_in_future), stored 1 samples"},
      {"50 ten minutes ahead", {One({{"__name__", "good"}}, kNow + 600'000)}, 204, 1, ""},
      {"53 the ends of time",
       {One({{"__name__", "t"}}, 0), One({{"__name__", "t"}}, -1),
        One({{"__name__", "t"}}, std::numeric_limits<std::int64_t>::min()),
        One({{"__name__", "t"}}, std::numeric_limits<std::int64_t>::max())},
       400,
       0,
       "refused 4 (3 too_old, 1 too_far_in_future), stored 0 samples"},
      {"16 exemplars are not lost silently",
       {exemplar},
       400,
       1,
       "refused 1 (1 exemplar_unsupported), stored 1 samples"},
      {"16 histograms are not lost silently",
       {good, histogram},
       400,
       1,
       "refused 1 (1 histogram_unsupported), stored 1 samples"},
  };
  for (const Case& one : cases) {
    const std::size_t before = Stored();
    const auto response = Post(one.series);
    EXPECT_EQ(response.status, one.status) << one.what;
    EXPECT_EQ(Stored() - before, one.stored) << one.what;
    EXPECT_EQ(FirstLine(response), one.first_line) << one.what;
  }
}

TEST_F(SinkWriteTest, ValuesArriveBitForBit) {
  const std::vector<std::uint64_t> bits = {0x7ff0000000000002, 0x7ff8000000000001, 0xfff8dead0000beef,
                                           0x7ff0000000000000, 0xfff0000000000000, 0x8000000000000000,
                                           0x0000000000000001, 0x4340000000000001};
  std::vector<receive::Sample> samples;
  for (std::size_t i = 0; i < bits.size(); ++i) samples.push_back({kNow + static_cast<std::int64_t>(i), bits[i]});
  ASSERT_EQ(Post({receive::testing::SeriesMessage({{"__name__", "up"}}, samples)}).status, 204);
  std::vector<store::Sample> read;
  ASSERT_TRUE(store_.Read(1, 0, kNow * 2, read).has_value());
  ASSERT_EQ(read.size(), bits.size());
  for (std::size_t i = 0; i < bits.size(); ++i) EXPECT_EQ(read[i].value_bits, bits[i]);
}

TEST_F(SinkWriteTest, AtTheSeriesLimitNewOnesAre400AndKnownOnesFlow) {
  std::vector<std::string> series;
  for (int i = 0; i < 25; ++i) series.push_back(One({{"__name__", "m" + std::to_string(i)}}));
  auto response = Post(series);
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(FirstLine(response), "refused 5 (5 series_limit), stored 20 samples");
  EXPECT_NE(response.body.find("20 series, max 20"), std::string::npos);
  series.resize(20);
  EXPECT_EQ(Post(series).status, 204);
}

TEST_F(SinkWriteTest, AStoreThatIsNotThereIs503WithRetryAfter) {
  store_.on_append = [](const store::Batch&) { return Status(Error{Code::kUnavailable, "disk full"}); };
  const auto response = Post({One({{"__name__", "up"}})});
  EXPECT_EQ(response.status, 503);
  EXPECT_NE(response.body.find("disk full"), std::string::npos);
  bool retry_after = false;
  for (const auto& [name, value] : response.headers) retry_after = retry_after || name == "Retry-After";
  EXPECT_TRUE(retry_after);
  EXPECT_EQ(endpoint_.counters().samples_written(), 0u);
  store_.on_append = nullptr;
  EXPECT_EQ(Post({One({{"__name__", "up"}})}).status, 204);
  EXPECT_EQ(store_.Log().at(0).catalogue.size(), 1u) << "the series' entry was not lost with the refused batch";
}

TEST_F(SinkWriteTest, RequestsAndRefusalsAreCounted) {
  Post({One({{"__name__", "up"}})});
  Post({One({{"job", "a"}})});
  PostBody("");
  const auto requests = endpoint_.counters().requests();
  EXPECT_EQ(requests.at({"remote_write_1", 204}), 1u);
  EXPECT_EQ(requests.at({"remote_write_1", 400}), 2u);
  EXPECT_EQ(endpoint_.counters().rejected(Reason::kMissingMetricName), 1u);
  EXPECT_EQ(endpoint_.counters().rejected(Reason::kTooOld), 0u);
}

TEST_F(SinkWriteTest, MetadataIsKept) {
  std::string metadata = "\x08\x01";
  receive::testing::AppendField(metadata, 2, "requests_total");
  std::string nameless = "\x08\x01";
  std::string message;
  receive::testing::AppendField(message, 3, metadata);
  receive::testing::AppendField(message, 3, nameless);
  EXPECT_EQ(PostBody(Snappy(message)).status, 204);
  EXPECT_EQ(metadata_.Get("requests_total", -1).size(), 1u);
  EXPECT_EQ(endpoint_.counters().refused_metadata(), 1u);
}

TEST(ByteBudget, NeverGivesMoreThanItHas) {
  ByteBudget budget(10);
  EXPECT_TRUE(budget.Take(10));
  EXPECT_FALSE(budget.Take(1));
  budget.Give(10);
  EXPECT_FALSE(budget.Take(11));
  EXPECT_TRUE(budget.Take(4));
  EXPECT_TRUE(budget.Take(6));
  EXPECT_FALSE(budget.Take(1));
}

TEST_F(SinkWriteTest, WhileTheBudgetIsTakenOthersGet503) {
  // Two requests of the largest size fill it while the store keeps them waiting; a third finds no room.
  std::string message;
  receive::testing::AppendField(message, 15, std::string(receive::kMaxDecodedBytes - 64, 'x'));
  message += receive::testing::RequestMessage({One({{"__name__", "up"}})});
  const std::string body = Snappy(message);
  EXPECT_EQ(PostBody(body).status, 204);  // the series is known and durable: nobody waits for another's entry
  std::atomic<int> waiting = 0;
  std::atomic<bool> go = false;
  store_.on_append = [&](const store::Batch&) {
    ++waiting;
    waiting.notify_all();
    go.wait(false);
    return Status();
  };
  std::vector<std::jthread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([&] { EXPECT_EQ(PostBody(body).status, 204); });
  }
  for (int seen = waiting; seen < 2; seen = waiting) waiting.wait(seen);
  EXPECT_EQ(PostBody(body).status, 503);
  EXPECT_EQ(Post({}).status, 204) << "what needs no memory passes";
  go = true;
  go.notify_all();
  writers.clear();
  EXPECT_EQ(PostBody(body).status, 204) << "the shares were given back";
}

}  // namespace
}  // namespace wiregauge::daemon
