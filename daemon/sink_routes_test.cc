#include "daemon/sink_routes.h"

#include <future>
#include <map>

#include <gtest/gtest.h>
#include <snappy.h>

#include "base/clock.h"
#include "remote_write/encode/fake_store.h"
#include "remote_write/receive/request_builder.h"

namespace wiregauge::daemon {
namespace {

using receive::testing::At;

// A store in memory that is opened like the real one; `entries` are what an earlier life left.
StoreOpener InMemory(std::vector<std::string> entries = {}) {
  return [entries](const store::Options&,
                   const std::function<Status(Bytes)>& on_catalogue) -> Result<std::unique_ptr<store::Store>> {
    for (const std::string& entry : entries) {
      Status read = on_catalogue(AsBytes(entry));
      if (!read) return read.error();
    }
    return std::unique_ptr<store::Store>(std::make_unique<encode::testing::FakeStore>());
  };
}

http::Response Ask(const http::RouteTable& routes, const std::string& method, const std::string& path,
                   const std::string& query = "", const std::string& body = "") {
  const auto resolved = routes.Resolve(method, path);
  if (const auto* refusal = std::get_if<http::Response>(&resolved)) return *refusal;
  http::Request request;
  request.method = method;
  request.path = path;
  request.query = query;
  request.body = body;
  return std::get<const http::Route*>(resolved)->handler(request);
}

std::string OneSample() {
  const std::string message = receive::testing::RequestMessage(
      {receive::testing::SeriesMessage({{"__name__", "up"}}, {At(UnixMilliseconds(), 1)})});
  std::string body;
  snappy::Compress(message.data(), message.size(), &body);
  return body;
}

TEST(Sink, WritesAndAnswersThroughItsRoutes) {
  auto sink = MakeSink({}, InMemory());
  ASSERT_TRUE(sink->Start().has_value());
  ASSERT_TRUE(sink->ready());
  http::RouteTable routes;
  ASSERT_TRUE(sink->RegisterRoutes(routes).has_value());
  EXPECT_EQ(Ask(routes, "POST", "/api/v1/write", "", OneSample()).status, 204);
  EXPECT_EQ(Ask(routes, "POST", "/api/v1/prometheus", "", OneSample()).status, 204);
  EXPECT_EQ(Ask(routes, "GET", "/api/v1/write").status, 405);
  EXPECT_EQ(Ask(routes, "POST", "/api/v1/read", "", "not snappy").status, 400);
  EXPECT_EQ(Ask(routes, "GET", "/api/v1/label/__name__/values").body, R"({"status":"success","data":["up"]})");
  EXPECT_EQ(Ask(routes, "POST", "/api/v1/label/__name__/values").status, 405);
  EXPECT_EQ(Ask(routes, "GET", "/api/v1/labels").body, R"({"status":"success","data":["__name__"]})");
  EXPECT_EQ(Ask(routes, "GET", "/api/v1/series", "match[]=up").body,
            R"({"status":"success","data":[{"__name__":"up"}]})");
  EXPECT_EQ(Ask(routes, "GET", "/api/v1/metadata").status, 200);
  EXPECT_EQ(Ask(routes, "GET", "/api/v1/status/buildinfo").status, 200);
  EXPECT_TRUE(sink->Stop().has_value());
  EXPECT_TRUE(sink->Stop().has_value());
  EXPECT_EQ(Ask(routes, "POST", "/api/v1/write", "", OneSample()).status, 503);
}

TEST(Sink, WhileTheStoreIsReplayedEveryRouteIs503) {
  std::promise<void> replayed;
  auto sink = MakeSink({}, [&](const store::Options& options, const auto& on_catalogue) {
    replayed.get_future().wait();
    return InMemory()(options, on_catalogue);
  });
  ASSERT_TRUE(sink->Start().has_value());
  EXPECT_FALSE(sink->ready());
  http::RouteTable routes;
  ASSERT_TRUE(sink->RegisterRoutes(routes).has_value());
  EXPECT_EQ(Ask(routes, "POST", "/api/v1/write", "", OneSample()).status, 503);
  EXPECT_EQ(Ask(routes, "GET", "/api/v1/labels").status, 503);
  aggregate::Snapshot nothing;
  sink->Collect(nothing);
  replayed.set_value();
  EXPECT_TRUE(sink->Stop().has_value());
}

TEST(Sink, AStoreThatCannotBeOpenedStopsTheStart) {
  auto sink = MakeSink({}, [](const store::Options&, const auto&) -> Result<std::unique_ptr<store::Store>> {
    return Error{Code::kUnavailable, "data/: locked by another process"};
  });
  const Status started = sink->Start();
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().message.find("locked"), std::string::npos);
  EXPECT_NE(sink->not_ready_reason().find("locked"), std::string::npos);
}

TEST(Sink, ADamagedDictionaryStopsTheStart) {
  auto sink = MakeSink({}, InMemory({"\x01Z"}));
  const Status started = sink->Start();
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, Code::kCorrupt);
}

TEST(Sink, CollectsTheFamiliesThatTheInterfacePromises) {
  auto sink = MakeSink({}, InMemory());
  ASSERT_TRUE(sink->Start().has_value());
  http::RouteTable routes;
  ASSERT_TRUE(sink->RegisterRoutes(routes).has_value());
  Ask(routes, "POST", "/api/v1/write", "", OneSample());
  aggregate::Snapshot snapshot;
  sink->Collect(snapshot);
  std::map<std::string, double> values;
  for (const auto& family : snapshot) {
    EXPECT_FALSE(family.help.empty()) << family.name;
    EXPECT_FALSE(family.name.ends_with("_total")) << family.name;
    for (const auto& point : family.points) {
      std::string key = family.name;
      for (const auto& [name, value] : point.labels) key += "," + name + "=" + value;
      EXPECT_TRUE(values.emplace(key, point.value).second) << key;
    }
  }
  EXPECT_EQ(values.at("wiregauge_write_requests,code=204,protocol=remote_write_1"), 1);
  EXPECT_EQ(values.at("wiregauge_samples_written,protocol=remote_write_1"), 1);
  EXPECT_EQ(values.at("wiregauge_samples_rejected,protocol=remote_write_1,reason=too_old"), 0);
  EXPECT_EQ(values.at("wiregauge_dictionary_entries,kind=series"), 1);
  EXPECT_EQ(values.at("wiregauge_active_series"), 1);
  EXPECT_EQ(values.count("wiregauge_storage_bytes,kind=wal"), 1u);
}

}  // namespace
}  // namespace wiregauge::daemon
