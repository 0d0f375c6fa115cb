#include "exporter/match/connection.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace wiregauge::match {
namespace {

using decode::Unparsed;
using probe::Direction;
using probe::Role;

constexpr std::string_view kRequest = "GET /items/42 HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

class Kept final : public Sink {
 public:
  void OnRequest(const HttpRequest& request) override {
    told.push_back(std::string(request.method) + " " + std::string(request.path) + " " +
                   std::to_string(request.status) + (request.role == Role::kServer ? " server" : " client"));
  }
  void OnCall(const Call& call) override { told.push_back("call " + std::string(call.operation)); }

  std::vector<std::string> told;
};

// Plays segments; the tap is the server's.
class Play {
 public:
  explicit Play(Role role = Role::kServer, bool mid_stream = false, std::uint32_t protocols_off = 0)
      : options_(Options{.protocols_off = protocols_off}), connection_(Open(role, mid_stream), options_, budget_) {}
  ~Play() { EXPECT_LE(Sum(), bytes_); }

  void Received(std::string_view bytes) { Segment(Direction::kReceived, bytes); }
  void Sent(std::string_view bytes) { Segment(Direction::kSent, bytes); }
  void Close() { connection_.OnClose({.connection = 7, .time_ns = now_ns_++}, sink_); }

  std::uint64_t Unparsed(decode::Unparsed reason) {
    Take();
    return counts_.unparsed_bytes[static_cast<std::size_t>(reason)];
  }
  // Every byte is parsed, unparsed or pending.
  void ExpectAllCounted() {
    Take();
    EXPECT_EQ(Sum() + connection_.pending_bytes(), bytes_);
  }
  Connection& connection() { return connection_; }
  const std::vector<std::string>& told() const { return sink_.told; }
  const decode::MemoryBudget& budget() const { return budget_; }

 private:
  static probe::OpenRecord Open(Role role, bool mid_stream) {
    probe::OpenRecord open;
    open.connection = 7;
    open.role = role;
    open.mid_stream = mid_stream;
    open.sent_seq = 0xffffff00;
    open.received_seq = 100;
    return open;
  }

  void Segment(Direction direction, std::string_view bytes) {
    std::uint32_t& seq = seq_[direction == Direction::kSent ? 1 : 0];
    probe::DataRecord record;
    record.connection = 7;
    record.time_ns = now_ns_++;
    record.direction = direction;
    record.seq = seq;
    record.length = static_cast<std::uint32_t>(bytes.size());
    record.captured = AsBytes(bytes);
    seq += record.length;
    bytes_ += record.length;
    connection_.OnData(record, sink_);
  }

  void Take() { counts_.Add(connection_.TakeCounts()); }
  std::uint64_t Sum() const {
    return std::accumulate(counts_.unparsed_bytes.begin(), counts_.unparsed_bytes.end(), counts_.parsed_bytes);
  }

