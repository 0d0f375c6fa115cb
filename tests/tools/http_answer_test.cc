#include "tests/tools/http_answer.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace wiregauge::tools {
namespace {

// Feeds the text in pieces of `piece` bytes; the answer must end exactly `after` bytes before the end of the text.
void Check(std::string_view text, bool to_head, int status, std::uint64_t body_bytes, std::size_t after = 0) {
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    AnswerReader reader;
    reader.Begin(to_head);
    std::size_t used = 0;
    while (used < text.size() && !reader.done()) {
      const Result<std::size_t> taken = reader.Feed(text.substr(used, piece));
      ASSERT_TRUE(taken) << taken.error().message;
      used += *taken;
    }
    EXPECT_TRUE(reader.EndStream());
    EXPECT_TRUE(reader.done());
    EXPECT_EQ(used, text.size() - after) << "pieces of " << piece;
    EXPECT_EQ(reader.answer().status, status);
    EXPECT_EQ(reader.answer().body_bytes, body_bytes);
  }
}

TEST(AnswerReader, EndsWhereTheContentLengthSays) {
  Check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1", false, 200, 5, 8);
  Check("HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\nX", false, 404, 0, 1);
}

TEST(AnswerReader, SumsChunksWithoutTheirFraming) {
  Check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\nrest",
        false, 200, 13, 4);
}

TEST(AnswerReader, HeadNoContentAndNotModifiedHaveNoBody) {
  Check("HTTP/1.1 200 OK\r\nContent-Length: 612\r\n\r\nHTTP", true, 200, 0, 4);
  Check("HTTP/1.1 204 No Content\r\n\r\nHTTP", false, 204, 0, 4);
  Check("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP", false, 304, 0, 4);
}

TEST(AnswerReader, SkipsInterimAnswers) {
  Check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", false, 201, 1);
}

TEST(AnswerReader, ReadsToTheEndOfTheStreamWithoutALength) { Check("HTTP/1.0 200 OK\r\n\r\nabc", false, 200, 3); }

TEST(AnswerReader, ACutAnswerIsNotAnEnd) {
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    AnswerReader reader;
    reader.Begin(false);
    ASSERT_TRUE(reader.Feed(std::string_view(text).substr(0, size)));
    EXPECT_FALSE(reader.EndStream()) << size;
  }
}

TEST(AnswerReader, RefusesWhatIsNoAnswer) {
  for (const std::string_view text :
       {"GET / HTTP/1.1\r\n", "HTTP/2 200\r\n", "HTTP/1.1 abc x\r\n", "HTTP/1.1 200 OK\r\nnocolon\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"}) {
    AnswerReader reader;
    reader.Begin(false);
    const Result<std::size_t> taken = reader.Feed(text);
    ASSERT_FALSE(taken) << text;
    EXPECT_EQ(taken.error().code, Code::kCorrupt);
  }
}

}  // namespace
}  // namespace wiregauge::tools
