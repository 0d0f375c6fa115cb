#include "exporter/decode/mysql/answer_decoder.h"

#include <string>

#include <gtest/gtest.h>

#include "exporter/decode/mysql/golden_sessions.h"

namespace wiregauge::decode::mysql {
namespace {

using golden::Unhex;

class Script final : public AnswerHandler {
 public:
  void OnGreeting(const Greeting&) override { text += "greeting "; }
  Expected OnAnswer() override {
    text += "(";
    return expected;
  }
  void OnExchange() override { text += "exchange "; }
  void OnAnswerEnd(const Answer& answer) override {
    if (answer.prepared) text += "id " + std::to_string(answer.statement_id);
    if (answer.error != 0) text += std::to_string(answer.error);
    text += ")";
  }
  void OnAnswersLost() override { text += "lost "; }
  bool OnEndLost() override {
    text += "end-lost ";
    return true;
  }
  void OnNotMysql() override { text += "not-mysql "; }
  void OnUnparsed(Unparsed reason, std::uint64_t bytes) override {
    text += std::string(UnparsedName(reason)) + ":" + std::to_string(bytes) + " ";
  }

  Expected expected = Expected::kResults;
  std::string text;
};

// What the answers in `hex` are, after checking that no split changes it and that every byte counts as parsed.
std::string Decode(Expected expected, std::string_view hex) {
  const std::string bytes = Unhex(hex);
  std::string whole;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    AnswerDecoder decoder(true);
    decoder.Confirm();
    decoder.Expect();
    Script script;
    script.expected = expected;
    decoder.OnBytes(AsBytes(bytes).first(at), script);
    decoder.OnBytes(AsBytes(bytes).subspan(at), script);
    EXPECT_EQ(decoder.TakeParsedBytes() + decoder.pending_bytes(), bytes.size()) << script.text;
    if (at == 0) whole = script.text;
    EXPECT_EQ(script.text, whole) << "split at " << at;
  }
  return whole;
}

constexpr std::string_view kOk = "0700000100000002000000";
constexpr std::string_view kError = "0e000001ff280423343230303068656c6c6f21";

std::string Definition(std::uint8_t sequence) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  return std::string("060000") + kDigits[sequence >> 4] + kDigits[sequence & 15] + "036465660161";
}

TEST(AnswerDecoder, OnePacket) {
  EXPECT_EQ(Decode(Expected::kOk, kOk), "()");
  EXPECT_EQ(Decode(Expected::kOk, "05000001fe00000200"), "()");
  EXPECT_EQ(Decode(Expected::kOk, "07000001fe000002000000"), "()");
  EXPECT_EQ(Decode(Expected::kOk, kError), "(1064)");
  EXPECT_EQ(Decode(Expected::kText, "05000001557074696d"), "()");
  EXPECT_EQ(Decode(Expected::kText, kError), "(1064)");
  EXPECT_EQ(Decode(Expected::kResults, std::string(kOk) + std::string(kOk)), "()()");
}

TEST(AnswerDecoder, ResultSetsOfBothForms) {
  const std::string head = "0100000102" + Definition(2) + Definition(3);
  EXPECT_EQ(Decode(Expected::kResults, head + "05000004fe00000200" + "0200000501aa" + "05000006fe00000200"), "()");
  EXPECT_EQ(Decode(Expected::kResults, head + "05000004fe00000200" + "05000005fe00000200"), "()");
  EXPECT_EQ(Decode(Expected::kResults, head + "0200000401aa" + "07000005fe000002000000"), "()");
  EXPECT_EQ(Decode(Expected::kResults, head + "07000004fe000002000000"), "()");
  EXPECT_EQ(Decode(Expected::kResults,
                   head + "05000004fe00000200" + "02000005fbfb" + "0e000006ff2505" + "23" + "343230303068656c6c6f21"),
            "(1317)");
  EXPECT_EQ(Decode(Expected::kResults, head + "05000004fe00000200" + "0200000501aa"), "(") << "goes on";
  EXPECT_EQ(Decode(Expected::kResults, head + "05000004fe00004200"), "()") << "a cursor";
}

TEST(AnswerDecoder, SeveralResults) {
  const std::string head = "0100000101" + Definition(2);
  EXPECT_EQ(Decode(Expected::kResults, head + "05000003fe00000a00" + "05000004fe00000a00" + "0700000500000002000000"),
            "()");
  EXPECT_EQ(Decode(Expected::kResults,
                   "070000010001000a000000"
                   "0e000002ff280423343230303068656c6c6f21"),
            "(1064)");
}

