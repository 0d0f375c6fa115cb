// The probe on the running kernel: a child process in a cgroup and a network namespace of its own talks HTTP with
// itself; what the probe tells is compared with what the child did and with the kernel's TCP_INFO. Needs root and eBPF.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>

#include <fmt/format.h>

#include "exporter/probe/capabilities.h"
#include "exporter/probe/cgroup.h"
#include "exporter/probe/probe.h"

namespace wiregauge::probe {
namespace {

std::string MissingRights() {
  for (const Capability& capability : WantedCapabilities({})) {
    if (!capability.held) return "needs " + capability.name;
  }
  return "";
}

class TestCgroup {
 public:
  TestCgroup() : path_(fmt::format("{}/wiregauge-probe-test-{}", *FindCgroupMount(), getpid())) {
    mkdir(path_.c_str(), 0755);
  }
  ~TestCgroup() { rmdir(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr int kRequests = 25;
constexpr std::string_view kRequest = "GET /items/42 HTTP/1.1\r\nHost: test\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

// What the child did, as it writes it into the pipe when its connections are about to close.
struct ChildFigures {
  std::uint64_t client_bytes_acked = 0;
  std::uint64_t client_bytes_received = 0;
  std::uint64_t server_bytes_acked = 0;
  std::uint64_t server_bytes_received = 0;
  std::uint64_t client_segments_out = 0;
  std::uint64_t server_segments_out = 0;
};

// An address of the child's that is its own and not loopback's: each end tells for itself.
constexpr const char* kNotLoopback = "10.213.7.9";
constexpr const char* kLoopback = "127.0.0.1";

// What the child says, and how.
struct Talk {
  std::string_view opening;  // the client's, once, before the first exchange
  std::string_view request = kRequest;
  std::string_view answer = kAnswer;
  const char* address = kNotLoopback;
};

// UDP: what a DNS client asks its server, as told apart by the first byte of the identifier.
std::string Question(int id, bool answer = false) {
  std::string message = {static_cast<char>(id), 0, static_cast<char>(answer ? 0x81 : 0x01), 0, 0, 1, 0, 0, 0, 0, 0, 0};
  return message + std::string("\4test\0\0\1\0\1", 10);
}

void LoopbackUp() {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::snprintf(request.ifr_name, IFNAMSIZ, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  ioctl(fd, SIOCSIFFLAGS, &request);
  std::snprintf(request.ifr_name, IFNAMSIZ, "lo:1");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, kNotLoopback, &address.sin_addr);
  std::memcpy(&request.ifr_addr, &address, sizeof(address));
  if (ioctl(fd, SIOCSIFADDR, &request) != 0) _exit(10);
  close(fd);
}

void ReadExactly(int fd, std::size_t size) {
  char buffer[1024];
  while (size > 0) {
    const ssize_t got = read(fd, buffer, std::min(size, sizeof(buffer)));
    if (got <= 0) _exit(3);
    size -= static_cast<std::size_t>(got);
  }
}

void WriteAll(int fd, std::string_view text) {
  if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(4);
}

// Sends `message` and has the other end take it.
void Datagram(int from, int to, std::string_view message) {
  WriteAll(from, message);
  char buffer[8192];
  if (read(to, buffer, sizeof(buffer)) != static_cast<ssize_t>(message.size())) _exit(9);
}

struct Pair {
  int client = -1;
  int server = -1;
};

Pair Connect(const char* to = kLoopback) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, to, &address.sin_addr);
  socklen_t size = sizeof(address);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 4) != 0) _exit(5);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  Pair pair{socket(AF_INET, SOCK_STREAM, 0), -1};
  if (connect(pair.client, reinterpret_cast<sockaddr*>(&address), size) != 0) _exit(6);
  pair.server = accept(listener, nullptr, nullptr);
  close(listener);
  return pair;
}

void Exchange(const Pair& pair, const Talk& talk = {}) {
  for (int i = 0; i < kRequests; ++i) {
    WriteAll(pair.client, talk.request);
    ReadExactly(pair.server, talk.request.size());
    WriteAll(pair.server, talk.answer);
    ReadExactly(pair.client, talk.answer.size());
  }
}

Pair ConnectDatagrams() {
  Pair pair{socket(AF_INET, SOCK_DGRAM, 0), socket(AF_INET, SOCK_DGRAM, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  for (const auto& [bound, other] : {std::pair{pair.server, pair.client}, std::pair{pair.client, pair.server}}) {
    if (bound == pair.server && bind(bound, reinterpret_cast<sockaddr*>(&address), size) != 0) _exit(5);
    getsockname(bound, reinterpret_cast<sockaddr*>(&address), &size);
    if (connect(other, reinterpret_cast<sockaddr*>(&address), size) != 0) _exit(6);
  }
  return pair;
}

constexpr int kQuestions = 20;
constexpr int kStrangers = 200;
constexpr std::string_view kStranger = "nothing that a resolver would understand";

// One kind of datagrams on sockets of their own: questions with their answers; a question too large to be captured
// whole; many strangers.
void ExchangeQuestions(const Pair& pair) {
  for (int id = 0; id < kQuestions; ++id) {
    Datagram(pair.client, pair.server, Question(id));
    Datagram(pair.server, pair.client, Question(id, true) + std::string(static_cast<std::size_t>(id) * 50, 'a'));
  }
  Datagram(pair.client, pair.server, kStranger);
  Datagram(pair.client, pair.server, Question(kQuestions) + std::string(5000, 'q'));
}

void ExchangeStrangers() {
  const Pair pair = ConnectDatagrams();
  for (int i = 0; i < kStrangers; ++i) Datagram(pair.client, pair.server, kStranger);
  for (int i = 0; i < kStrangers; ++i) Datagram(pair.client, pair.server, Question(1));
}

tcp_info Info(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
  return info;
}

// Both ends have seen every acknowledgement: a bounded wait on the kernel's own figures.
void Settle(const Pair& pair, const Talk& talk, std::size_t rounds) {
  while (Info(pair.client).tcpi_unacked != 0 || Info(pair.server).tcpi_unacked != 0 ||
         Info(pair.server).tcpi_bytes_acked != rounds * kRequests * talk.answer.size()) {
    sched_yield();
  }
}

ChildFigures Figures(const Pair& pair) {
  const tcp_info client = Info(pair.client);
  const tcp_info server = Info(pair.server);
  return {client.tcpi_bytes_acked,    client.tcpi_bytes_received, server.tcpi_bytes_acked,
          server.tcpi_bytes_received, client.tcpi_segs_out,       server.tcpi_segs_out};
}

// A child in the cgroup and in a namespace of its own. Steps are given one at a time through a pipe, so that the test
// can look in between: 'c' connects, 'x' exchanges and answers with figures, 'q' closes and ends; 'u' makes a pair of
// UDP sockets, 'd' has it talk DNS; 's' sends what is no DNS, then some, on a pair of its own.
class Child {
 public:
  explicit Child(const TestCgroup& cgroup, const Talk& talk = {}) {
    int commands[2];
    int answers[2];
    if (pipe2(commands, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) Bug("pipe");
    pid_ = fork();
    if (pid_ == 0) {
      close(commands[1]);
      close(answers[0]);
      std::ofstream(cgroup.path() + "/cgroup.procs") << getpid() << std::flush;
      if (unshare(CLONE_NEWNET) != 0) _exit(2);
      LoopbackUp();
      Serve(commands[0], answers[1], talk);
    }
    close(commands[0]);
    close(answers[1]);
    commands_ = commands[1];
    answers_ = answers[0];
    Step('-');
  }
  ~Child() {
    close(commands_);
    close(answers_);
    int status = 0;
    waitpid(pid_, &status, 0);
  }

  ChildFigures Step(char step) const {
    ChildFigures figures;
    if (write(commands_, &step, 1) != 1) Bug("the child is gone");
    EXPECT_EQ(read(answers_, &figures, sizeof(figures)), static_cast<ssize_t>(sizeof(figures)));
    return figures;
  }

 private:
  [[noreturn]] static void Serve(int commands, int answers, const Talk& talk) {
    Pair pair;
    Pair datagrams;
    std::size_t rounds = 0;
    for (char step = 0; read(commands, &step, 1) == 1;) {
      ChildFigures figures;
      if (step == 'c') {
        pair = Connect(talk.address);
        WriteAll(pair.client, talk.opening);
        ReadExactly(pair.server, talk.opening.size());
      }
      if (step == 'x') {
        Exchange(pair, talk);
        Settle(pair, talk, ++rounds);
        figures = Figures(pair);
      }
      if (step == 'u') datagrams = ConnectDatagrams();
      if (step == 'd') ExchangeQuestions(datagrams);
      if (step == 's') ExchangeStrangers();
      if (step == 'q') {
        close(pair.client);
        ReadExactly(pair.server, 0);
        char end = 0;
        if (read(pair.server, &end, 1) != 0) _exit(7);
        close(pair.server);
      }
      if (write(answers, &figures, sizeof(figures)) != sizeof(figures)) _exit(8);
    }
    _exit(0);
  }

  pid_t pid_ = -1;
  int commands_ = -1;
  int answers_ = -1;
};

struct Told {
  std::map<ConnectionId, OpenRecord> opens;
  std::map<ConnectionId, std::string> sent;
  std::map<ConnectionId, std::string> received;
  std::size_t closes = 0;
  std::size_t twin_closes = 0;
};

// What an end tells for both counts for both.
void Collect(Probe& probe, Told& told) {
  probe.Consume(100'000, [&told](const Record& record) {
    if (const auto* open = std::get_if<OpenRecord>(&record)) told.opens[open->connection] = *open;
    if (const auto* data = std::get_if<DataRecord>(&record)) {
      const bool sent = data->direction == Direction::kSent;
      (sent ? told.sent : told.received)[data->connection] += AsText(data->captured);
      const OpenRecord& open = told.opens[data->connection];
      if (open.both_ends) (sent ? told.received : told.sent)[open.twin] += AsText(data->captured);
    }
    if (const auto* close = std::get_if<CloseRecord>(&record)) ++(close->twin ? told.twin_closes : told.closes);
  });
}

TcpCounters Sum(const TcpDrain& drain, Role role) {
  TcpCounters sum;
  for (const auto& [key, counters] : drain.deltas) {
    if (key.role != role) continue;
    sum.opened += counters.opened;
    sum.closed += counters.closed;
    sum.active += counters.active;
    sum.sent_bytes += counters.sent_bytes;
    sum.received_bytes += counters.received_bytes;
    sum.sent_segments += counters.sent_segments;
    for (std::size_t i = 0; i < sum.unread_bytes.size(); ++i) sum.unread_bytes[i] += counters.unread_bytes[i];
  }
  return sum;
}

std::string Repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

void ExpectNothingLost(const Probe& probe) {
  for (const KernelCounter& counter : probe.Counters()) {
    if (counter.reason.empty()) continue;
    EXPECT_EQ(counter.count, 0U) << counter.stage << ' ' << counter.reason;
  }
  EXPECT_EQ(probe.corrupt_records(), 0U);
}

class ProbeLive : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = MissingRights(); !missing.empty()) GTEST_SKIP() << missing;
  }
};

