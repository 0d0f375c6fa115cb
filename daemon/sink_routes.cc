#include "daemon/sink_routes.h"

#include <malloc.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/http/status.h"
#include "daemon/sink_metrics.h"
#include "daemon/sink_write.h"
#include "remote_write/query/label_api.h"
#include "remote_write/query/metadata_table.h"
#include "remote_write/query/remote_read.h"

namespace wiregauge::daemon {
namespace {

// A form of matchers: Grafana's longest are some kilobytes.
constexpr std::size_t kMaxFormBytes = 1u << 20;
// A remote-read request is a few matchers; 413 above.
constexpr std::size_t kMaxReadBodyBytes = 1u << 20;
// What Start waits for: long enough to see every quick failure, short enough for a service manager.
constexpr std::chrono::seconds kQuickOpen{1};

// Blocks of malloc from here on come from the kernel and go back to it. Without a fixed threshold glibc raises its own
// to the largest block that was ever freed, and a few large bodies stay in the arenas of their threads for good: 60 MiB
// after a round of bombs. Ordinary requests (64 KiB, decoded into a buffer of its own) stay below it.
constexpr int kMmapThresholdBytes = 1 << 20;

// What exists once the store is open.
struct Running {
  Running(std::unique_ptr<store::Store> opened, encode::Dictionary& dictionary, query::MetadataTable& metadata,
          const std::string& version)
      : store(std::move(opened)),
        write(dictionary, *store, metadata),
        labels(dictionary, *store, metadata, version),
        read(dictionary, *store) {}

  std::unique_ptr<store::Store> store;
  WriteEndpoint write;
  query::LabelApi labels;
  query::RemoteRead read;
};

class Sink final : public SinkPlane {
 public:
  Sink(SinkOptions options, StoreOpener open_store)
      : options_(std::move(options)), open_store_(std::move(open_store)), dictionary_(options_.limits) {}
  ~Sink() override { (void)Stop(); }

  Status Start() override {
    mallopt(M_MMAP_THRESHOLD, kMmapThresholdBytes);
    opening_ = std::async(std::launch::async, [this] { return OpenStore(); });
    if (opening_.wait_for(kQuickOpen) == std::future_status::ready) return opening_.get();
    const std::lock_guard lock(mutex_);
    if (!failure_.empty()) return Error{Code::kUnavailable, failure_};
    in_background_ = true;
    log::Info("sink", "the store is being replayed", {{"path", options_.store.path}});
    return {};
  }

  Status RegisterRoutes(http::RouteTable& routes) override;

  [[nodiscard]] bool ready() const override { return running_.load(std::memory_order_acquire) != nullptr; }

  [[nodiscard]] std::string not_ready_reason() const override {
    const std::lock_guard lock(mutex_);
    return failure_.empty() ? "the store is being replayed" : failure_;
  }

  void Collect(aggregate::Snapshot& out) override {
    const Running* running = running_.load(std::memory_order_acquire);
    if (running != nullptr) CollectSink(running->write.counters(), dictionary_, *running->store, out);
  }

  Status Stop() override {
    if (opening_.valid()) opening_.wait();
    running_.store(nullptr, std::memory_order_release);
    if (!owned_) return {};
    Status flushed = owned_->store->Flush();
    owned_.reset();
    return flushed;
  }

 private:
  using Serve = http::Response (*)(Running&, const http::Request&);

  Status OpenStore() {
    auto opened = open_store_(options_.store, [this](Bytes entry) { return dictionary_.Restore(entry); });
    if (!opened) {
      const std::lock_guard lock(mutex_);
      failure_ = opened.error().message;
      if (in_background_) {  // Start has returned: nobody else will say it
        log::Error("sink", "the store cannot be opened", {{"path", options_.store.path}, {"err", failure_}});
      }
      return opened.error();
    }
    const auto stats = dictionary_.GetStats();
    log::Info("sink", "the store is open",
              {{"path", options_.store.path}, {"series", stats.series}, {"label_values", stats.values}});
    owned_ = std::make_unique<Running>(*std::move(opened), dictionary_, metadata_, options_.version);
    running_.store(owned_.get(), std::memory_order_release);
    return {};
  }

  // A handler that answers 503 until the store is open.
  http::Handler WhenReady(Serve serve) {
    return [this, serve](const http::Request& request) {
      Running* running = running_.load(std::memory_order_acquire);
      if (running == nullptr) return http::ErrorResponse({Code::kUnavailable, "not ready: " + not_ready_reason()});
      return serve(*running, request);
    };
  }

  const SinkOptions options_;
  const StoreOpener open_store_;
  encode::Dictionary dictionary_;
  query::MetadataTable metadata_;
  mutable std::mutex mutex_;
  std::string failure_;         // why the store could not be opened
  bool in_background_ = false;  // Start did not wait for the store
  std::future<Status> opening_;
  std::unique_ptr<Running> owned_;
  std::atomic<Running*> running_ = nullptr;
};

http::Response ServeWrite(Running& running, const http::Request& request) {
  return running.write.Handle(request, UnixMilliseconds());
}
http::Response ServeRead(Running& running, const http::Request& request) {
  auto answer = running.read.Serve(request);
  return answer ? *std::move(answer) : http::ErrorResponse(answer.error());
}
http::Response ServeSeries(Running& running, const http::Request& request) { return running.labels.Series(request); }
http::Response ServeLabels(Running& running, const http::Request& request) { return running.labels.Labels(request); }
http::Response ServeValues(Running& running, const http::Request& request) { return running.labels.Values(request); }
http::Response ServeMetadata(Running& running, const http::Request& request) {
  return running.labels.Metadata(request);
}
http::Response ServeBuildInfo(Running& running, const http::Request&) { return running.labels.BuildInfo(); }

Status Sink::RegisterRoutes(http::RouteTable& routes) {
  struct Entry {
    const char* path;
    http::Match match;
    std::vector<std::string> methods;
    std::size_t body_bytes_max;
    http::BodyRule body;
    Serve serve;
  };
  using enum http::Match;
  using enum http::BodyRule;
  const std::vector<Entry> entries = {
      {"/api/v1/write", kExact, {"POST"}, kMaxWriteBodyBytes, kRequired, ServeWrite},
      {"/api/v1/prometheus", kExact, {"POST"}, kMaxWriteBodyBytes, kRequired, ServeWrite},
      {"/api/v1/read", kExact, {"POST"}, kMaxReadBodyBytes, kRequired, ServeRead},
      {"/api/v1/series", kExact, {"GET", "POST"}, kMaxFormBytes, kOptional, ServeSeries},
      {"/api/v1/labels", kExact, {"GET", "POST"}, kMaxFormBytes, kOptional, ServeLabels},
      {"/api/v1/label/", kPrefix, {"GET"}, 0, kOptional, ServeValues},
      {"/api/v1/metadata", kExact, {"GET"}, 0, kOptional, ServeMetadata},
      {"/api/v1/status/buildinfo", kExact, {"GET"}, 0, kOptional, ServeBuildInfo},
  };
  for (const Entry& entry : entries) {
    http::Route route;
    route.path = entry.path;
    route.match = entry.match;
    route.methods = entry.methods;
    route.body_bytes_max = entry.body_bytes_max;
    route.body = entry.body;
    route.handler = WhenReady(entry.serve);
    Status added = routes.Add(std::move(route));
    if (!added) return added;
  }
  return {};
}

}  // namespace

std::unique_ptr<SinkPlane> MakeSink(SinkOptions options, StoreOpener open_store) {
  return std::make_unique<Sink>(std::move(options), std::move(open_store));
}

}  // namespace wiregauge::daemon
