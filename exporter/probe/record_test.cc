#include "exporter/probe/record.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "bpf/wire.h"
#include "exporter/probe/tcp.h"

namespace wiregauge::probe {
namespace {

template <typename T>
std::string Raw(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(T));
}

wg_data SmallData() {
  wg_data data{};
  data.header.kind = WG_RECORD_DATA;
  data.header.flags = WG_DATA_SENT | WG_DATA_TAIL;
  data.header.captured = 3;
  data.header.connection = 77;
  data.header.time_ns = 1234;
  data.seq = 0xfffffffe;
  data.length = 9000;
  return data;
}

constexpr std::string_view kTail = "\r\n0\r\n\r\n!";

TEST(Record, ContractIsTheSameOnBothSides) {
  const std::uint32_t bounds[] = {WG_TCP_BUCKET_BOUNDS_US};
  ASSERT_EQ(std::size(bounds), kTcpBucketBoundsUs.size());
  EXPECT_TRUE(std::equal(std::begin(bounds), std::end(bounds), kTcpBucketBoundsUs.begin()));
  EXPECT_EQ(sizeof(wg_tcp_counters), sizeof(TcpCounters));
}

TEST(Record, DecodesData) {
  const std::string bytes = Raw(SmallData()) + std::string(kTail) + "GET" + std::string(245, 'x');
  const auto record = DecodeRecord(AsBytes(bytes));
  ASSERT_TRUE(record);
  const auto& data = std::get<DataRecord>(*record);
  EXPECT_EQ(data.connection, 77U);
  EXPECT_EQ(data.time_ns, 1234U);
  EXPECT_EQ(data.direction, Direction::kSent);
  EXPECT_EQ(data.seq, 0xfffffffeU);
  EXPECT_EQ(data.length, 9000U);
  EXPECT_EQ(AsText(data.captured), "GET");
  EXPECT_EQ(AsText(data.tail), kTail);
  EXPECT_FALSE(data.before_accept);
  EXPECT_FALSE(data.plaintext);
}

TEST(Record, DecodesPlaintext) {
  wg_data raw = SmallData();
  raw.header.flags = WG_DATA_PLAINTEXT | WG_DATA_MID_STREAM | WG_DATA_SENT;
  raw.header.age_ns = 234;
  raw.length = 3;
  const std::string bytes = Raw(raw) + "GET" + std::string(61, 'x');
  const auto record = DecodeRecord(AsBytes(bytes));
  ASSERT_TRUE(record);
  const auto& data = std::get<DataRecord>(*record);
  EXPECT_TRUE(data.plaintext);
  EXPECT_TRUE(data.mid_stream);
  EXPECT_EQ(data.time_ns, 1000U);
  EXPECT_EQ(AsText(data.captured), "GET");
}

TEST(Record, DecodesOpenAndClose) {
  wg_open open{};
  open.header.kind = WG_RECORD_OPEN;
  open.header.flags = WG_OPEN_MID_STREAM | WG_OPEN_ENCRYPTED;
  open.header.connection = 5;
  open.local.port = 80;
  open.remote.address[15] = 1;
  open.sent_seq = 10;
  open.received_seq = 20;
  open.role = WG_ROLE_SERVER;
  open.owner = 99;
  std::memcpy(open.comm, "nginx", 5);
  const std::string open_bytes = Raw(open);
  const auto record = DecodeRecord(AsBytes(open_bytes));
  ASSERT_TRUE(record);
  const auto& decoded = std::get<OpenRecord>(*record);
  EXPECT_EQ(decoded.role, Role::kServer);
  EXPECT_TRUE(decoded.mid_stream);
  EXPECT_TRUE(decoded.encrypted);
  EXPECT_EQ(decoded.local.port, 80);
  EXPECT_EQ(decoded.remote.address[15], 1);
  EXPECT_EQ(decoded.sent_seq, 10U);
  EXPECT_EQ(decoded.received_seq, 20U);
  EXPECT_EQ(std::string(decoded.comm.data()), "nginx");

  wg_close close{};
  close.header.kind = WG_RECORD_CLOSE;
  for (const bool twin : {false, true}) {
    close.header.flags = static_cast<wg_u8>(WG_CLOSE_RESET_RECEIVED | (twin ? WG_CLOSE_TWIN : 0));
    const std::string close_bytes = Raw(close);
    const auto closed = DecodeRecord(AsBytes(close_bytes));
    ASSERT_TRUE(closed);
    EXPECT_TRUE(std::get<CloseRecord>(*closed).reset_received);
    EXPECT_FALSE(std::get<CloseRecord>(*closed).reset_sent);
    EXPECT_EQ(std::get<CloseRecord>(*closed).twin, twin);
  }
}

TEST(Record, DecodesDataBeforeAccept) {
  wg_data data = SmallData();
  data.header.flags = WG_DATA_BEFORE_ACCEPT;
  wg_before_accept where{};
  where.local.port = 80;
  where.remote.port = 4000;
  where.remote.address[15] = 9;
  const std::string bytes = Raw(data) + Raw(where) + "GET";
  const auto record = DecodeRecord(AsBytes(bytes));
  ASSERT_TRUE(record);
  const auto& decoded = std::get<DataRecord>(*record);
  EXPECT_TRUE(decoded.before_accept);
  EXPECT_EQ(decoded.local.port, 80);
  EXPECT_EQ(decoded.remote.port, 4000);
  EXPECT_EQ(decoded.remote.address[15], 9);
  EXPECT_EQ(AsText(decoded.captured), "GET");
  EXPECT_TRUE(decoded.tail.empty());
  EXPECT_FALSE(DecodeRecord(AsBytes(bytes).first(bytes.size() - 1)));
}

TEST(Record, DecodesDatagrams) {
  wg_datagram datagram{};
  datagram.header.kind = WG_RECORD_DATAGRAM;
  datagram.header.flags = WG_DATA_SENT;
  datagram.header.captured = 5;
  datagram.header.connection = 8;
  datagram.header.time_ns = 1234;
  datagram.local.port = 5353;
  datagram.remote.port = 53;
  datagram.owner = 99;
  datagram.cgroup_id = 7;
  datagram.length = 6000;
  std::memcpy(datagram.comm, "dnsmasq", 7);
  const std::string bytes = Raw(datagram) + "query";
  const auto record = DecodeRecord(AsBytes(bytes));
  ASSERT_TRUE(record);
  const auto& decoded = std::get<DatagramRecord>(*record);
  EXPECT_EQ(decoded.socket, 8U);
  EXPECT_EQ(decoded.time_ns, 1234U);
  EXPECT_EQ(decoded.direction, Direction::kSent);
  EXPECT_EQ(decoded.local.port, 5353);
  EXPECT_EQ(decoded.remote.port, 53);
  EXPECT_EQ(decoded.owner, 99U);
  EXPECT_EQ(decoded.cgroup_id, 7U);
  EXPECT_EQ(decoded.length, 6000U);
  EXPECT_EQ(std::string(decoded.comm.data()), "dnsmasq");
  EXPECT_EQ(AsText(decoded.captured), "query");
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeRecord(AsBytes(bytes).first(size)));
  datagram.length = 4;
  EXPECT_FALSE(DecodeRecord(AsBytes(Raw(datagram) + "query"))) << "more captured than there was";
}