TEST_F(ProbeLive, TellsEveryByteOfBothEndsAndTheKernelsOwnTotals) {
  const TestCgroup cgroup;
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}});
  ASSERT_TRUE(attached) << attached.error().message;
  Probe& probe = **attached;
  for (const ProgramReport& program : probe.programs()) EXPECT_TRUE(program.attached) << program.name << program.error;

  const Child child(cgroup);
  child.Step('c');
  const ChildFigures figures = child.Step('x');
  Told told;
  Collect(probe, told);
  ASSERT_EQ(told.opens.size(), 2U);
  for (const auto& [id, open] : told.opens) {
    const bool is_client = open.role == Role::kClient;
    EXPECT_FALSE(open.mid_stream);
    EXPECT_NE(open.owner, 0U);
    EXPECT_EQ(std::string(open.comm.data()), "probe_live_test");
    const auto owner = probe.Owner(open.owner);
    ASSERT_TRUE(owner) << owner.error().message;
    EXPECT_EQ(owner->comm, "probe_live_test");
    EXPECT_EQ(owner->executable, "probe_live_test");
    EXPECT_EQ(told.sent[id], Repeated(is_client ? kRequest : kAnswer, kRequests));
    EXPECT_EQ(told.received[id], Repeated(is_client ? kAnswer : kRequest, kRequests));
  }

  usleep(110'000);  // the age below which an unmet connection is not reported yet (SETTLE_NS); not a synchronisation
  const auto live = probe.DrainTcp();
  ASSERT_TRUE(live) << live.error().message;
  const TcpCounters client = Sum(*live, Role::kClient);
  const TcpCounters server = Sum(*live, Role::kServer);
  EXPECT_EQ(client.opened, 1U);
  EXPECT_EQ(server.opened, 1U);
  EXPECT_EQ(client.active, 1U);
  EXPECT_EQ(client.closed, 0U);
  EXPECT_EQ(client.sent_bytes, figures.client_bytes_acked - 1);  // TCP_INFO counts the SYN
  EXPECT_EQ(client.sent_bytes, kRequests * kRequest.size());
  EXPECT_EQ(client.received_bytes, figures.client_bytes_received);
  EXPECT_EQ(server.sent_bytes, figures.server_bytes_acked);
  EXPECT_EQ(server.received_bytes, figures.server_bytes_received);
  EXPECT_EQ(client.sent_segments, figures.client_segments_out);
  EXPECT_EQ(server.sent_segments, figures.server_segments_out);
  for (const auto& [key, counters] : live->deltas) EXPECT_EQ(key.peer_owner, key.owner) << "both ends are the child";

  child.Step('q');
  const auto closed = probe.DrainTcp();
  ASSERT_TRUE(closed);
  EXPECT_EQ(Sum(*closed, Role::kServer).closed, 1U);
  EXPECT_EQ(Sum(*closed, Role::kClient).closed, 1U);
  EXPECT_EQ(Sum(*closed, Role::kClient).active, 0U);
  EXPECT_EQ(Sum(*closed, Role::kClient).sent_bytes, 0U) << "a FIN is no payload, and nothing is told twice";
  EXPECT_EQ(Sum(*closed, Role::kServer).sent_bytes, 0U);
  EXPECT_EQ(Sum(*closed, Role::kClient).received_bytes, 0U);
  Collect(probe, told);
  EXPECT_EQ(told.closes, 2U);
  ExpectNothingLost(probe);
}