TEST(AnswerDecoder, PreparedStatementsOfBothForms) {
  const std::string none =
      "0c000001"
      "00"
      "09000000"
      "0000"
      "0000"
      "00"
      "0000";
  EXPECT_EQ(Decode(Expected::kPrepared, none), "(id 9)");
  const std::string one =
      "0c000001"
      "00"
      "09000000"
      "0000"
      "0100"
      "00"
      "0000" +
      Definition(2);
  EXPECT_EQ(Decode(Expected::kPrepared, one), "(id 9)");
  EXPECT_EQ(Decode(Expected::kPrepared, one + "05000003fe00000200"), "(id 9)");
  const std::string two =
      "0c000001"
      "00"
      "09000000"
      "0100"
      "0100"
      "00"
      "0000" +
      Definition(2);
  EXPECT_EQ(Decode(Expected::kPrepared, two + Definition(3)), "(id 9)");
  EXPECT_EQ(Decode(Expected::kPrepared, two + "05000003fe00000200" + Definition(4) + "05000005fe00000200"), "(id 9)");
  EXPECT_EQ(Decode(Expected::kPrepared, two + "05000003fe00000200" + Definition(4)), "(");
  EXPECT_EQ(Decode(Expected::kPrepared, kError), "(1064)");
}

TEST(AnswerDecoder, Exchanges) {
  EXPECT_EQ(Decode(Expected::kLogin,
                   "02000002"
                   "0104"
                   "0700000400000002000000"),
            "(exchange )");
  EXPECT_EQ(Decode(Expected::kLogin,
                   "02000002"
                   "fe61"
                   "02000004"
                   "0104"
                   "0e000006ff150423323830303068656c6c6f21"),
            "(exchange exchange 1045)");
  EXPECT_EQ(Decode(Expected::kResults,
                   "02000001fb66"
                   "0700000900000002000000"),
            "(exchange )");
}

TEST(AnswerDecoder, Progress) {
  EXPECT_EQ(Decode(Expected::kResults,
                   "06000001ffffff010202"
                   "0700000200000002000000"),
            "()");
}

TEST(AnswerDecoder, ReadsNothingThatBreaksTheGrammar) {
  const std::string_view bad[] = {
      "00000001",        // an empty packet
      "0100000100",      // no columns, and no OK
      "03000001fe0000",  // no EOF
      "0100000101"
      "06000003036465660161",  // the sequence number 2 was next
  };
  for (const std::string_view hex : bad) {
    AnswerDecoder decoder(true);
    decoder.Confirm();
    decoder.Expect();
    Script script;
    decoder.OnBytes(AsBytes(Unhex(hex)), script);
    EXPECT_NE(script.text.find("lost "), std::string::npos) << hex;
    EXPECT_TRUE(decoder.skipping());
    script.text.clear();
    decoder.OnBytes(AsBytes(Unhex(kOk)), script);
    EXPECT_EQ(script.text, "malformed:11 ");
    decoder.Expect();
    decoder.OnBytes(AsBytes(Unhex(kOk)), script);
    EXPECT_EQ(script.text, "malformed:11 ()");
  }
}

TEST(AnswerDecoder, AGapWhereTheOutcomeIsNotKnownLosesTheAnswer) {
  AnswerDecoder decoder(true);
  decoder.Confirm();
  decoder.Expect();
  Script script;
  decoder.OnBytes(AsBytes(Unhex(kOk)).first(3), script);
  decoder.OnGap(8, {}, script);
  EXPECT_EQ(script.text, "gap:11 lost ");
  EXPECT_TRUE(decoder.skipping() && decoder.skipped());
}

TEST(AnswerDecoder, AGapInsideAPayloadCostsNothing) {
  AnswerDecoder decoder(true);
  decoder.Expect();
  Script script;
  const std::string ok = Unhex("30000001000100020000002852");
  decoder.OnBytes(AsBytes(ok).first(4 + kAnswerBytesRead < ok.size() ? 4 + kAnswerBytesRead : ok.size()), script);
  EXPECT_EQ(script.text, "");
  decoder.OnBytes(AsBytes(std::string(30, 'x')), script);
  decoder.OnGap(52 - ok.size() - 30, {}, script);
  EXPECT_EQ(script.text, "()");
}

}  // namespace
}  // namespace wiregauge::decode::mysql
