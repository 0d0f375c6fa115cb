#include "tests/tools/http_answer.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace wiregauge::tools {
namespace {

constexpr std::size_t kLineMax = 65'536;  // bytes; no server under test sends longer ones

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Result<std::uint64_t> ParseNumber(std::string_view text, int base) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return Error{Code::kCorrupt, "answer: \"" + std::string(text) + "\" is no number"};
  }
  return number;
}

}  // namespace

void AnswerReader::Begin(bool to_head) {
  *this = AnswerReader();
  to_head_ = to_head;
}

Result<std::size_t> AnswerReader::Feed(std::string_view input) {
  std::size_t used = 0;
  while (used < input.size() && !done()) {
    const std::string_view rest = input.substr(used);
    if (state_ == State::kBody || state_ == State::kUntilEnd || state_ == State::kChunk) {
      used += FeedBody(rest);
      continue;
    }
    const Result<std::size_t> taken = FeedLine(rest);
    if (!taken) return taken.error();
    used += *taken;
  }
  return used;
}

bool AnswerReader::EndStream() {
  if (state_ == State::kUntilEnd) state_ = State::kDone;
  return done() || (state_ == State::kStatusLine && line_.empty());
}

Result<std::size_t> AnswerReader::FeedLine(std::string_view input) {
  const std::size_t newline = input.find('\n');
  line_ += input.substr(0, newline);
  if (line_.size() > kLineMax) return Error{Code::kCorrupt, "answer: a line of more than 65536 bytes"};
  if (newline == std::string_view::npos) return input.size();
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  const std::string line = std::exchange(line_, {});
  if (const Status taken = TakeLine(line); !taken) return taken.error();
  return newline + 1;
}

std::size_t AnswerReader::FeedBody(std::string_view input) {
  if (state_ == State::kUntilEnd) {
    answer_.body_bytes += input.size();
    return input.size();
  }
  const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
  answer_.body_bytes += taken;
  left_ -= taken;
  if (left_ == 0) state_ = state_ == State::kChunk ? State::kChunkEnd : State::kDone;
  return taken;
}

Status AnswerReader::TakeLine(std::string_view line) {
  switch (state_) {
    case State::kStatusLine: return TakeStatusLine(line);
    case State::kHeader: return TakeHeader(line);
    case State::kChunkSize: return TakeChunkSize(line);
    case State::kChunkEnd:
      if (!line.empty()) return Error{Code::kCorrupt, "answer: a chunk is longer than its size"};
      state_ = State::kChunkSize;
      return {};
    case State::kTrailer:
      if (line.empty()) state_ = State::kDone;
      return {};
    default: Bug("AnswerReader: a line in the middle of a body");
  }
}

Status AnswerReader::TakeStatusLine(std::string_view line) {
  const bool shaped = line.size() >= 12 && line.starts_with("HTTP/1.") && line[8] == ' ';
  const Result<std::uint64_t> status = ParseNumber(shaped ? line.substr(9, 3) : std::string_view(), 10);
  if (!status) return Error{Code::kCorrupt, "answer: no status line: \"" + std::string(line.substr(0, 80)) + "\""};
  answer_.status = static_cast<int>(*status);
  state_ = State::kHeader;
  return {};
}

Status AnswerReader::TakeHeader(std::string_view line) {
  if (line.empty()) {
    EndHeaders();
    return {};
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return Error{Code::kCorrupt, "answer: no header: \"" + std::string(line.substr(0, 80)) + "\""};
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trim(line.substr(colon + 1));
  if (EqualsIgnoringCase(name, "content-length")) {
    const Result<std::uint64_t> length = ParseNumber(value, 10);
    if (!length) return length.error();
    left_ = *length;
    has_length_ = true;
  } else if (EqualsIgnoringCase(name, "transfer-encoding")) {
    chunked_ = EqualsIgnoringCase(value, "chunked");
  } else if (EqualsIgnoringCase(name, "connection")) {
    answer_.closes = EqualsIgnoringCase(value, "close");
  }
  return {};
}

void AnswerReader::EndHeaders() {
  const int status = answer_.status;
  if (status >= 100 && status < 200 && status != 101) {
    Begin(to_head_);  // an interim answer; the real one follows
  } else if (to_head_ || status == 101 || status == 204 || status == 304) {
    state_ = State::kDone;
  } else if (chunked_) {
    state_ = State::kChunkSize;
  } else if (has_length_) {
    state_ = left_ == 0 ? State::kDone : State::kBody;
  } else {
    answer_.closes = true;
    state_ = State::kUntilEnd;
  }
}

Status AnswerReader::TakeChunkSize(std::string_view line) {
  const Result<std::uint64_t> size = ParseNumber(Trim(line.substr(0, line.find(';'))), 16);
  if (!size) return size.error();
  left_ = *size;
  state_ = left_ == 0 ? State::kTrailer : State::kChunk;
  return {};
}

}  // namespace wiregauge::tools