TEST_F(ProbeLive, TakesInSocketsOlderThanItself) {
  const TestCgroup cgroup;
  const Child child(cgroup);
  child.Step('c');
  child.Step('x');
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}});
  ASSERT_TRUE(attached) << attached.error().message;
  child.Step('x');
  Told told;
  Collect(**attached, told);
  ASSERT_EQ(told.opens.size(), 2U);
  for (const auto& [id, open] : told.opens) {
    EXPECT_TRUE(open.mid_stream);
    EXPECT_NE(open.owner, 0U);
    EXPECT_EQ(told.sent[id].size() + told.received[id].size(), kRequests * (kRequest.size() + kAnswer.size()));
  }
  const auto drain = (*attached)->DrainTcp();
  ASSERT_TRUE(drain);
  std::uint64_t sent = 0;
  for (const auto& [key, counters] : drain->deltas) {
    sent += counters.sent_bytes;
    EXPECT_EQ(counters.opened, 0U) << "opened before we came";
  }
  EXPECT_EQ(sent, kRequests * (kRequest.size() + kAnswer.size())) << "what came before does not count";
  child.Step('q');
}

TEST_F(ProbeLive, WakesTheReaderOnlyWhenARingFillsUp) {
  const TestCgroup cgroup;
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}, .ring_bytes = 131'072});
  ASSERT_TRUE(attached) << attached.error().message;
  Probe& probe = **attached;
  const Child child(cgroup);
  child.Step('c');
  constexpr int kRoundsMax = 50;  // one round is some 10 KiB; the kernel side looks once in eight records
  int rounds = 0;
  while (!probe.Wait(0) && ++rounds < kRoundsMax) child.Step('x');
  EXPECT_GT(rounds, 0) << "it was woken before there was anything";
  EXPECT_LT(rounds, kRoundsMax) << "it was never woken";
  Told told;
  Collect(probe, told);
  EXPECT_FALSE(told.sent.empty());
  while (probe.Wait(0)) continue;  // wishes from before Collect
  EXPECT_FALSE(probe.Wait(20)) << "an empty ring wants nothing";
  child.Step('x');
  EXPECT_FALSE(probe.Wait(20)) << "neither does one with a few records";
  Collect(probe, told);
  child.Step('q');
}

