#include "exporter/decode/http1/parse.h"

#include <string>

#include <gtest/gtest.h>

namespace wiregauge::decode::http1 {
namespace {

// "METHOD path 1.x", with "…" behind a path that was cut; "" when it is no request line.
std::string Request(std::string_view text) {
  const auto line = ParseRequestLine(WholeLine(text));
  if (!line) return "";
  return std::string(MethodName(line->method)) + " " + std::string(line->path) + (line->path_cut ? "…" : "") + " 1." +
         std::to_string(line->minor_version);
}

TEST(ParseRequestLine, TargetForms) {
  EXPECT_EQ(Request("GET / HTTP/1.1"), "GET / 1.1");
  EXPECT_EQ(Request("GET /a/b?c=/d#e HTTP/1.0"), "GET /a/b 1.0");
  EXPECT_EQ(Request("GET /a#b?c HTTP/1.1"), "GET /a 1.1");
  EXPECT_EQ(Request("GET http://h:80/a/b?c HTTP/1.1"), "GET /a/b 1.1");
  EXPECT_EQ(Request("GET http://h HTTP/1.1"), "GET / 1.1");
  EXPECT_EQ(Request("GET http://h?a=b/c HTTP/1.1"), "GET / 1.1");
  EXPECT_EQ(Request("OPTIONS * HTTP/1.1"), "OPTIONS * 1.1");
  EXPECT_EQ(Request("OPTIONS http://h HTTP/1.1"), "OPTIONS * 1.1");
  EXPECT_EQ(Request("CONNECT h:443 HTTP/1.1"), "CONNECT  1.1");
  EXPECT_EQ(Request("GET /a://b HTTP/1.1"), "GET /a://b 1.1");
  EXPECT_EQ(Request("GET a?b=http://c/d HTTP/1.1"), "GET a 1.1");
  EXPECT_EQ(Request("GET /a b HTTP/1.1"), "GET /a b 1.1");
  EXPECT_EQ(Request("GET ?q HTTP/1.1"), "GET  1.1");
}

TEST(ParseRequestLine, Methods) {
  for (std::size_t i = 1; i < kMethodNames.size(); ++i) {
    EXPECT_EQ(FindMethod(kMethodNames[i]), static_cast<Method>(i));
    EXPECT_EQ(Request(std::string(kMethodNames[i]) + " /x HTTP/1.1").substr(0, kMethodNames[i].size()),
              kMethodNames[i]);
  }
  EXPECT_EQ(Request("get / HTTP/1.1"), "_OTHER / 1.1");
  EXPECT_EQ(Request("GETS / HTTP/1.1"), "_OTHER / 1.1");
  EXPECT_EQ(Request("_OTHER / HTTP/1.1"), "_OTHER / 1.1");
  EXPECT_EQ(Request(std::string(kMethodBytesMax, 'M') + " / HTTP/1.1"), "_OTHER / 1.1");
  EXPECT_EQ(Request(std::string(kMethodBytesMax + 1, 'M') + " / HTTP/1.1"), "");
}

TEST(ParseRequestLine, WhatIsNone) {
  for (const std::string_view text :
       {"", "GET", "GET /", "GET / HTTP/2.0", "GET / http/1.1", "GET / HTTP/1.x", "GET / HTTP/1.11", "GET /HTTP/1.1",
        " GET / HTTP/1.1", "GET HTTP/1.1", "GET  HTTP/1.1", "G(T / HTTP/1.1", "/ HTTP/1.1", " HTTP/1.1",
        "HTTP/1.1 200 OK", "GET / HTTP/1.1 "}) {
    EXPECT_EQ(Request(text), "") << text;
  }
  const std::string_view whole = "GET / HTTP/1.1";
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_EQ(Request(whole.substr(0, size)), "") << size;
}

TEST(ParseRequestLine, PathsAreCutAtTheirLimit) {
  for (const std::size_t bytes : {kPathMax - 1, kPathMax, kPathMax + 1, 3 * kPathMax}) {
    const std::string path = "/" + std::string(bytes - 1, 'p');
    for (const std::string_view prefix : {"", "http://host"}) {
      const auto line = ParseRequestLine(WholeLine("GET " + std::string(prefix) + path + "?q HTTP/1.1"));
      ASSERT_TRUE(line);
      EXPECT_EQ(line->path.size(), std::min(bytes, kPathMax));
      EXPECT_EQ(line->path_cut, bytes > kPathMax) << bytes;
    }
  }
}

TEST(ParseRequestLine, LinesLongerThanWhatIsKept) {
  for (std::size_t size = kLineBytesKept - 20; size < kLineBytesKept + 20; ++size) {
    const std::string query = "GET /a?" + std::string(size, 'q') + " HTTP/1.0";
    EXPECT_EQ(Request(query), "GET /a 1.0") << size;
    const std::string no_version = "GET /a?" + std::string(size, 'q') + " HTTP/3.0";
    EXPECT_EQ(Request(no_version), "") << size;
    // The authority is so long that the path is not reached.
    const std::string authority = "GET http://" + std::string(size, 'h') + "/path HTTP/1.1";
    EXPECT_FALSE(Request(authority).empty());
  }
}

TEST(ParseStatusLine, Lines) {
  const auto status = [](std::string_view text) {
    const auto line = ParseStatusLine(WholeLine(text));
    return line ? line->status * 10 + line->minor_version : -1;
  };
  EXPECT_EQ(status("HTTP/1.1 200 OK"), 2001);
  EXPECT_EQ(status("HTTP/1.0 404 Not Found"), 4040);
  EXPECT_EQ(status("HTTP/1.1 204"), 2041);
  EXPECT_EQ(status("HTTP/1.1 204 "), 2041);
  EXPECT_EQ(status("HTTP/1.1 100 "), 1001);
  EXPECT_EQ(status("HTTP/1.1 599 x"), 5991);
  EXPECT_EQ(status("HTTP/1.1 600 x"), 5991);
  EXPECT_EQ(status("HTTP/1.1 999 x"), 5991);
  for (const std::string_view text :
       {"", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 099", "HTTP/1.1 2x0", "HTTP/2.0 200 OK",
        "http/1.1 200 OK", "HTTP/1.1  200 OK", "HTTP/1.a 200 OK"}) {
    EXPECT_EQ(status(text), -1) << text;
  }
}

Framing Read(std::initializer_list<std::string_view> lines) {
  Framing framing;
  for (const std::string_view line : lines) ReadFieldLine(WholeLine(line), framing);
  return framing;
}

TEST(ReadFieldLine, ContentLength) {
  EXPECT_EQ(Read({"Content-Length: 42"}).content_length, 42u);
  EXPECT_EQ(Read({"CONTENT-LENGTH:42"}).content_length, 42u);
  EXPECT_EQ(Read({"content-length: \t 42 \t"}).content_length, 42u);
  EXPECT_EQ(Read({"Content-Length: 999999999999999999"}).content_length, 999'999'999'999'999'999u);
  EXPECT_FALSE(Read({"Content-Length: 5, 5"}).ambiguous);
  EXPECT_FALSE(Read({"Content-Length: 5", "X: y", "Content-Length: 5"}).ambiguous);
  EXPECT_TRUE(Read({"Content-Length: 5, 6"}).ambiguous);
  EXPECT_TRUE(Read({"Content-Length: 5", "Content-Length: 6"}).ambiguous);
  EXPECT_EQ(Read({"Content-Length:", "  7"}).content_length, 7u) << "obs-fold";
  for (const std::string_view value : {"-1", "+1", "0x10", "1 2", "1.5", "abc", "1000000000000000000"}) {
    EXPECT_TRUE(Read({"Content-Length: " + std::string(value)}).ambiguous) << value;
  }
  EXPECT_FALSE(Read({"X-Content-Length: 5", "Content-Lengths: 5", "Content-Length : 5"}).has_content_length);
}

TEST(ReadFieldLine, TransferEncoding) {
  EXPECT_TRUE(Read({"Transfer-Encoding: chunked"}).chunked);
  EXPECT_TRUE(Read({"transfer-encoding:CHUNKED"}).chunked);
  EXPECT_TRUE(Read({"Transfer-Encoding: gzip, chunked"}).chunked);
  EXPECT_TRUE(Read({"Transfer-Encoding: gzip", "Transfer-Encoding: chunked"}).chunked);
  EXPECT_TRUE(Read({"Transfer-Encoding: gzip,", " chunked"}).chunked) << "obs-fold";
  EXPECT_FALSE(Read({"Transfer-Encoding: chunked, gzip"}).chunked);
  EXPECT_TRUE(Read({"Transfer-Encoding: gzip"}).has_transfer_encoding);
  EXPECT_FALSE(Read({"TE: chunked", "X: a", " chunked"}).has_transfer_encoding);
}

TEST(OtherFieldLines, StopAtWhatFramingNeeds) {
  const std::string_view others = "Host: x\r\nConnection: close\r\nContent-Type: a\nTe: t\r\nContent-Lengths: 3\r\n";
  for (const std::string_view next : {"Content-Length: 5\r\n", "TRANSFER-ENCODING: x\r\n", "\r\n", "\n", " folded\r\n",
                                      "\tfolded\r\n", "Half: a line", "H", ""}) {
    EXPECT_EQ(OtherFieldLines(std::string(others) + std::string(next)), others.size()) << next;
  }
}

TEST(ReadFieldLine, ALengthOverTheLimitOfALineIsAmbiguous) {
  for (const std::size_t size : {kLineBytesKept - 1, kLineBytesKept, kLineBytesKept + 1}) {
    const std::string line = "Content-Length:" + std::string(size - 16, ' ') + "7";
    ASSERT_EQ(line.size(), size);
    EXPECT_EQ(Read({line}).ambiguous, size > kLineBytesKept) << size;
  }
}

TEST(CanStart, EveryTruncationOfAStartLine) {
  const std::string_view request = "DELETE /x HTTP/1.1";
  const std::string_view status = "HTTP/1.1 200 OK";
  for (std::size_t size = 1; size <= request.size(); ++size)
    EXPECT_TRUE(CanStart(request.substr(0, size), Kind::kRequests));
  for (std::size_t size = 1; size <= status.size(); ++size) {
    EXPECT_TRUE(CanStart(status.substr(0, size), Kind::kResponses));
    EXPECT_TRUE(CanStart(status.substr(0, size), Kind::kUnknown));
  }
  EXPECT_FALSE(CanStart("HTTP/2", Kind::kResponses));
  EXPECT_FALSE(CanStart("GET / ", Kind::kResponses));
  EXPECT_FALSE(CanStart(" GET", Kind::kRequests));
  EXPECT_FALSE(CanStart("HTTP/1.1 200", Kind::kRequests));
  EXPECT_FALSE(CanStart(std::string(kMethodBytesMax + 1, 'A'), Kind::kRequests));
}

TEST(FindStart, InARun) {
  constexpr std::size_t kNowhere = std::string_view::npos;
  EXPECT_EQ(FindStart("GET / HTTP/1.1\r\n", Kind::kRequests), 0u);
  EXPECT_EQ(FindStart("GE", Kind::kRequests), 0u);
  EXPECT_EQ(FindStart("\r\nGE", Kind::kRequests), 2u);
  EXPECT_EQ(FindStart("\r\n", Kind::kRequests), kNowhere);
  EXPECT_EQ(FindStart("abc\r\nPUT /x HTTP/1.1\r\n", Kind::kRequests), 5u);
  EXPECT_EQ(FindStart("x HTTP/1.1\r\n\r\nPUT /x HTTP/1.1\r\n", Kind::kRequests), 14u);
  EXPECT_EQ(FindStart("abcPUT /x HTTP/1.1\r\n", Kind::kRequests), kNowhere);
  EXPECT_EQ(FindStart("hello there\nHTTP/1.1 200 OK", Kind::kRequests), kNowhere);
  EXPECT_EQ(FindStart("HTTP/1.1 200 OK", Kind::kResponses), 0u);
  EXPECT_EQ(FindStart("HTT", Kind::kResponses), 0u);
  EXPECT_EQ(FindStart("bodyHTTP/1.1 200 OK\r\n", Kind::kResponses), 4u);
  EXPECT_EQ(FindStart("\"GET / HTTP/1.1\" 200 5\n", Kind::kResponses), kNowhere);
  EXPECT_EQ(FindStart("abcHTTP/1.1 20", Kind::kResponses), kNowhere);
  EXPECT_EQ(FindStart("HTTP/1.1 200 OK", Kind::kUnknown), 0u);
  EXPECT_EQ(FindStart("zzz", Kind::kUnknown), kNowhere);
}

TEST(EndsWithLastChunk, Runs) {
  EXPECT_TRUE(EndsWithLastChunk("0\r\n\r\n"));
  EXPECT_TRUE(EndsWithLastChunk("x\r\n0\r\n\r\n"));
  EXPECT_FALSE(EndsWithLastChunk("10\r\n\r\n"));
  EXPECT_FALSE(EndsWithLastChunk("0\r\n\r"));
  EXPECT_FALSE(EndsWithLastChunk("0\r\n\r\nx"));
}

}  // namespace
}  // namespace wiregauge::decode::http1
