#include "exporter/decode/line_framing.h"

#include <algorithm>
#include <cstring>

namespace wiregauge::decode {

namespace {

// Room for a split line that is kept for the next one.
constexpr std::size_t kPartialBytesIdle = 256;

}  // namespace

std::uint64_t LineFraming::TakeParsedBytes() { return std::exchange(parsed_bytes_, 0); }

LineFraming::Line LineFraming::TakeLine(std::string_view run, std::size_t kept_max) {
  const void* found = std::memchr(run.data(), '\n', run.size());
  const bool whole = found != nullptr;
  const std::size_t length =
      whole ? static_cast<std::size_t>(static_cast<const char*>(found) - run.data()) : run.size();
  Line line{run.substr(0, length), length + (whole ? 1 : 0), whole};
  if (!whole || partial_bytes_ > 0) {
    partial_.append(line.text.substr(0, kept_max + 1 - std::min(partial_.size(), kept_max + 1)));
    line.text = partial_;
  }
  partial_bytes_ += line.used;
  if (!line.text.empty() && line.text.back() == '\r') line.text.remove_suffix(1);
  line.text = line.text.substr(0, kept_max);
  return line;
}

void LineFraming::EndLine() {
  AcceptLine();
  partial_.clear();
  if (partial_.capacity() > kPartialBytesIdle) partial_.shrink_to_fit();
}

void LineFraming::BeginString(std::uint64_t bytes) {
  string_bytes_ = bytes;
  string_left_ = bytes + 2;
  first_size_ = 0;
  state_ = State::kString;
}

bool LineFraming::TakeString(std::string_view run, bool look, std::size_t& used) {
  const std::uint64_t offset = string_bytes_ + 2 - string_left_;
  used = static_cast<std::size_t>(std::min<std::uint64_t>(run.size(), string_left_));
  if (look && offset == first_size_ && first_size_ < first_.size() && offset < string_bytes_) {
    const std::size_t room = first_.size() - first_size_;
    const std::size_t kept = static_cast<std::size_t>(std::min<std::uint64_t>({used, room, string_bytes_ - offset}));
    std::copy_n(run.begin(), kept, first_.begin() + first_size_);
    first_size_ = static_cast<std::uint8_t>(first_size_ + kept);
  }
  string_left_ -= used;
  parsed_bytes_ += used;
  if (string_left_ < 2) {
    const std::size_t behind = static_cast<std::size_t>(2 - string_left_);  // bytes of the line end that came so far
    const std::size_t now = std::min(behind, used);
    if (run.substr(used - now, now) != std::string_view("\r\n").substr(behind - now, now)) return false;
  }
  return true;
}

void LineFraming::SkipString(std::uint64_t& missing) {
  const std::uint64_t known = std::min(missing, string_left_);
  string_left_ -= known;
  parsed_bytes_ += known;
  missing -= known;
}

void LineFraming::BeginLoss(Unparsed reason) {
  // What looked like a start and was none is still part of the loss that it was searched after.
  if (!(searched_ && reason == Unparsed::kMalformed)) loss_ = reason;
  searched_ = false;
  partial_.clear();
  state_ = State::kResync;
}

}  // namespace wiregauge::decode