constexpr std::size_t kExchanged = kRequests * (kRequest.size() + kAnswer.size());

// What was told of the connections and what was only counted make up all that they carried, in either role.
void ExpectAllAccountedFor(Probe& probe, const Told& told, Unread reason, std::size_t carried) {
  const auto drain = probe.DrainTcp();
  ASSERT_TRUE(drain);
  for (const Role role : {Role::kClient, Role::kServer}) {
    std::size_t captured = 0;
    for (const auto& [id, open] : told.opens) {
      if (open.role != role && !open.both_ends) continue;
      if (told.sent.contains(id)) captured += told.sent.at(id).size();
      if (told.received.contains(id)) captured += told.received.at(id).size();
    }
    const TcpCounters sum = Sum(*drain, role);
    EXPECT_EQ(captured + sum.unread_bytes[static_cast<std::size_t>(reason)], carried);
    EXPECT_EQ(std::accumulate(sum.unread_bytes.begin(), sum.unread_bytes.end(), std::uint64_t{0}),
              sum.unread_bytes[static_cast<std::size_t>(reason)]);
  }
}

TEST_F(ProbeLive, StopsCapturingWhenToldSoAndCountsTheRest) {
  const TestCgroup cgroup;
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}});
  ASSERT_TRUE(attached) << attached.error().message;
  Probe& probe = **attached;
  constexpr std::string_view kAnything = "\x00\xff none of the protocols that we know";
  const Child child(cgroup, {.opening = "", .request = kAnything, .answer = "?"});
  child.Step('c');
  child.Step('x');
  Told told;
  Collect(probe, told);
  ASSERT_EQ(told.opens.size(), 2U);
  for (const auto& [id, open] : told.opens) {
    EXPECT_EQ(told.sent[id].size() + told.received[id].size(), kRequests * (kAnything.size() + 1));
    probe.SetCapture(id, {.capture = false, .unread = Unread::kUpgraded});
  }
  constexpr int kMore = 4;  // 64 segments, in which the kernel must have looked, are less than two
  for (int i = 0; i < kMore; ++i) child.Step('x');
  Collect(probe, told);
  for (const auto& [id, open] : told.opens) {
    const std::size_t captured = told.sent[id].size() + told.received[id].size();
    EXPECT_LT(captured, 3 * kRequests * (kAnything.size() + 1));
  }
  usleep(110'000);  // SETTLE_NS, as above
  ExpectAllAccountedFor(probe, told, Unread::kUpgraded, (1 + kMore) * kRequests * (kAnything.size() + 1));
  child.Step('q');
  ExpectNothingLost(probe);
}

