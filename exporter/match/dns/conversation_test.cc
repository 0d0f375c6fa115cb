#include "exporter/match/dns/conversation.h"

#include <gtest/gtest.h>

#include <string>

#include "exporter/match/conversation_tap.h"

namespace wiregauge::match::dns {
namespace {

using namespace std::string_literals;
using Tap = ConversationTap<Conversation>;

std::string Framed(const std::string& message) {
  return std::string({static_cast<char>(message.size() >> 8), static_cast<char>(message.size())}) + message;
}
std::string Query(char id) {
  return "\x00"s + id + "\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01"s + "a\x00\x00\x01\x00\x01"s;
}
std::string Answer(char id, char code = 0) {
  return "\x00"s + id + "\x81"s + code + "\x00\x01\x00\x00\x00\x00\x00\x00\x01"s + "a\x00\x00\x01\x00\x01"s;
}

TEST(DnsConversation, AnswersComeInAnyOrder) {
  Tap tap;
  tap.Request(Framed(Query(1)) + Framed(Query(2)));
  EXPECT_EQ(tap.conversation.state(), match::Conversation::State::kConfirmed);
  tap.Answer(Framed(Answer(2, 5)));
  tap.Answer(Framed(Answer(1)));
  EXPECT_EQ(tap.sink.Text(), "A:REFUSED A:NOERROR");
  EXPECT_EQ(tap.sink.all[1].role, probe::Role::kServer);
  EXPECT_EQ(tap.sink.all[1].start_ns, 1'000u);
  EXPECT_EQ(tap.sink.all[1].end_ns, 1'002u);
  EXPECT_EQ(tap.Counts().parsed_bytes, 2 * Framed(Query(1)).size() + 2 * Framed(Answer(1)).size());
}

TEST(DnsConversation, TheEndTellsWhatWaits) {
  Tap tap(probe::Role::kClient);
  tap.Request(Framed(Query(1)));
  tap.Request(Framed(Query(2)));
  tap.Answer(Framed(Answer(2, 3)));
  tap.Reset();
  EXPECT_EQ(tap.sink.Text(), "A!reset A:NXDOMAIN");
}

TEST(DnsConversation, TimesOut) {
  Tap tap;
  tap.Request(Framed(Query(1)));
  tap.time_ns += Lookups::kTimeoutNs;
  tap.Tick();
  EXPECT_EQ(tap.sink.Text(), "A!timeout");
}

TEST(DnsConversation, SomethingElseRefutes) {
  Tap tap;
  tap.Request(Framed("no message of this kind"));
  EXPECT_EQ(tap.conversation.state(), match::Conversation::State::kRefuted);
}

}  // namespace
}  // namespace wiregauge::match::dns