  ProtocolOptions options_;
  decode::MemoryBudget budget_;
  Kept sink_;
  ConnectionCounts counts_;
  std::uint32_t seq_[2] = {100, 0xffffff00};
  std::uint64_t now_ns_ = 1'000;
  std::uint64_t bytes_ = 0;
  Connection connection_;
};

TEST(Connection, FindsHttpInTheFirstSegment) {
  Play play;
  play.Received(kRequest);
  EXPECT_EQ(play.connection().protocol(), "http");
  EXPECT_EQ(play.connection().capture(), Connection::Capture::kWanted);
  play.Sent(kAnswer);
  EXPECT_EQ(play.told(), std::vector<std::string>{"GET /items/42 200 server"});
  play.ExpectAllCounted();
  EXPECT_EQ(play.budget().used(), 0u);
}

TEST(Connection, FindsHttpByteByByte) {
  Play play;
  for (const char& byte : kRequest) play.Received({&byte, 1});
  for (const char& byte : kAnswer) play.Sent({&byte, 1});
  EXPECT_EQ(play.told(), std::vector<std::string>{"GET /items/42 200 server"});
  play.ExpectAllCounted();
  EXPECT_EQ(play.budget().used(), 0u);
}

TEST(Connection, LearnsTheRoleFromTheBytes) {
  Play play(Role::kUnknown, true);
  play.Sent(kRequest);
  play.Received(kAnswer);
  EXPECT_EQ(play.told(), std::vector<std::string>{"GET /items/42 200 client"});
}

TEST(Connection, GivesUpOnWhatNothingDecodes) {
  Play play;
  play.Sent("SSH-2.0-OpenSSH_9.2p1\r\n");
  EXPECT_EQ(play.connection().capture(), Connection::Capture::kUseless);
  play.Received("SSH-2.0-OpenSSH_9.2p1\r\n");
  play.Close();
  EXPECT_EQ(play.Unparsed(Unparsed::kUnknownProtocol), 46u);
  EXPECT_TRUE(play.told().empty());
  play.ExpectAllCounted();
}

TEST(Connection, GivesUpWhenALikelyBeginningGoesWrong) {
  Play play;
  play.Received("PUT ");
  play.Received("lost in translation\r\n");
  play.Received("more of that\r\n");
  EXPECT_EQ(play.connection().capture(), Connection::Capture::kUseless);
  EXPECT_EQ(play.Unparsed(Unparsed::kUnknownProtocol), 39u);
  EXPECT_EQ(play.budget().used(), 0u);
  play.ExpectAllCounted();
}

TEST(Connection, GivesUpWhenNothingIsCertainForLong) {
  Play play;
  for (int i = 0; i < 40; ++i) play.Received("A");
  EXPECT_EQ(play.connection().capture(), Connection::Capture::kUseless);
  EXPECT_EQ(play.budget().used(), 0u);
  play.ExpectAllCounted();
}

TEST(Connection, GivesUpWhatFitsAndIsNeverProven) {
  Play play(Role::kClient);
  // Fits a DNS message over TCP, which never ends.
  play.Sent(std::string_view("\xff\xff\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01z\x00\x00\x01\x00\x01", 21));
  for (std::size_t i = 0; i < Connection::kKeptRecordsMax + Connection::kUnprovenMax; ++i) play.Sent("more");
  EXPECT_EQ(play.connection().capture(), Connection::Capture::kUseless);
  EXPECT_EQ(play.budget().used(), 0u);
  play.ExpectAllCounted();
}

TEST(Connection, InTheMiddleTakesTheNextBeginning) {
  Play play(Role::kServer, true);
  play.Sent("the rest of a body");
  play.Received(kRequest);
  play.Sent(kAnswer);
  EXPECT_EQ(play.told(), std::vector<std::string>{"GET /items/42 200 server"});
  EXPECT_EQ(play.Unparsed(Unparsed::kMidStream), 18u);
  play.ExpectAllCounted();
}

TEST(Connection, InTheMiddleOfTheUnknownGivesUp) {
  Play play(Role::kServer, true);
  for (unsigned i = 0; i < Connection::kMidStreamTriesMax; ++i) play.Sent("\x01\x02");
  EXPECT_EQ(play.connection().capture(), Connection::Capture::kUseless);
  play.ExpectAllCounted();
}

TEST(Connection, ACloseBeforeAnythingIsCertainIsCounted) {
  Play play;
  play.Received("GE");
  play.Close();
  EXPECT_EQ(play.Unparsed(Unparsed::kUnknownProtocol) + play.Unparsed(Unparsed::kCutOff), 2u);
  play.ExpectAllCounted();
}

TEST(Connection, AProtocolThatIsOffIsNotDecoded) {
  Options options;
  options.protocols_off = 1u << *FindProtocol("http");
  decode::MemoryBudget budget;
  probe::OpenRecord open;
  open.role = Role::kServer;
  const ProtocolOptions protocol_options(options);
  Connection connection(open, protocol_options, budget);
  Kept sink;
  probe::DataRecord record;
  record.captured = AsBytes(kRequest);
  record.length = static_cast<std::uint32_t>(kRequest.size());
  connection.OnData(record, sink);
  EXPECT_NE(connection.protocol(), "http");
}

// RFC 7540 section 3.2. The server says 101 and goes on as HTTP/2 at once.
const std::string kUpgradeRequest =
    "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n\r\n";
const std::string kUpgradeAnswer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
const std::string kSettings("\0\0\0\4\0\0\0\0\0", 9);
const std::string kHeaders200("\0\0\1\1\4\0\0\0\1\x88", 10);
const std::string kEndOfStream1("\0\0\2\0\1\0\0\0\1hi", 11);

TEST(Connection, AnUpgradeToHttp2IsOneRequest) {
  for (const std::size_t cut : {std::size_t{0}, std::size_t{5}, kUpgradeAnswer.size(), kUpgradeAnswer.size() + 3}) {
    Play play;
    play.Received(kUpgradeRequest);
    const std::string answer = kUpgradeAnswer + kSettings + kHeaders200;
    if (cut > 0) play.Sent(answer.substr(0, cut));
    play.Sent(answer.substr(cut));
    EXPECT_EQ(play.told(), (std::vector<std::string>{}));
    EXPECT_EQ(play.connection().protocol(), "http2");
    EXPECT_EQ(play.connection().capture(), Connection::Capture::kWhole);
    play.Received("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + kSettings);
    play.Sent(kEndOfStream1);
    EXPECT_EQ(play.told(), (std::vector<std::string>{"GET /up 200 server"}));
    play.ExpectAllCounted();
    for (std::size_t i = 0; i < decode::kUnparsedReasons; ++i) {
      EXPECT_EQ(play.Unparsed(static_cast<decode::Unparsed>(i)), 0u) << i;
    }
    play.Close();
    EXPECT_EQ(play.told().size(), 1u);
  }
}

TEST(Connection, AnUpgradeToSomethingElseIsTheEndOfHttp) {
  Play play;
  play.Received("GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  play.Sent("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello");
  EXPECT_EQ(play.told(), (std::vector<std::string>{"GET /chat 101 server"}));
  EXPECT_EQ(play.connection().capture(), Connection::Capture::kUseless);
  EXPECT_EQ(play.Unparsed(Unparsed::kUpgraded), 7u);
}

TEST(Connection, AnUpgradeToHttp2ThatIsOffIsTheEndOfHttp) {
  Play play(Role::kServer, false, 1u << *FindProtocol("http2"));
  play.Received(kUpgradeRequest);
  play.Sent(kUpgradeAnswer + kSettings);
  EXPECT_EQ(play.Unparsed(Unparsed::kUpgraded), kSettings.size());
  play.Close();
  EXPECT_EQ(play.told(), (std::vector<std::string>{"GET /up 101 server"}));
}

TEST(Connection, AProtocolHasItsOwnDeadline) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  ProtocolOptions options;
  for (std::size_t i = 0; i < Protocols().size(); ++i) options.SetAnswerTimeout(i, (100 + i) * kSecond);
  options.SetAnswerTimeout(*FindProtocol("http"), 3 * kSecond);
  decode::MemoryBudget budget;
  probe::OpenRecord open;
  open.role = Role::kServer;
  Connection connection(open, options, budget);
  Kept sink;
  probe::DataRecord record;
  record.time_ns = kSecond;
  record.captured = AsBytes(kRequest);
  record.length = static_cast<std::uint32_t>(kRequest.size());
  connection.OnData(record, sink);
  EXPECT_EQ(connection.NextDeadline(), 4 * kSecond);
  connection.OnTick(4 * kSecond - 1, sink);
  EXPECT_TRUE(sink.told.empty());
  connection.OnTick(4 * kSecond, sink);
  EXPECT_EQ(sink.told.size(), 1u);
}

TEST(Protocols, HaveNames) {
  for (std::size_t i = 0; i < Protocols().size(); ++i) EXPECT_EQ(FindProtocol(Protocols()[i].name), i);
  EXPECT_EQ(FindProtocol("gopher"), std::nullopt);
}

}  // namespace
}  // namespace wiregauge::match