constexpr std::string_view kHello("\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03 and what a hello has", 30);

TEST_F(ProbeLive, CapturesNothingOfTlsAndCountsAll) {
  const TestCgroup cgroup;
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}});
  ASSERT_TRUE(attached) << attached.error().message;
  const Child child(cgroup, {.opening = kHello});
  child.Step('c');
  child.Step('x');
  Told told;
  Collect(**attached, told);
  ASSERT_EQ(told.opens.size(), 2U);
  for (const auto& [id, open] : told.opens) EXPECT_TRUE(open.encrypted);
  EXPECT_TRUE(told.sent.empty());
  EXPECT_TRUE(told.received.empty());
  usleep(110'000);  // SETTLE_NS, as above
  ExpectAllAccountedFor(**attached, told, Unread::kEncrypted, kHello.size() + kExchanged);
  child.Step('q');
  ExpectNothingLost(**attached);
}

// One direction sends `bytes` in one write without an answer; how much of it was captured, at the sender.
std::size_t CapturedOfBurst(const TestCgroup& cgroup, Probe& probe, std::string_view opening, std::size_t bytes) {
  const std::string body(bytes, 'b');
  const Child child(cgroup, {.opening = opening, .request = body, .answer = "."});
  child.Step('c');
  Told told;
  Collect(probe, told);
  const ConnectionId client = std::find_if(told.opens.begin(), told.opens.end(), [](const auto& e) {
                                return e.second.role == Role::kClient;
                              })->first;
  child.Step('x');
  Told exchanged;
  Collect(probe, exchanged);
  child.Step('q');
  return exchanged.sent[client].size();
}

