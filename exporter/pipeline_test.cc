#include "exporter/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace wiregauge::exporter {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::string_view kRequest = "GET /items/42 HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

probe::Endpoint At(std::uint8_t last, std::uint16_t port) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last}, port};
}

probe::OpenRecord Open(probe::ConnectionId id) {
  probe::OpenRecord open;
  open.connection = id;
  open.time_ns = kSecond;
  open.local = At(1, 80);
  open.remote = At(2, static_cast<std::uint16_t>(40'000 + id));
  open.role = probe::Role::kServer;
  open.sent_seq = 1000;
  open.received_seq = 5000;
  return open;
}

probe::DataRecord Data(probe::ConnectionId id, probe::Direction direction, std::uint32_t seq, std::string_view bytes) {
  probe::DataRecord data;
  data.connection = id;
  data.time_ns = 2 * kSecond;
  data.direction = direction;
  data.seq = seq;
  data.length = static_cast<std::uint32_t>(bytes.size());
  data.captured = AsBytes(bytes);
  return data;
}

class PipelineTest : public testing::Test {
 protected:
  PipelineTest()
      : pipeline_(
            match::ProtocolOptions(), {}, {.proc = "/nonexistent", .cgroup = ""},
            [](probe::OwnerId) {
              return Result<probe::OwnerInfo>(Error{Code::kNotFound, "none"});
            },
            [this](probe::ConnectionId, const probe::Capture& capture) { captures_.push_back(capture); }) {}

  double RequestCount() {
    aggregate::Snapshot families;
    pipeline_.Collect({3 * kSecond, 1'700'000'000'000}, families);
    for (const aggregate::Family& family : families) {
      if (family.name != "http_server_request_duration_seconds") continue;
      double count = 0;
      for (const aggregate::Point& point : family.points) count += static_cast<double>(point.count);
      return count;
    }
    return 0;
  }

  // Of the only service that has one.
  double Completeness() {
    aggregate::Snapshot families;
    pipeline_.Collect({3 * kSecond, 1'700'000'000'000}, families);
    for (const aggregate::Family& family : families) {
      if (family.name == "wiregauge_capture_completeness_ratio" && family.points.size() == 1) {
        return family.points[0].value;
      }
    }
    return -1;
  }

  double Lost(const std::string& stage, const std::string& reason) {
    aggregate::Family passed;
    aggregate::Family lost;
    pipeline_.CollectLosses(passed, lost);
    for (const aggregate::Point& point : lost.points) {
      if (point.labels == aggregate::Labels{{"reason", reason}, {"stage", stage}}) return point.value;
    }
    ADD_FAILURE() << "no loss counter " << stage << ' ' << reason;
    return -1;
  }

  std::vector<probe::Capture> captures_;
  Pipeline pipeline_;
};

TEST_F(PipelineTest, CountsARequest) {
  pipeline_.OnRecord(Open(1));
  pipeline_.OnRecord(Data(1, probe::Direction::kReceived, 5000, kRequest));
  EXPECT_EQ(RequestCount(), 0);
  pipeline_.OnRecord(Data(1, probe::Direction::kSent, 1000, kAnswer));
  EXPECT_EQ(RequestCount(), 1);
}

// What a server's end tells for its client too: the client saw nothing of what came after it was gone.
TEST_F(PipelineTest, AClientThatIsGoneSeesNoAnswer) {
  const auto counts = [this](const std::string& family, const std::string& label) {
    std::map<std::string, double> found;
    aggregate::Snapshot families;
    pipeline_.Collect({9 * kSecond, 1'700'000'000'000}, families);
    for (const aggregate::Family& one : families) {
      if (one.name != family) continue;
      for (const aggregate::Point& point : one.points) {
        for (const auto& [name, value] : point.labels) {
          if (name == label) found[value] += static_cast<double>(point.count);
        }
      }
    }
    return found;
  };
  probe::OpenRecord open = Open(1);
  open.both_ends = true;
  open.twin = 2;
  pipeline_.OnRecord(open);
  const auto exchange = [this](std::uint32_t nth, std::uint64_t answered_ns) {
    probe::DataRecord request =
        Data(1, probe::Direction::kReceived, 5000 + nth * static_cast<std::uint32_t>(kRequest.size()), kRequest);
    request.time_ns = (2 + nth) * kSecond;
    pipeline_.OnRecord(request);
    if (nth == 1) pipeline_.OnRecord(probe::CloseRecord{1, 4 * kSecond, false, false, true});
    probe::DataRecord answer =
        Data(1, probe::Direction::kSent, 1000 + nth * static_cast<std::uint32_t>(kAnswer.size()), kAnswer);
    answer.time_ns = answered_ns;
    pipeline_.OnRecord(answer);
  };
  exchange(0, 2 * kSecond);
  exchange(1, 5 * kSecond);
  using Counts = std::map<std::string, double>;
  const std::string server = "http_server_request_duration_seconds";
  const std::string client = "http_client_request_duration_seconds";
  EXPECT_EQ(counts(server, "http_response_status_code"), (Counts{{"200", 2}}));
  EXPECT_EQ(counts(server, "error_type"), Counts());
  EXPECT_EQ(counts(client, "http_response_status_code"), (Counts{{"200", 1}}));
  EXPECT_EQ(counts(client, "error_type"), (Counts{{"connection_closed", 1}}));
}

TEST_F(PipelineTest, PlaintextIsAConversationOfItsOwn) {
  probe::OpenRecord open = Open(1);
  open.encrypted = true;
  pipeline_.OnRecord(open);
  probe::DataRecord request = Data(1, probe::Direction::kReceived, 0, kRequest);
  probe::DataRecord answer = Data(1, probe::Direction::kSent, 0, kAnswer);
  request.plaintext = answer.plaintext = true;
  pipeline_.OnRecord(request);
  pipeline_.OnRecord(answer);
  EXPECT_EQ(RequestCount(), 1);
  EXPECT_EQ(pipeline_.ConnectionsByProtocol().at("http"), 1U);
  pipeline_.OnRecord(request);  // told once, in order: a sequence number that was there is none
  pipeline_.OnRecord(probe::CloseRecord{1, 3 * kSecond, false, false});
  EXPECT_EQ(RequestCount(), 1);
}

TEST_F(PipelineTest, PlaintextMayFollowWhatWasInTheClear) {
  pipeline_.OnRecord(Open(1));
  pipeline_.OnRecord(Data(1, probe::Direction::kReceived, 5000, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"));
  pipeline_.OnRecord(Data(1, probe::Direction::kSent, 1000, "HTTP/1.1 200 OK\r\n\r\n"));
  const double before = RequestCount();
  probe::DataRecord request = Data(1, probe::Direction::kReceived, 0, kRequest);
  probe::DataRecord answer = Data(1, probe::Direction::kSent, 0, kAnswer);
  request.plaintext = answer.plaintext = true;
  pipeline_.OnRecord(request);
  pipeline_.OnRecord(answer);
  EXPECT_EQ(RequestCount(), before + 1);
}

// What TLS adds is parsed with its plaintext; what of that was not understood is not.
TEST_F(PipelineTest, CiphertextIsParsedAsFarAsItsPlaintextIs) {
  const auto unread = static_cast<std::size_t>(probe::Unread::kPlaintext);
  probe::TcpDrain drain;
  probe::TcpCounters counters;
  counters.sent_bytes = 1000;
  counters.unread_bytes[unread] = 1000;
  drain.deltas.emplace_back(probe::TcpKey{.role = probe::Role::kServer}, counters);
  pipeline_.OnTcp(drain, kSecond);
  EXPECT_EQ(Completeness(), 1);

  pipeline_.OnRecord(Open(1));
  probe::DataRecord nonsense = Data(1, probe::Direction::kReceived, 0, std::string_view("\0\0\0\0 nonsense", 13));
  nonsense.plaintext = true;
  pipeline_.OnRecord(nonsense);
  pipeline_.OnRecord(probe::CloseRecord{1, 2 * kSecond, false, false});
  pipeline_.OnTcp(drain, 2 * kSecond);
  EXPECT_EQ(Completeness(), (2000.0 - 13) / 2000);
}

TEST_F(PipelineTest, TheKernelIsToldWhyItNeedNotCopy) {
  const auto play = [&](probe::ConnectionId id, std::string_view request, std::string_view answer) {
    pipeline_.OnRecord(Open(id));
    pipeline_.OnRecord(Data(id, probe::Direction::kReceived, 5000, request));
    pipeline_.OnRecord(Data(id, probe::Direction::kSent, 1000, answer));
  };
  play(1, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n");
  play(2, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
  play(3, "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n", "+FULLRESYNC 0 0\r\n");
  play(4, std::string_view("\0\0\0\0 nonsense", 13), "");
  ASSERT_EQ(captures_.size(), 4U);
  constexpr probe::Unread kWhy[] = {probe::Unread::kTunnel, probe::Unread::kUpgraded, probe::Unread::kReplication,
                                    probe::Unread::kUnknownProtocol};
  for (std::size_t i = 0; i < captures_.size(); ++i) {
    EXPECT_FALSE(captures_[i].capture) << i;
    EXPECT_EQ(captures_[i].unread, kWhy[i]) << i;
  }
}

TEST_F(PipelineTest, WhatTheKernelDidNotCaptureHasItsReason) {
  probe::TcpDrain drain;
  probe::TcpCounters counters;
  counters.sent_bytes = 1000;
  counters.unread_bytes[static_cast<std::size_t>(probe::Unread::kReplication)] = 700;
  drain.deltas.emplace_back(probe::TcpKey{.role = probe::Role::kServer}, counters);
  pipeline_.OnTcp(drain, kSecond);
  aggregate::Snapshot families;
  pipeline_.Collect({3 * kSecond, 1'700'000'000'000}, families);
  const auto unparsed = std::find_if(families.begin(), families.end(), [](const aggregate::Family& family) {
    return family.name == "wiregauge_unparsed_bytes";
  });
  ASSERT_NE(unparsed, families.end());
  ASSERT_EQ(unparsed->points.size(), 1U);
  EXPECT_EQ(unparsed->points[0].value, 700);
  EXPECT_EQ(unparsed->points[0].labels[0].second, "replication");
}

TEST_F(PipelineTest, ASecondAnnouncementChangesNothing) {
  pipeline_.OnRecord(Open(1));
  pipeline_.OnRecord(Data(1, probe::Direction::kReceived, 5000, kRequest));
  pipeline_.OnRecord(Open(1));
  pipeline_.OnRecord(Data(1, probe::Direction::kSent, 1000, kAnswer));
  EXPECT_EQ(RequestCount(), 1);
}

TEST_F(PipelineTest, JoinsWhatCameBeforeTheAccept) {
  probe::DataRecord early = Data(99, probe::Direction::kReceived, 5000, kRequest);
  early.before_accept = true;
  early.local = At(1, 80);
  early.remote = At(2, 40'001);
  pipeline_.OnRecord(early);
  pipeline_.OnRecord(Open(1));
  pipeline_.OnRecord(Data(1, probe::Direction::kSent, 1000, kAnswer));
  EXPECT_EQ(RequestCount(), 1);
}

TEST_F(PipelineTest, EarlyDataOfAnotherConnectionIsNotTaken) {
  probe::DataRecord early = Data(99, probe::Direction::kReceived, 5000, kRequest);
  early.before_accept = true;
  early.local = At(1, 80);
  early.remote = At(2, 40'002);
  pipeline_.OnRecord(early);
  pipeline_.OnRecord(Open(1));
  pipeline_.OnRecord(Data(1, probe::Direction::kSent, 1000, kAnswer));
  EXPECT_EQ(RequestCount(), 0);
  pipeline_.OnTick(2 * kSecond + Pipeline::kEarlyDataNs + 1);
  EXPECT_EQ(Lost("pipeline_data", "early_expired"), 1);
}

TEST_F(PipelineTest, DataWithoutAConnectionIsCounted) {
  pipeline_.OnRecord(Data(7, probe::Direction::kReceived, 5000, kRequest));
  EXPECT_EQ(Lost("pipeline_data", "no_connection"), 1);
}

TEST_F(PipelineTest, ARequestWithoutAnswerIsToldAtItsDeadline) {
  pipeline_.OnRecord(Open(1));
  pipeline_.OnRecord(Data(1, probe::Direction::kReceived, 5000, kRequest));
  pipeline_.OnTick(2 * kSecond + match::Options{}.answer_timeout_ns - 1);
  EXPECT_EQ(RequestCount(), 0);
  pipeline_.OnTick(2 * kSecond + match::Options{}.answer_timeout_ns + 1);
  EXPECT_EQ(RequestCount(), 1);
}

TEST_F(PipelineTest, ACloseTellsWhatIsLeftAndForgetsTheConnection) {
  pipeline_.OnRecord(Open(1));
  pipeline_.OnRecord(Data(1, probe::Direction::kReceived, 5000, kRequest));
  pipeline_.OnRecord(probe::CloseRecord{1, 3 * kSecond, false, true});
  EXPECT_EQ(RequestCount(), 1);
  EXPECT_EQ(pipeline_.connections(), 0U);
}

TEST_F(PipelineTest, TcpDeltasAddUpAndActiveIsTheLastDrain) {
  probe::TcpDrain drain;
  probe::TcpCounters counters;
  counters.opened = 2;
  counters.active = 2;
  counters.sent_bytes = 100;
  drain.deltas.emplace_back(probe::TcpKey{.role = probe::Role::kServer}, counters);
  pipeline_.OnTcp(drain, kSecond);
  drain.deltas[0].second.active = 1;
  pipeline_.OnTcp(drain, 2 * kSecond);
  aggregate::Snapshot families;
  pipeline_.Collect({3 * kSecond, 1'700'000'000'000}, families);
  const auto value = [&families](std::string_view name) {
    const auto family = std::find_if(families.begin(), families.end(), [&](const auto& f) { return f.name == name; });
    return family == families.end() || family->points.empty() ? -1 : family->points[0].value;
  };
  EXPECT_EQ(value("wiregauge_tcp_connections_opened"), 4);
  EXPECT_EQ(value("wiregauge_tcp_connections_active"), 1);
  EXPECT_EQ(value("wiregauge_tcp_sent_bytes"), 200);
}

}  // namespace
}  // namespace wiregauge::exporter