TEST(Record, RefusesEveryTruncation) {
  const std::string bytes = Raw(SmallData()) + std::string(kTail) + "GET";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto record = DecodeRecord(AsBytes(bytes).first(size));
    ASSERT_FALSE(record) << size;
    EXPECT_EQ(record.error().code, Code::kCorrupt);
  }
  EXPECT_TRUE(DecodeRecord(AsBytes(bytes)));
}

TEST(Record, RefusesFieldsOutOfRange) {
  const std::string room(WG_TAIL_BYTES + WG_CAPTURE_LARGE + 1, 'x');
  const auto refuses = [&room](auto change) {
    wg_data data = SmallData();
    change(data);
    const std::string bytes = Raw(data) + room;
    return !DecodeRecord(AsBytes(bytes)).has_value();
  };
  EXPECT_TRUE(refuses([](wg_data& d) { d.header.kind = 0; }));
  EXPECT_TRUE(refuses([](wg_data& d) { d.header.kind = 5; }));
  EXPECT_TRUE(refuses([](wg_data& d) { d.header.captured = WG_CAPTURE_LARGE + 1; }));
  EXPECT_TRUE(refuses([](wg_data& d) { d.length = 2; }));
  EXPECT_TRUE(refuses([](wg_data& d) {
    d.length = 7;  // shorter than its tail
    d.header.captured = 0;
  }));
  EXPECT_FALSE(refuses([](wg_data& d) { d.header.captured = WG_CAPTURE_LARGE; }));
  wg_open open{};
  open.header.kind = WG_RECORD_OPEN;
  open.role = 3;
  const std::string bytes = Raw(open);
  EXPECT_FALSE(DecodeRecord(AsBytes(bytes)));
}

}  // namespace
}  // namespace wiregauge::probe
