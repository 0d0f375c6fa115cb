#include "tests/tools/http_load.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/tools/http_answer.h"

namespace wiregauge::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 65'536;
constexpr int kEventsMax = 64;

std::string WireBytes(const LoadRequest& request, const LoadOptions& options) {
  const bool has_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  std::string bytes =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}:{}\r\n", request.method, request.path, options.host, options.port);
  if (options.close) bytes += "Connection: close\r\n";
  if (has_body) bytes += fmt::format("Content-Length: {}\r\n", options.send_bytes);
  bytes += "\r\n";
  if (has_body) bytes.append(options.send_bytes, 'x');
  return bytes;
}

// A connected non-blocking socket.
Result<int> OpenSocket(const LoadOptions& options) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found) != 0) {
    return Error{Code::kInvalidArgument, "host " + options.host + " is no numeric address"};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return SystemError("socket", errno);
  // Blocking while it connects, so that the run begins with every connection up; the send timeout bounds connect().
  const timeval limit{.tv_sec = options.timeout_s, .tv_usec = 0};
  const int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
      connect(fd, found->ai_addr, found->ai_addrlen) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
    const Error error = SystemError(fmt::format("connect to {} port {}", options.host, options.port), errno);
    close(fd);
    return error;
  }
  return fd;
}

}  // namespace

// One slot of the load: its share of the requests, and the socket that it uses now. Movable before it connects.
class Connection {
 public:
  Connection(Load* load, std::uint64_t first, std::uint64_t count) : load_(load), next_(first), end_(first + count) {}
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }
  Connection(Connection&& other) noexcept : load_(other.load_), next_(other.next_), end_(other.end_) {}
  Connection& operator=(Connection&&) = delete;

  Status Open() {
    const Result<int> fd = OpenSocket(load_->options_);
    if (!fd) return fd.error();
    fd_ = *fd;
    ++load_->report_.opened;
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = this}};
    if (epoll_ctl(load_->epoll_, EPOLL_CTL_ADD, fd_, &event) != 0) return SystemError("epoll_ctl", errno);
    return {};
  }

  [[nodiscard]] bool finished() const { return next_ == end_ && waiting_.empty(); }
  [[nodiscard]] int fd() const { return fd_; }

  // Reads and writes until the kernel has nothing more to give or take, as an edge-triggered event asks.
  Status Advance() {
    while (fd_ >= 0) {
      if (const Status written = Write(); !written) return written;
      const Result<bool> progress = Read();
      if (!progress) return progress.error();
      if (!*progress) return {};
    }
    return {};
  }

 private:
  struct Waiting {
    std::size_t kind;  // index into the mix
    Clock::time_point sent;
  };

  void Fill() {
    const LoadOptions& options = load_->options_;
    const std::size_t depth = options.close ? 1 : options.pipeline;
    while (next_ < end_ && waiting_.size() < depth && (!options.close || !used_)) {
      const std::size_t kind = next_++ % options.mix.size();
      if (waiting_.empty()) reader_.Begin(options.mix[kind].method == "HEAD");
      waiting_.push_back({kind, Clock::now()});
      outgoing_ += load_->wire_[kind];
      used_ = true;
    }
  }

  Status Write() {
    Fill();
    while (written_ < outgoing_.size()) {
      const ssize_t sent = send(fd_, outgoing_.data() + written_, outgoing_.size() - written_, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) return {};
      if (sent < 0) return SystemError("send", errno);
      written_ += static_cast<std::size_t>(sent);
      load_->report_.sent_bytes += static_cast<std::size_t>(sent);
    }
    outgoing_.clear();
    written_ = 0;
    return {};
  }

  // True when bytes came or the socket was replaced: there may be more to do.
  Result<bool> Read() {
    char buffer[kReadBytes];
    const ssize_t size = recv(fd_, buffer, sizeof(buffer), 0);
    if (size < 0 && errno == EINTR) return true;
    if (size < 0 && errno == EAGAIN) return false;
    if (size < 0) return SystemError("recv", errno);
    if (size == 0) return EndStream();
    load_->report_.received_bytes += static_cast<std::size_t>(size);
    if (const Status taken = Take({buffer, static_cast<std::size_t>(size)}); !taken) return taken.error();
    return true;
  }

  Status Take(std::string_view bytes) {
    while (!bytes.empty()) {
      if (waiting_.empty()) return Error{Code::kCorrupt, "bytes came that answer no request"};
      const Result<std::size_t> used = reader_.Feed(bytes);
      if (!used) return used.error();
      bytes.remove_prefix(*used);
      if (!reader_.done()) continue;
      if (const Status counted = CountAnswer(); !counted) return counted;
    }
    return {};
  }

  Status CountAnswer() {
    const Waiting waited = waiting_.front();
    waiting_.pop_front();
    const LoadRequest& request = load_->options_.mix[waited.kind];
    const Answer& answer = reader_.answer();
    LoadReport& report = load_->report_;
    ++report.answered;
    ++report.answers[{request.method, request.path, answer.status}];
    report.duration_seconds_sum += std::chrono::duration<double>(Clock::now() - waited.sent).count();
    if ((request.status != 0 && request.status != answer.status) ||
        (request.body_bytes >= 0 && static_cast<std::uint64_t>(request.body_bytes) != answer.body_bytes)) {
      ++report.mismatched;
    }
    if (!waiting_.empty()) reader_.Begin(load_->options_.mix[waiting_.front().kind].method == "HEAD");
    // What the next connection's figures will not show.
    if (load_->options_.close) return load_->closed_.Add(fd_);
    return {};
  }

  Result<bool> EndStream() {
    if (!waiting_.empty() && reader_.EndStream() && reader_.done()) {
      if (const Status counted = CountAnswer(); !counted) return counted.error();
    }
    if (!waiting_.empty() || (next_ < end_ && !load_->options_.close)) {
      return Error{Code::kIo, fmt::format("the server closed a connection with {} requests unanswered and {} unsent",
                                          waiting_.size(), end_ - next_)};
    }
    close(fd_);
    fd_ = -1;
    used_ = false;
    if (next_ == end_) return false;
    if (const Status opened = Open(); !opened) return opened.error();
    return true;
  }

  Load* load_;
  std::uint64_t next_;  // number of the next request within the run
  std::uint64_t end_;
  int fd_ = -1;
  bool used_ = false;  // this socket has carried a request
  std::string outgoing_;
  std::size_t written_ = 0;  // of outgoing_
  std::deque<Waiting> waiting_;
  AnswerReader reader_;
};

