#include "exporter/decode/mysql/request_decoder.h"

#include <string>

#include <gtest/gtest.h>

namespace wiregauge::decode::mysql {
namespace {

// Writes down what the decoder finds.
class Script final : public RequestHandler {
 public:
  void OnLogin(const Login&, std::uint64_t first_byte_ns) override { text += "login@" + std::to_string(first_byte_ns); }
  void OnRequest(const Request& request, std::uint64_t first_byte_ns) override {
    text += "[" + std::string(CommandName(request.command)) + " " + std::string(VerbName(request.statement.verb)) +
            " " + std::string(request.statement.table.text()) + "@" + std::to_string(first_byte_ns) + "]";
  }
  void OnRequestsLost() override { text += "lost "; }
  void OnNotMysql() override { text += "not-mysql "; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    text += std::string(UnparsedName(reason)) + ":" + std::to_string(bytes) + " ";
  }

  std::string Take() { return std::exchange(text, {}); }
  std::string text;
};

std::string Query(std::string_view statement) {
  const std::size_t length = statement.size() + 1;
  std::string bytes;
  for (int shift = 0; shift < 24; shift += 8) bytes.push_back(static_cast<char>(length >> shift));
  return bytes.append(std::string("\0\x03", 2)).append(statement);
}

class RequestDecoderTest : public testing::Test {
 protected:
  RequestDecoderTest() { decoder.Confirm(); }
  void Bytes(std::string_view bytes) { decoder.OnBytes(AsBytes(std::string(bytes)), ++now, script); }

  RequestDecoder decoder{true};
  Script script;
  std::uint64_t now = 0;
};

TEST_F(RequestDecoderTest, AStatementIsToldAsSoonAsItsTableIsKnown) {
  const std::string insert = Query("INSERT INTO t VALUES " + std::string(20'000, 'x'));
  Bytes(insert.substr(0, 30));
  EXPECT_EQ(script.Take(), "[_OTHER INSERT t@1]");
  Bytes(insert.substr(30));
  Bytes(Query("DO 1"));
  EXPECT_EQ(script.Take(), "[_OTHER DO @3]");
}

TEST_F(RequestDecoderTest, AStatementIsReadOverSegmentsUpToItsLimit) {
  const std::string columns(3'000, 'c');
  const std::string select = Query("SELECT " + columns + " FROM t WHERE a");
  Bytes(select.substr(0, 1'460));
  Bytes(select.substr(1'460, 1'460));
  EXPECT_EQ(script.Take(), "");
  Bytes(select.substr(2'920));
  EXPECT_EQ(script.Take(), "[_OTHER SELECT t@1]");
  Bytes(Query("SELECT '" + std::string(5'000, 'c') + "' FROM t").substr(0, 4'000));
  EXPECT_EQ(script.Take(), "");
  Bytes(std::string(1'005, 'c') + "' FROM t");
  EXPECT_EQ(script.Take(), "[_OTHER SELECT @4]");
}

TEST_F(RequestDecoderTest, AGapOrAnAnswerEndsTheReading) {
  const std::string select = Query("SELECT " + std::string(9'000, 'c') + " FROM t");
  Bytes(select.substr(0, 300));
  decoder.OnGap(select.size() - 300, script);
  EXPECT_EQ(script.Take(), "[_OTHER SELECT @1]");
  Bytes(select.substr(0, 300));
  decoder.TellBeginning(script);
  EXPECT_EQ(script.Take(), "[_OTHER SELECT @2]");
  Bytes(select.substr(300) + Query("DO 1"));
  EXPECT_EQ(script.Take(), "[_OTHER DO @3]");
}

TEST_F(RequestDecoderTest, OnlyTheHeaderIsAtHand) {
  Bytes(Query("DO 1") + Query("DO 2").substr(0, 4));
  decoder.OnGap(5, script);
  Bytes(Query("DO 3"));
  EXPECT_EQ(script.Take(), "[_OTHER DO @1]lost [_OTHER DO @2]");
}

TEST_F(RequestDecoderTest, GoesOnAtTheNextCommandAfterALoss) {
  Bytes(Query("DO 1"));
  decoder.OnGap(100, script);
  Bytes("of something else");
  Bytes(Query("DO 2"));
  EXPECT_EQ(script.Take(), "[_OTHER DO @1]lost gap:100 gap:17 [_OTHER DO @3]");
}

TEST_F(RequestDecoderTest, SequenceNumbersOfOtherPacketsAreMalformed) {
  Bytes(Query("DO 1"));
  std::string second = Query("DO 2");
  second[3] = 1;
  Bytes(second);
  EXPECT_EQ(script.Take(), "[_OTHER DO @1]malformed:4 lost malformed:5 ");
}

TEST_F(RequestDecoderTest, HeaderCutOffByTheClose) {
  Bytes(Query("DO 1") + std::string(3, '\0'));
  EXPECT_EQ(decoder.pending_bytes(), 3u);
  decoder.OnClose(script);
  EXPECT_EQ(script.Take(), "[_OTHER DO @1]cut_off:3 ");
  EXPECT_EQ(decoder.pending_bytes(), 0u);
}

}  // namespace
}  // namespace wiregauge::decode::mysql