TEST_F(ProbeLive, CapturesBurstsUpToTheLimitAndHttp2WithoutOne) {
  const TestCgroup cgroup;
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}, .capture_burst_bytes = 8'192});
  ASSERT_TRUE(attached) << attached.error().message;
  constexpr std::size_t kBody = 40'000;
  const std::size_t limited = CapturedOfBurst(cgroup, **attached, "anything", kBody);
  EXPECT_GE(limited, kRequests * 8'192U);
  EXPECT_LT(limited, kRequests * kBody / 2);
  EXPECT_EQ(CapturedOfBurst(cgroup, **attached, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kBody), kRequests * kBody);
  ExpectNothingLost(**attached);
}

std::vector<std::pair<DatagramRecord, std::string>> CollectDatagrams(Probe& probe) {
  std::vector<std::pair<DatagramRecord, std::string>> told;
  probe.Consume(100'000, [&told](const Record& record) {
    const auto* datagram = std::get_if<DatagramRecord>(&record);
    ASSERT_NE(datagram, nullptr);
    told.emplace_back(*datagram, AsText(datagram->captured));
  });
  return told;
}

TEST_F(ProbeLive, TellsOverLoopbackOnceForBothEnds) {
  const TestCgroup cgroup;
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}});
  ASSERT_TRUE(attached) << attached.error().message;
  Probe& probe = **attached;
  const Child child(cgroup, {.opening = "", .request = kRequest, .answer = kAnswer, .address = kLoopback});
  child.Step('c');
  child.Step('x');
  Told told;
  Collect(probe, told);
  ASSERT_EQ(told.opens.size(), 1U);
  const OpenRecord open = told.opens.begin()->second;
  EXPECT_EQ(open.role, Role::kServer);
  ASSERT_TRUE(open.both_ends);
  EXPECT_NE(open.twin, 0U);
  EXPECT_NE(open.twin, open.connection);
  EXPECT_EQ(open.twin_owner, open.owner) << "both ends are the child";
  EXPECT_EQ(told.received[open.connection], Repeated(kRequest, kRequests));
  EXPECT_EQ(told.sent[open.connection], Repeated(kAnswer, kRequests));

  probe.SetCapture(open.connection, {.capture = false});
  for (int i = 0; i < 4; ++i) child.Step('x');
  Collect(probe, told);
  EXPECT_LT(told.sent[open.connection].size(), 4 * kRequests * kAnswer.size());
  usleep(110'000);  // SETTLE_NS, as above
  ExpectAllAccountedFor(probe, told, Unread::kUnknownProtocol, 5 * kExchanged);
  child.Step('q');
  Collect(probe, told);
  EXPECT_EQ(told.closes, 1U);
  EXPECT_EQ(told.twin_closes, 1U);
  ExpectNothingLost(probe);
}

TEST_F(ProbeLive, TellsEachEndOverLoopbackWhenTlsBeginsLater) {
  const TestCgroup cgroup;
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}});
  ASSERT_TRUE(attached) << attached.error().message;
  const Child child(cgroup, {.opening = "STARTTLS please", .request = kHello, .answer = "any", .address = kLoopback});
  child.Step('c');
  child.Step('x');
  Told told;
  Collect(**attached, told);
  ASSERT_EQ(told.opens.size(), 2U);
  for (const auto& [id, open] : told.opens) {
    EXPECT_EQ(open.both_ends, open.role == Role::kServer);
    EXPECT_EQ(open.encrypted, open.role == Role::kClient) << "the server's was announced before";
    EXPECT_EQ(told.sent[id] + told.received[id], "STARTTLS please");
  }
  usleep(110'000);  // SETTLE_NS, as above
  const auto drain = (*attached)->DrainTcp();
  ASSERT_TRUE(drain);
  for (const Role role : {Role::kClient, Role::kServer}) {
    EXPECT_EQ(Sum(*drain, role).unread_bytes[static_cast<std::size_t>(Unread::kEncrypted)],
              kRequests * (kHello.size() + 3));
  }
  child.Step('q');
  ExpectNothingLost(**attached);
}

