#include "exporter/decode/mysql/parse.h"

#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/mysql/golden_sessions.h"

namespace wiregauge::decode::mysql {
namespace {

using golden::Unhex;

std::string Wrap(std::uint8_t sequence, std::string_view payload) {
  std::string bytes;
  for (int shift = 0; shift < 24; shift += 8) bytes.push_back(static_cast<char>(payload.size() >> shift));
  bytes.push_back(static_cast<char>(sequence));
  return bytes.append(payload);
}

Request Parse(std::string_view payload) {
  return ParseRequest(AsBytes(payload), static_cast<std::uint32_t>(payload.size()));
}
std::string Statement(std::string_view payload) {
  const Request request = Parse(payload);
  return std::string(VerbName(request.statement.verb)) + " " + std::string(request.statement.table.text());
}
Likeness Requests(std::string_view bytes, bool mid_stream = false) {
  return LooksLikeRequests(AsBytes(bytes), mid_stream);
}
Likeness Answers(std::string_view bytes, bool mid_stream = false) {
  return LooksLikeAnswers(AsBytes(bytes), mid_stream);
}

const std::string kGreeting = Unhex(golden::kClient[0].hex);
const std::string kLogin = Unhex(golden::kClient[1].hex);
// Of MySQL 8.0's format: the same fields, more capabilities and another method.
const std::string kGreeting8 =
    Wrap(0, std::string("\x0a"
                        "8.0.35\0\x08\0\0\0saltsalt\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0saltsaltsalt\0",
                        52) +
                "caching_sha2_password" + '\0');

TEST(Greeting, Capabilities) {
  const auto greeting = ParseGreeting(AsBytes(kGreeting).subspan(4), 100);
  ASSERT_TRUE(greeting);
  EXPECT_TRUE(greeting->known);
  EXPECT_EQ(greeting->capabilities, 0x81fff7feu);
  const auto greeting8 = ParseGreeting(AsBytes(kGreeting8).subspan(4), 74);
  ASSERT_TRUE(greeting8);
  EXPECT_EQ(greeting8->capabilities, 0xdfffffffu);
}

TEST(Greeting, EveryTruncation) {
  for (std::size_t size = 0; size < 100; ++size) {
    const auto greeting = ParseGreeting(AsBytes(kGreeting).subspan(4, size), 100);
    EXPECT_EQ(greeting.has_value(), size >= 24) << size;
    EXPECT_EQ(greeting && greeting->known, size >= 54) << size;
  }
}

TEST(Greeting, IsStrict) {
  EXPECT_EQ(Answers(kGreeting), Likeness::kYes);
  EXPECT_EQ(Answers(kGreeting8), Likeness::kYes);
  EXPECT_EQ(Answers(kGreeting.substr(0, 20)), Likeness::kMaybe);
  EXPECT_EQ(Answers(kGreeting, true), Likeness::kNo);
  for (const std::size_t at : {2u, 3u, 4u, 5u, 10u, 50u}) {
    std::string other = kGreeting;
    other[at] = '\x07';
    EXPECT_EQ(Answers(other), Likeness::kNo) << at;
  }
  EXPECT_EQ(Answers("220 mail.example.org ESMTP ready now\r\n"), Likeness::kNo);
  EXPECT_EQ(Answers("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n"), Likeness::kNo);
  EXPECT_EQ(Answers("HTTP/1.1 200 OK\r\n\r\n"), Likeness::kNo);
  EXPECT_EQ(Answers("+OK\r\n"), Likeness::kNo);
}

TEST(Greeting, AnErrorInItsPlace) {
  EXPECT_EQ(Answers(Wrap(0, "\xff\x10\x04Too many connections")), Likeness::kYes);
  EXPECT_EQ(Answers(Wrap(0, "\xff\x10\x04#08004Too many connections")), Likeness::kYes);
  EXPECT_EQ(Answers(Wrap(0, "\xff\x10\x04Too many\x01")), Likeness::kNo);
  EXPECT_EQ(Answers(Wrap(0, std::string("\xff\x10\x00Too many", 11))), Likeness::kNo);
}

TEST(Login, OfClients) {
  EXPECT_EQ(Requests(kLogin), Likeness::kYes);
  EXPECT_EQ(Requests(kLogin, true), Likeness::kYes);
  std::string in_tls = kLogin;
  in_tls[3] = 2;
  EXPECT_EQ(Requests(in_tls), Likeness::kYes);
  in_tls[3] = 3;
  EXPECT_EQ(Requests(in_tls), Likeness::kNo);
  for (std::size_t size = 1; size < 36; ++size) EXPECT_EQ(Requests(kLogin.substr(0, size)), Likeness::kMaybe) << size;
  for (const std::size_t at : {5u, 13u, 31u}) {  // no protocol 4.1, no zeros
    std::string other = kLogin;
    other[at] ^= '\x02';
    EXPECT_EQ(Requests(other), Likeness::kNo) << at;
  }
}

TEST(Login, BeforeTls) {
  const std::string request = Wrap(1, kLogin.substr(4, 32));
  EXPECT_EQ(Requests(request), Likeness::kNo) << "without the flag";
  std::string tls = request;
  tls[5] |= '\x08';
  EXPECT_EQ(Requests(tls), Likeness::kYes);
  const auto login = ParseLogin(AsBytes(tls).subspan(4), 32);
  ASSERT_TRUE(login);
  EXPECT_TRUE(login->tls);
  EXPECT_FALSE(ParseLogin(AsBytes(kLogin).subspan(4), 206)->tls);
}

TEST(Likeness, RequestsInTheMiddle) {
  EXPECT_EQ(Requests(Wrap(0, "\x03SELECT 1"), true), Likeness::kYes);
  EXPECT_EQ(Requests(Wrap(0, "\x16insert into t values (?)"), true), Likeness::kYes);
  EXPECT_EQ(Requests(Wrap(0, "\x03 hello"), true), Likeness::kMaybe);
  EXPECT_EQ(Requests(Unhex("0a00000017010000000001000000"), true), Likeness::kYes);
  EXPECT_EQ(Requests(Unhex("010000000e"), true), Likeness::kMaybe);
  EXPECT_EQ(Requests(Wrap(0, "\x03SELECT 1")), Likeness::kNo) << "before a login";
  for (const std::string_view hex :
       {"0100000010", "020000000e00", "0a00000017010000000002000000", "0a00000017010000002001000000", "0100000103",
        "000000000e", "06000000190100000000", "0300000003ff31"}) {
    EXPECT_EQ(Requests(Unhex(hex), true), Likeness::kNo) << hex;
  }
  EXPECT_EQ(Requests("GET / HTTP/1.1\r\n\r\n", true), Likeness::kNo);
  EXPECT_EQ(Requests(std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8), true), Likeness::kNo) << "PostgreSQL";
  EXPECT_EQ(Requests(std::string("\0\0\0\x12\0\x03\0\x04\0\0\0\x01", 12), true), Likeness::kNo) << "Kafka";
}

TEST(Request, Statements) {
  EXPECT_EQ(Statement("\x03SELECT a FROM t"), "SELECT t");
  EXPECT_EQ(Statement("\x16insert into `d`.`t` values (?)"), "INSERT t");
  EXPECT_EQ(Statement("\x03"), "_OTHER ");
  EXPECT_EQ(Statement(""), "_OTHER ");
}

// "COM_QUERY" of MySQL 8.0.23: parameter_count, parameter_set_count, NULLs, 1, types and names, values.
TEST(Request, QueryAttributes) {
  EXPECT_EQ(Statement(std::string("\x03\0\x01SELECT a FROM t", 18)), "SELECT t");
  const std::string attributes = Unhex("0303010201fe00016b0300016e0c0001740568656c6c6f0464617465");
  EXPECT_EQ(Statement(attributes + "SELECT a FROM t"), "SELECT t");
  for (std::size_t size = 1; size < attributes.size(); ++size) {
    const Request cut = ParseRequest(AsBytes(attributes).first(size), 1'000);
    EXPECT_EQ(cut.statement.verb, sql::Verb::kOther) << size;
    EXPECT_TRUE(NeedsMore(cut, AsBytes(attributes).first(size), 1'000)) << size;
  }
  EXPECT_EQ(Statement("\x03\tSELECT a FROM t"), "SELECT t") << "a tab is none";
  EXPECT_EQ(Statement("\x03\x08\x01\xff\x01zzzzzzzzzzzzzzzzzzzzzzzzzzzzz"), "_OTHER ");
}

TEST(Request, StatementIds) {
  EXPECT_EQ(Parse(Unhex("170700000000010000000001")).statement_id, 7u);
  EXPECT_EQ(Parse(Unhex("19ffffffff")).statement_id, kLastPrepared);
  EXPECT_EQ(Parse(Unhex("190700")).statement_id, 0u);
}

TEST(Request, NeedsMore) {
  const auto needs = [](std::string_view at_hand, std::uint32_t length) {
    const Request request = ParseRequest(AsBytes(at_hand), length);
    return NeedsMore(request, AsBytes(at_hand), length);
  };
  EXPECT_TRUE(needs("", 1));
  EXPECT_FALSE(needs("\x0e", 1));
  EXPECT_TRUE(needs("\x17\x01", 10));
  EXPECT_FALSE(needs(std::string("\x17\x01\0\0\0", 5), 10));
  EXPECT_TRUE(needs("\x03SELECT a FROM t", 1'000));
  EXPECT_FALSE(needs("\x03SELECT a FROM t WHERE ", 1'000));
  EXPECT_FALSE(needs("\x03" + std::string(kRequestBytesRead - 1, ' '), 100'000));
  EXPECT_TRUE(needs("\x03" + std::string(kRequestBytesRead - 2, ' '), 100'000));
}

TEST(ColumnCount, WithFlagsOfBothServers) {
  const auto parse = [](std::string_view payload) {
    const auto count = ParseColumnCount(AsBytes(payload), static_cast<std::uint32_t>(payload.size()));
    return count ? std::to_string(count->columns) + (count->definitions_follow ? "" : " cached") : "none";
  };
  EXPECT_EQ(parse("\x05"), "5");
  EXPECT_EQ(parse("\xfc\x01\x10"), "4097");
  EXPECT_EQ(parse("\x02\x01"), "2");
  EXPECT_EQ(parse(std::string("\x02\0", 2)), "2 cached");
  EXPECT_EQ(parse("\x01\x01"), "1");
  EXPECT_EQ(parse(std::string("\x01\0", 2)), "1 cached");
  EXPECT_EQ(parse("\x01\x07"), "7");
  EXPECT_EQ(parse(std::string("\0\x07", 2)), "7 cached");
  EXPECT_EQ(parse("\x01\xfc\x01\x10"), "4097");
  EXPECT_EQ(parse("\xfc\x01\x10\x01"), "4097");
  EXPECT_EQ(parse(std::string(1, '\0')), "none");
  EXPECT_EQ(parse("\x02\x03\x04"), "none");
  EXPECT_EQ(parse("\xfe\x01\x10"), "none");
  EXPECT_EQ(parse("\xff"), "none");
  EXPECT_EQ(parse(std::string("\xfd\xff\xff\x01", 4)), "none") << "over 65,535";
}

TEST(PacketKind, ByFirstByteAndLength) {
  const auto kind = [](std::string_view payload, std::uint32_t length) { return PacketKind(AsBytes(payload), length); };
  EXPECT_EQ(kind(std::string(7, '\0'), 7), Packet::kOk);
  EXPECT_EQ(kind(std::string(6, '\0'), 6), Packet::kData);
  EXPECT_EQ(kind("\xfe....", 5), Packet::kEof);
  EXPECT_EQ(kind("\xfe......", 7), Packet::kOkAsEof);
  EXPECT_EQ(kind("\xfe", 1), Packet::kData);
  EXPECT_EQ(kind("\xfe......", kPayloadBytesMax - 1), Packet::kOkAsEof);
  EXPECT_EQ(kind("\xfe......", kPayloadBytesMax), Packet::kData) << "a row of 16 MiB";
  EXPECT_EQ(kind("\xff\x28\x04#", 4), Packet::kError);
  EXPECT_EQ(kind("\xff\xff\xff\x01", 4), Packet::kProgress);
  EXPECT_EQ(kind("\xfb/etc", 5), Packet::kFile);
}

TEST(Status, OfOkAndEof) {
  const auto status = [](std::string_view hex, Packet kind) { return StatusOf(AsBytes(Unhex(hex)), kind); };
  EXPECT_EQ(status("fe01000a00", Packet::kEof), 0x000a);
  EXPECT_EQ(status("00000002400000", Packet::kOk), 0x4002);
  EXPECT_EQ(status("00fcff0001"
                   "22000000",
                   Packet::kOk),
            0x0022);
  EXPECT_EQ(status("00ffffffffffffff", Packet::kOk), 0);
  EXPECT_EQ(status("00fe01", Packet::kOk), 0);
}

TEST(Terminator, AtTheEndOfASegment) {
  const auto find = [](std::string_view hex, bool old_eof) -> std::string {
    const auto end = FindTerminator(AsBytes(Unhex(hex)), old_eof);
    return end ? std::to_string(end->status) + "/" + std::to_string(end->error) : "none";
  };
  EXPECT_EQ(find("0000"
                 "07fe00002200",
                 true),
            "34/0");
  EXPECT_EQ(find("05000007fe00002200", true), "34/0");
  EXPECT_EQ(find("727272"
                 "05000007fe00002200",
                 true),
            "34/0");
  EXPECT_EQ(find("06000007fe00002200", true), "none");
  EXPECT_EQ(find("0000"
                 "07fe00002080",
                 true),
            "none")
      << "no such status";
  EXPECT_EQ(find("0000"
                 "07fe00002000",
                 true),
            "none")
      << "neither autocommit nor a transaction";
  EXPECT_EQ(find("0007fe00002200", true), "none") << "7 bytes";
  EXPECT_EQ(find("0000"
                 "07fe00002200",
                 false),
            "none");
  EXPECT_EQ(find("07fe000022000000", false), "34/0");
  EXPECT_EQ(find("07000007fe000022000000", false), "34/0");
  EXPECT_EQ(find("08000007fe000022000000", false), "none");
  EXPECT_EQ(find("7272"
                 "0e000007ff2804"
                 "23"
                 "3432303030"
                 "68656c6c6f",
                 true),
            "0/1064");
  EXPECT_EQ(find("7272"
                 "0f000007ff2804"
                 "23"
                 "3432303030"
                 "68656c6c6f",
                 true),
            "none");
}

TEST(Commands, EveryByteHasAName) {
  for (int i = 0; i < 256; ++i) {
    const auto command = static_cast<Command>(i);
    EXPECT_FALSE(CommandName(command).empty());
  }
}

}  // namespace
}  // namespace wiregauge::decode::mysql
