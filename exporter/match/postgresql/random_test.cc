// Random sessions, cut into random segments, reordered, and partly not captured: exactly the requests sent come out.
// And with records lost: whatever comes out is right, and every byte is accounted for. The seed of a failing session is
// printed; WIREGAUGE_SEED=n runs it alone.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "exporter/match/postgresql/test_tap.h"

namespace wiregauge::match::postgresql {
namespace {

using decode::postgresql::Sender;

std::string Big(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}
std::string Message(char type, const std::string& body = {}) {
  return type + Big(static_cast<std::uint32_t>(body.size() + 4), 4) + body;
}
const std::string kZero(1, '\0');

class Session {
 public:
  Session(std::uint64_t seed, unsigned loss_percent)
      : random_(seed), loss_percent_(loss_percent), tap(Chance(50) ? probe::Role::kServer : probe::Role::kClient) {
    const std::string body = Big(196'608, 4) + "user" + kZero + "anna" + kZero + kZero;
    tap.Client(Big(static_cast<std::uint32_t>(body.size() + 4), 4) + body);
    tap.Server(Message('R', Big(0, 4)) + Message('Z', "I"));
    tap.sink.all.clear();
  }

  // `depth` batches, then their answers.
  void Exchange(unsigned depth) {
    std::string requests;
    std::string answers;
    for (unsigned i = 0; i < depth; ++i) Chance(40) ? AddQuery(requests, answers) : AddBatch(requests, answers);
    Pass(Sender::kClient, requests);
    Pass(Sender::kServer, answers);
  }

  unsigned Below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  bool Chance(unsigned percent) { return Below(100) < percent; }

 private:
  std::mt19937_64 random_;
  unsigned loss_percent_;

 public:
  Tap tap;
  std::map<std::string, std::string> truth;  // "SELECT t7" -> "SELECT t7 00007", the call as it should be told
  std::vector<std::string> sent;             // those, in order
  unsigned lost_segments = 0;

 private:
  std::string NewName() { return "t" + std::to_string(sent.size()); }
  std::string NewCode() {
    std::string digits = std::to_string(sent.size());
    return std::string(5 - digits.size(), '0') + digits;
  }
  void Sent(const std::string& call, const std::string& outcome) {
    truth[call] = call + outcome;
    sent.push_back(call + outcome);
  }
  std::string Error(const std::string& code) {
    return Message('E', "SERROR" + kZero + "VERROR" + kZero + "C" + code + kZero + "M" + std::string(Below(200), 'm') +
                            kZero + kZero);
  }
  std::string Rows() {
    std::string rows;
    for (unsigned i = Below(Chance(10) ? 400 : 4); i > 0; --i) rows += Message('D', std::string(2 + Below(300), 'v'));
    return rows;
  }
  std::string Notice() { return Chance(10) ? Message('N', "SNOTICE" + kZero + "C00000" + kZero + kZero) : ""; }

  void AddQuery(std::string& requests, std::string& answers) {
    const std::string name = NewName();
    requests += Message(
        'Q', "select * from " + name + (Chance(5) ? " where a = '" + std::string(9'000, 'x') + "'" : "") + kZero);
    answers += Notice();
    if (Chance(20)) {
      const std::string code = NewCode();
      answers += Error(code);
      Sent("SELECT " + name, " " + code);
    } else {
      answers += Message('T', Big(0, 2)) + Rows() + Message('C', "SELECT 1" + kZero);
      Sent("SELECT " + name, "");
    }
    answers += Message('Z', "I");
  }

  void AddBatch(std::string& requests, std::string& answers) {
    bool failed = false;
    for (unsigned i = 1 + Below(4); i > 0; --i) {
      const std::string name = NewName();
      const bool prepare_only = Chance(15);
      requests += Message('P', (prepare_only ? name : "") + kZero + "delete from " + name + kZero + Big(0, 2));
      if (!prepare_only) {
        requests += Message('B', kZero + kZero + Big(0, 6)) + Message('D', "P" + kZero);
        requests += Message('E', kZero + Big(0, 4));
      }
      const std::string call = (prepare_only ? "PREPARE " : "DELETE ") + name;
      if (failed) {
        Sent(call, " pipeline_aborted");
        continue;
      }
      const std::string code = NewCode();
      failed = Chance(15);
      const bool after_parse = !prepare_only && Chance(50);
      if (!failed || after_parse) answers += Message('1');
      if (failed) {
        answers += Error(code);
      } else if (!prepare_only) {
        answers += Message('2') + Message('T', Big(0, 2)) + Rows() + Notice() + Message('C', "DELETE 1" + kZero);
      }
      Sent(call, failed ? " " + code : "");
    }
    if (Chance(10)) requests += Message('C', "S" + NewName() + kZero);
    if (requests.size() >= 2 && requests[requests.size() - 1] == '\0' && !failed && EndsWithClose(requests)) {
      answers += Message('3');
    }
    requests += Message('S');
    answers += Message('Z', "I");
  }
  // Whether the last message is the Close that AddBatch may have added.
  bool EndsWithClose(const std::string& requests) {
    const std::string close = Message('C', "S" + NewName() + kZero);
    return requests.size() >= close.size() &&
           requests.compare(requests.size() - close.size(), close.size(), close) == 0;
  }

  void Pass(Sender sender, const std::string& text) {
    const unsigned size_max = Chance(30) ? 7 : Chance(50) ? 200 : 3'000;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min<std::size_t>(text.size() - at, 1 + Below(size_max));
      if (Chance(loss_percent_)) {
        tap.Lose(sender, text.substr(at, size));
        ++lost_segments;
      } else {
        // Captured as the kernel does beyond its burst, when something may be missed.
        const bool cut = loss_percent_ > 0 && size > 256 && Chance(30);
        tap.Pass(sender, text.substr(at, size), cut ? 248 : size);
      }
      at += size;
    }
  }
};

std::vector<std::uint64_t> Seeds(std::uint64_t count) {
  if (const char* seed = std::getenv("WIREGAUGE_SEED")) return {std::strtoull(seed, nullptr, 10)};
  std::vector<std::uint64_t> seeds(count);
  for (std::uint64_t i = 0; i < count; ++i) seeds[i] = i;
  return seeds;
}

TEST(PostgresqlRandom, ExactlyWhatWasSent) {
  for (const std::uint64_t seed : Seeds(60)) {
    Session session(seed, 0);
    for (unsigned i = 0; i < 20; ++i) session.Exchange(1 + session.Below(5));
    session.tap.Close();
    ASSERT_EQ(session.tap.sink.all, session.sent) << "seed " << seed;
    ASSERT_EQ(session.tap.Unparsed(), 0u) << "seed " << seed;
    ASSERT_EQ(session.tap.Counts().unpaired_requests + session.tap.Counts().unmatched_answers, 0u) << "seed " << seed;
  }
}

TEST(PostgresqlRandom, NothingWrongAfterALoss) {
  std::size_t told = 0;
  std::size_t sent = 0;
  for (const std::uint64_t seed : Seeds(100)) {
    Session session(seed, 1);
    const unsigned depth = session.Chance(60) ? 1 : 5;  // with and without pipelining
    for (unsigned i = 0; i < 40; ++i) session.Exchange(1 + session.Below(depth));
    const auto& all = session.tap.sink.all;
    std::map<std::string, int> seen;
    for (const std::string& call : all) {
      const std::string name = call.substr(0, call.find(' ', call.find(' ') + 1));
      if (session.truth.count(name) == 0) {
        // Without a table, as its name or its statement was lost: never with another's.
        const std::size_t second = call.find(' ');
        const bool table = second != std::string::npos && call[second + 1] == 't' && std::isdigit(call[second + 2]);
        ASSERT_FALSE(table) << "seed " << seed << ": " << call;
        continue;
      }
      const std::string& truth = session.truth[name];
      const bool code_unseen = call == name + " _OTHER code " && truth != name;
      ASSERT_TRUE(call == truth || code_unseen) << "seed " << seed << ": " << call << " is " << truth;
      ASSERT_EQ(++seen[name], 1) << "seed " << seed << ": " << call << " twice";
    }
    told += all.size();
    sent += session.sent.size();
    ASSERT_LE(all.size(), session.sent.size()) << "seed " << seed;
    session.tap.Close();
    std::uint64_t lost_bytes = 0;
    for (const std::uint64_t bytes : session.tap.Counts().unparsed_bytes) lost_bytes += bytes;
    ASSERT_EQ(session.tap.conversation.pending_bytes(), 0u) << "seed " << seed;
    ASSERT_GE(lost_bytes + session.tap.Counts().parsed_bytes, session.tap.told) << "seed " << seed;
  }
  // One segment in a hundred is lost, of hundreds in a turn: many requests are told nevertheless.
  EXPECT_GT(told * 10, sent * 3);
}

}  // namespace
}  // namespace wiregauge::match::postgresql
