// What protocols of lines and of strings of known length (Redis, memcached) share: takes lines that may be split
// anywhere, skips strings, counts bytes. A decoder of one direction derives from it. Pure; one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/decode/unparsed.h"

namespace wiregauge::decode {

// Every byte told by OnBytes and OnGap is, once,
// parsed (TakeParsedBytes), unparsed (a handler's OnUnparsed), or part of a line that is not complete yet
// (pending_bytes).
class LineFraming {
 public:
  // What is looked at of a string: a word, a number.
  static constexpr std::size_t kFirstBytesKept = 24;

  [[nodiscard]] std::uint64_t pending_bytes() const { return partial_bytes_; }
  // Bytes understood since the last call.
  std::uint64_t TakeParsedBytes();

 protected:
  enum class State : std::uint8_t {
    kLine,     // at the beginning of a line, or in one
    kString,   // string_left_ bytes to go, the line end included
    kResync,   // between messages, the next start not found yet
    kStopped,  // for good
  };

  // `mid_stream`: the first byte may be anywhere in a message.
  explicit LineFraming(bool mid_stream) : state_(mid_stream ? State::kResync : State::kLine) {}
  ~LineFraming() = default;

  // A line without its end, of which at most kept_max bytes are at hand; borrows from `run` or from this until EndLine.
  struct Line {
    std::string_view text;
    std::size_t used = 0;  // bytes of `run`
    bool whole = false;    // else it goes on behind `run`; what is at hand is kept
  };
  Line TakeLine(std::string_view run, std::size_t kept_max);
  // The bytes of the line taken last are understood.
  void AcceptLine() { parsed_bytes_ += std::exchange(partial_bytes_, 0); }
  void EndLine();
  void BeginString(std::uint64_t bytes);
  // Takes bytes of the string from `run`; keeps the first kFirstBytesKept when they are looked at. False when its
  // line end is none.
  bool TakeString(std::string_view run, bool look, std::size_t& used);
  // Of the `missing` bytes those that belong to the string.
  void SkipString(std::uint64_t& missing);
  // The first bytes of the string that is complete, fewer than it has when they were not at hand.
  [[nodiscard]] std::string_view first_bytes() const { return {first_.data(), first_size_}; }
  // Its bytes, if all are at hand; else nothing.
  [[nodiscard]] std::string_view short_string() const {
    return first_size_ == string_bytes_ ? first_bytes() : std::string_view();
  }
  // Why what is unparsed from now on is so.
  void BeginLoss(Unparsed reason);

  std::string partial_;              // of a line that is split over runs
  std::uint64_t partial_bytes_ = 0;  // of the line at hand, not counted yet
  std::uint64_t string_left_ = 0;    // line end included
  std::uint64_t string_bytes_ = 0;   // without it
  std::uint64_t parsed_bytes_ = 0;   // since TakeParsedBytes
  std::array<char, kFirstBytesKept> first_{};
  std::uint8_t first_size_ = 0;
  State state_;
  bool searched_ = false;                 // the message at hand was found by searching
  Unparsed loss_ = Unparsed::kMidStream;  // why the state is kResync or kStopped
};

}  // namespace wiregauge::decode