Load::Load(LoadOptions options) : options_(std::move(options)) {
  if (options_.mix.empty()) options_.mix.emplace_back();
  for (const LoadRequest& request : options_.mix) wire_.push_back(WireBytes(request, options_));
}

Load::~Load() {
  if (epoll_ >= 0) close(epoll_);
}

Status Load::Connect() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return SystemError("epoll_create1", errno);
  connections_.reserve(options_.connections);  // their addresses are epoll's data: never moved once open
  std::uint64_t first = 0;
  for (std::uint32_t i = 0; i < options_.connections; ++i) {
    const std::uint64_t count =
        options_.requests / options_.connections + (i < options_.requests % options_.connections);
    connections_.emplace_back(this, first, count);
    first += count;
    if (const Status opened = connections_.back().Open(); !opened) return opened;
  }
  return {};
}

Status Load::Run() {
  const Clock::time_point began = Clock::now();
  const Clock::time_point deadline = began + std::chrono::seconds(options_.timeout_s);
  Status outcome;
  const auto unfinished = [this] {
    return std::any_of(connections_.begin(), connections_.end(), [](const Connection& c) { return !c.finished(); });
  };
  while (outcome && unfinished()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    epoll_event events[kEventsMax];
    const int count = left > 0 ? epoll_wait(epoll_, events, kEventsMax, static_cast<int>(left)) : 0;
    if (count < 0 && errno != EINTR) return SystemError("epoll_wait", errno);
    if (count == 0) {
      outcome = Error{Code::kTimeout, fmt::format("{} of {} requests answered after {} s", report_.answered,
                                                  options_.requests, options_.timeout_s)};
    }
    for (int i = 0; outcome && i < count; ++i) outcome = static_cast<Connection*>(events[i].data.ptr)->Advance();
  }
  report_.wall_seconds = std::chrono::duration<double>(Clock::now() - began).count();
  return outcome;
}

Result<TcpTotals> Load::Totals() const {
  TcpTotals totals = closed_;
  if (options_.close) return totals;  // an idle last socket was counted when its answer was complete
  for (const Connection& connection : connections_) {
    if (connection.fd() < 0) continue;
    if (const Status added = totals.Add(connection.fd()); !added) return added.error();
  }
  return totals;
}

void to_json(nlohmann::json& json, const LoadReport& report) {
  nlohmann::json answers = nlohmann::json::array();
  for (const auto& [key, count] : report.answers) {
    const auto& [method, path, status] = key;
    answers.push_back({{"method", method}, {"path", path}, {"status", status}, {"count", count}});
  }
  json = {{"answers", answers},
          {"answered", report.answered},
          {"mismatched", report.mismatched},
          {"sent_bytes", report.sent_bytes},
          {"received_bytes", report.received_bytes},
          {"connections_opened", report.opened},
          {"duration_seconds_sum", report.duration_seconds_sum},
          {"wall_seconds", report.wall_seconds}};
}

}  // namespace wiregauge::tools
