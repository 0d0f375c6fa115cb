#include "exporter/decode/dns/decoder.h"

#include <algorithm>
#include <utility>

#include "exporter/decode/dns/parse.h"

namespace wiregauge::decode::dns {
namespace {

constexpr std::size_t kLengthBytes = 2;

}  // namespace

void Decoder::OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler) {
  if (lost_) {
    const bool begins =
        LooksLikeRequests(bytes, true) == Likeness::kYes || LooksLikeAnswers(bytes, true) == Likeness::kYes;
    if (!begins) {
      handler.OnUnparsed(Unparsed::kGap, bytes.size());
      return;
    }
    lost_ = false;
  }
  while (!bytes.empty()) {
    if (told_ == 0) first_byte_ns_ = time_ns;
    // The common case: a message in one piece.
    if (told_ == 0 && bytes.size() >= kLengthBytes) {
      const std::size_t length = kLengthBytes + (std::size_t{bytes[0]} << 8 | bytes[1]);
      if (length <= bytes.size()) {
        told_ = length;
        End(bytes.subspan(kLengthBytes, std::min(length - kLengthBytes, kMessageKept)), handler);
        bytes = bytes.subspan(length);
        continue;
      }
    }
    std::size_t wanted = kLengthBytes;
    if (kept_.size() >= kLengthBytes) wanted += std::size_t{kept_[0]} << 8 | kept_[1];
    const std::size_t taken = std::min<std::size_t>(bytes.size(), wanted - told_);
    const std::size_t room = kLengthBytes + kMessageKept - std::min(kept_.size(), kLengthBytes + kMessageKept);
    const std::size_t copied = has_gap_ ? 0 : std::min(taken, room);
    kept_.insert(kept_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(copied));
    told_ += taken;
    bytes = bytes.subspan(taken);
    if (kept_.size() < kLengthBytes) continue;
    wanted = kLengthBytes + (std::size_t{kept_[0]} << 8 | kept_[1]);
    if (told_ == wanted) End(Bytes(kept_).subspan(kLengthBytes), handler);
  }
}

void Decoder::End(Bytes message, Handler& handler) {
  parsed_ += std::exchange(told_, 0);
  has_gap_ = false;
  handler.OnMessage(message, first_byte_ns_);
  kept_.clear();
  if (kept_.capacity() > 512) kept_.shrink_to_fit();  // an idle connection keeps no large room
}

void Decoder::OnGap(std::uint64_t length, Handler& handler) {
  if (lost_) {
    handler.OnUnparsed(Unparsed::kGap, length);
    return;
  }
  if (kept_.size() >= kLengthBytes) {
    const std::uint64_t wanted = kLengthBytes + (std::uint64_t{kept_[0]} << 8 | kept_[1]);
    if (told_ + length <= wanted) {
      told_ += length;
      has_gap_ = true;
      if (told_ == wanted) End(Bytes(kept_).subspan(kLengthBytes), handler);
      return;
    }
  }
  handler.OnUnparsed(Unparsed::kGap, std::exchange(told_, 0) + length);
  kept_.clear();
  has_gap_ = false;
  lost_ = true;
  handler.OnLost();
}

void Decoder::OnClose(Handler& handler) {
  if (told_ != 0) handler.OnUnparsed(Unparsed::kCutOff, std::exchange(told_, 0));
  kept_.clear();
}

std::uint64_t Decoder::TakeParsedBytes() { return std::exchange(parsed_, 0); }

}  // namespace wiregauge::decode::dns
