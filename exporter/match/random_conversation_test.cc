// Random conversations, cut into random segments, reordered, repeated and partly not captured: exactly the requests
// sent come out. And with records lost: whatever comes out is right, and every byte is accounted for. The seed of a
// failing conversation is printed; WIREGAUGE_SEED=n runs it alone.
#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "exporter/match/test_tap.h"

namespace wiregauge::match {
namespace {

struct Segment {
  std::uint32_t seq;
  std::string text;
  std::size_t captured;
};

class Conversation {
 public:
  // `tricky_bodies` hold what looks like messages. Without a loss that must not matter; after one it cannot be told.
  Conversation(std::uint64_t seed, bool tricky_bodies)
      : random_(seed),
        tricky_bodies_(tricky_bodies),
        role_(Chance(50) ? probe::Role::kServer : probe::Role::kClient),
        tap_(role_, false, static_cast<std::uint32_t>(Chance(50) ? 0xfffffff0 - Below(3'000) : Below(1'000'000))) {}

  // One exchange: `depth` requests, then their answers. `loss_percent` of the segments are not told.
  void Exchange(unsigned depth, unsigned loss_percent) {
    std::string requests;
    std::string answers;
    std::vector<bool> request_body;  // one flag a byte: inside a body of known length
    std::vector<bool> answer_body;
    for (unsigned i = 0; i < depth; ++i) AddMessages(requests, request_body, answers, answer_body);
    Pass(true, requests, request_body, tap_.request_seq, loss_percent);
    Pass(false, answers, answer_body, tap_.answer_seq, loss_percent);
    told_bytes_ += requests.size() + answers.size();
  }

  unsigned Below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  bool Chance(unsigned percent) { return Below(100) < percent; }

  Tap& tap() { return tap_; }
  const std::vector<ToldRequest>& sent() const { return sent_; }
  std::uint64_t told_bytes() const { return told_bytes_; }
  std::uint64_t lost_segments() const { return lost_segments_; }

 private:
  void AddMessages(std::string& requests, std::vector<bool>& request_body, std::string& answers,
                   std::vector<bool>& answer_body) {
    static constexpr std::string_view kMethods[] = {"GET", "POST", "HEAD", "PUT", "DELETE", "BREW", "OPTIONS"};
    const std::string_view method = kMethods[Below(std::size(kMethods))];
    const std::string path = "/" + std::to_string(sent_.size()) + std::string(Chance(5) ? 900 : Below(30), 'p');
    const unsigned status = Chance(10) ? (Chance(50) ? 204 : 304) : 400 + static_cast<unsigned>(sent_.size() % 150);
    sent_.push_back({method == "BREW" ? "_OTHER" : std::string(method), path, static_cast<int>(status)});

    requests += std::string(Chance(10) ? "\r\n" : "") + std::string(method) + " " +
                (Chance(10) ? "http://host.example" : "") + path + (Chance(20) ? "?a=HTTP/1.1" : "") + " HTTP/1.1\r\n";
    AddHead(requests);
    const bool has_body = method == "POST" || method == "PUT";
    request_body.resize(requests.size());
    AddBody(has_body, requests, request_body);

    while (Chance(10)) answers += "HTTP/1.1 100 Continue\r\n\r\n";
    answers += "HTTP/1.1 " + std::to_string(status) + " Text\r\n";
    AddHead(answers);
    answer_body.resize(answers.size());
    if (method == "HEAD" || status == 204 || status == 304) {
      answers += Chance(50) ? "Content-Length: 77\r\n\r\n" : "Transfer-Encoding: chunked\r\n\r\n";
      answer_body.resize(answers.size());
    } else {
      AddBody(true, answers, answer_body);
    }
  }

  void AddHead(std::string& out) {
    for (unsigned i = Below(6); i > 0; --i) {
      out += "X-Field-" + std::to_string(i) + ": " + std::string(Chance(3) ? 3'000 : Below(40), 'v') +
             (Chance(10) ? "\n folded\r\n" : "\r\n");
    }
  }

  // The framing field, the empty line and the body.
  void AddBody(bool has_body, std::string& out, std::vector<bool>& in_body) {
    const std::string body = RandomBody();
    if (!has_body) {
      out += "\r\n";
      in_body.resize(out.size(), false);
    } else if (Chance(60)) {
      out += "content-length: " + std::to_string(body.size()) + "\r\n\r\n";
      in_body.resize(out.size(), false);
      out += body;
      in_body.resize(out.size(), true);
    } else {
      out += "Transfer-Encoding: chunked\r\n\r\n";
      for (std::size_t at = 0; at < body.size();) {
        const std::size_t size = std::min<std::size_t>(body.size() - at, 1 + Below(600));
        char line[32];
        std::snprintf(line, sizeof line, Chance(50) ? "%zx\r\n" : "%zX;e=1\r\n", size);
        out += line + body.substr(at, size) + "\r\n";
        at += size;
      }
      out += Chance(20) ? "0\r\nTrailer: x\r\n\r\n" : "0\r\n\r\n";
      in_body.resize(out.size(), false);
    }
  }

  std::string RandomBody() {
    std::string body;
    const unsigned size = Chance(20) ? 0 : Below(Chance(10) ? 20'000 : 500);
    while (body.size() < size) {
      switch (tricky_bodies_ ? Below(4) : 3) {
        case 0: body += "GET /wrong HTTP/1.1\r\n\r\n"; break;
        case 1: body += "HTTP/1.1 555 Wrong\r\nContent-Length: 0\r\n\r\n"; break;
        case 2: body += "\r\n0\r\n\r\n"; break;
        default: body += std::string(1 + Below(300), 'b'); break;
      }
    }
    return body.substr(0, size);
  }

  void Pass(bool request, const std::string& text, const std::vector<bool>& in_body, std::uint32_t& seq,
            unsigned loss_percent) {
    std::vector<Segment> segments = Cut(text, in_body, seq);
    seq += static_cast<std::uint32_t>(text.size());
    const bool received = request == (role_ == probe::Role::kServer);
    if (received && loss_percent == 0) Reorder(segments);
    std::vector<Segment> passed;
    for (const Segment& segment : segments) {
      if (Chance(loss_percent)) {
        ++lost_segments_;
        continue;
      }
      tap_.Piece(request, segment.seq, segment.text, segment.captured);
      passed.push_back(segment);
      if (loss_percent == 0 && Chance(10)) {
        const Segment& again = passed[Below(static_cast<unsigned>(passed.size()))];
        tap_.Piece(request, again.seq, again.text, again.captured);
      }
    }
  }

  // Random sizes, some overlapping the segment before; what is in a body of known length is not always captured.
  std::vector<Segment> Cut(const std::string& text, const std::vector<bool>& in_body, std::uint32_t seq) {
    std::vector<Segment> segments;
    const unsigned size_max = Chance(30) ? 5 : Chance(50) ? 100 : 3'000;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t back = Chance(10) ? std::min<std::size_t>(at, Below(20)) : 0;
      const std::size_t size = std::min<std::size_t>(text.size() - at, 1 + Below(size_max)) + back;
      at -= back;
      std::size_t captured = size;
      while (captured > 0 && in_body[at + captured - 1]) --captured;
      if (Chance(50)) captured = size;
      segments.push_back({seq + static_cast<std::uint32_t>(at), text.substr(at, size), captured});
      at += size;
    }
    return segments;
  }

  void Reorder(std::vector<Segment>& segments) {
    constexpr std::size_t kWindow = 8;
    for (std::size_t at = 0; at + kWindow < segments.size(); at += kWindow) {
      if (!Chance(30)) continue;
      const auto first = segments.begin() + static_cast<std::ptrdiff_t>(at);
      std::shuffle(first, first + kWindow, random_);
    }
  }

  std::mt19937_64 random_;
  bool tricky_bodies_;
  probe::Role role_;
  Tap tap_;
  std::vector<ToldRequest> sent_;
  std::uint64_t told_bytes_ = 0;
  std::uint64_t lost_segments_ = 0;
};

// Runs `check` with the seeds 1 to `count`, or with WIREGAUGE_SEED.
template <typename Check>
void ForSeeds(std::uint64_t count, Check check) {
  const char* one = std::getenv("WIREGAUGE_SEED");
  const std::uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const std::uint64_t last = one != nullptr ? first : count;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("WIREGAUGE_SEED=" + std::to_string(seed));
    check(seed);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(RandomConversation, ExactlyTheRequestsSentComeOut) {
  ForSeeds(200, [](std::uint64_t seed) {
    Conversation talk(seed, true);
    for (unsigned i = 1 + talk.Below(6); i > 0; --i) talk.Exchange(talk.Chance(50) ? 1 : 1 + talk.Below(12), 0);
    talk.tap().Close();
    const std::vector<ToldRequest>& told = talk.tap().sink.all;
    ASSERT_EQ(told.size(), talk.sent().size());
    for (std::size_t i = 0; i < told.size(); ++i) {
      EXPECT_EQ(told[i].method, talk.sent()[i].method);
      EXPECT_EQ(told[i].path, talk.sent()[i].path);
      EXPECT_EQ(told[i].status, talk.sent()[i].status);
      EXPECT_EQ(told[i].no_answer, NoAnswer::kNone);
      EXPECT_LE(told[i].start_ns, told[i].end_ns);
    }
    const ConnectionCounts counts = talk.tap().connection.TakeCounts();
    EXPECT_EQ(counts.parsed_bytes, talk.told_bytes());
    EXPECT_EQ(Tap::Unparsed(counts), 0u);
    EXPECT_EQ(counts.unmatched_answers + counts.late_answers + counts.evicted_requests + counts.unpaired_requests, 0u);
    EXPECT_EQ(talk.tap().budget.used(), 0u);
  });
}

TEST(RandomConversation, WithRecordsLostWhatComesOutIsRight) {
  std::size_t told_in_all = 0;
  std::size_t sent_in_all = 0;
  ForSeeds(120, [&](std::uint64_t seed) {
    Conversation talk(seed, false);
    for (unsigned i = 20 + talk.Below(20); i > 0; --i) talk.Exchange(1, 3);
    const std::size_t lossy = talk.sent().size();
    for (unsigned i = 0; i < 8; ++i) talk.Exchange(1, 0);
    talk.tap().time_ns += talk.tap().options.lost_end_timeout_ns;
    talk.tap().Tick();
    talk.tap().Close();
    std::size_t last = 0;
    for (const ToldRequest& told : talk.tap().sink.all) {
      if (told.no_answer != NoAnswer::kNone) continue;  // the answer was lost, and nothing came after it
      const std::size_t number = std::strtoul(told.path.c_str() + 1, nullptr, 10);
      ASSERT_LT(number, talk.sent().size());
      EXPECT_EQ(told.path, talk.sent()[number].path);
      EXPECT_EQ(told.status, talk.sent()[number].status) << "request " << number << " got another's answer";
      EXPECT_GE(number, last);
      last = number;
    }
    EXPECT_GE(last, lossy) << "in step again after the loss";
    const ConnectionCounts counts = talk.tap().connection.TakeCounts();
    EXPECT_LE(counts.parsed_bytes + Tap::Unparsed(counts), talk.told_bytes());
    if (talk.lost_segments() == 0) {
      EXPECT_EQ(counts.parsed_bytes, talk.told_bytes());
    }
    told_in_all += talk.tap().sink.all.size();
    sent_in_all += talk.sent().size();
  });
  EXPECT_GT(told_in_all * 10, sent_in_all * 5) << "told " << told_in_all << " of " << sent_in_all;
  RecordProperty("told", std::to_string(told_in_all) + " of " + std::to_string(sent_in_all));
}

}  // namespace
}  // namespace wiregauge::match