TEST_F(ProbeLive, TellsEveryDnsDatagramOfBothEnds) {
  const TestCgroup cgroup;
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}});
  ASSERT_TRUE(attached) << attached.error().message;
  const Child child(cgroup);
  child.Step('u');
  child.Step('d');
  const auto told = CollectDatagrams(**attached);
  ASSERT_EQ(told.size(), 4U * kQuestions + 2) << "question and answer, sent and received; the large one; no stranger";
  std::map<ConnectionId, std::map<Direction, int>> by_socket;
  for (std::size_t i = 0; i < told.size(); ++i) {
    const auto& [datagram, captured] = told[i];
    ++by_socket[datagram.socket][datagram.direction];
    EXPECT_NE(datagram.owner, 0U);
    EXPECT_NE(datagram.cgroup_id, 0U);
    EXPECT_EQ(std::string(datagram.comm.data()), "probe_live_test");
    // In the order of cause and effect: sent and received in turns.
    EXPECT_EQ(datagram.direction, i % 2 == 0 ? Direction::kSent : Direction::kReceived) << i;
    const auto& twin = told[i ^ 1].first;
    EXPECT_EQ(datagram.local, twin.remote);
    EXPECT_EQ(datagram.remote, twin.local);
    EXPECT_EQ(captured, told[i ^ 1].second);
    const int id = static_cast<int>(i / 4);
    const bool answer = i % 4 >= 2;
    std::string whole = Question(id, answer);
    if (id == kQuestions) whole.append(5000, 'q');
    if (answer) whole.append(static_cast<std::size_t>(id) * 50, 'a');
    EXPECT_EQ(captured, whole.substr(0, 4096));
    EXPECT_EQ(datagram.length, whole.size());
  }
  ASSERT_EQ(by_socket.size(), 2U);
  ExpectNothingLost(**attached);
}

TEST_F(ProbeLive, KnowsWhoseOlderDatagramSocketsAre) {
  const TestCgroup cgroup;
  const Child child(cgroup);
  child.Step('u');
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}});
  ASSERT_TRUE(attached) << attached.error().message;
  child.Step('d');
  const auto told = CollectDatagrams(**attached);
  EXPECT_EQ(told.size(), 4U * kQuestions + 2);
  for (const auto& [datagram, captured] : told) {
    EXPECT_NE(datagram.owner, 0U);
    EXPECT_EQ(std::string(datagram.comm.data()), "probe_live_test");
  }
}

TEST_F(ProbeLive, LeavesASocketOfStrangersAloneButNotForEver) {
  const TestCgroup cgroup;
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}});
  ASSERT_TRUE(attached) << attached.error().message;
  const Child child(cgroup);
  child.Step('s');
  const std::size_t told = CollectDatagrams(**attached).size();
  // At most 64 pass before it is looked at again, and 64 before the second proves it, at each of both ends.
  EXPECT_GE(told, 2U * (kStrangers - 128));
  EXPECT_LT(told, 2U * kStrangers) << "it was never left alone: what is this test's kernel doing?";
}

TEST_F(ProbeLive, LeavesOtherCgroupsAlone) {
  const TestCgroup cgroup;
  auto attached = Probe::Attach({.cgroups = {cgroup.path()}});
  ASSERT_TRUE(attached) << attached.error().message;
  const Pair pair = Connect();  // this process is not in the cgroup
  Exchange(pair);
  Told told;
  Collect(**attached, told);
  EXPECT_TRUE(told.opens.empty());
  const auto drain = (*attached)->DrainTcp();
  ASSERT_TRUE(drain);
  EXPECT_TRUE(drain->deltas.empty());
  close(pair.client);
  close(pair.server);
}

}  // namespace
}  // namespace wiregauge::probe
