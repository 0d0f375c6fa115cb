// For the fuzz targets of decoders: plays a direction's bytes with splits, gaps and signals that the input chooses, and
// checks what holds of every protocol: each byte told is accounted for once, and a run means the same when it comes
// byte by byte.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/error.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode {

inline void FuzzCheck(bool holds, std::string_view what) {
  if (!holds) Bug(what);
}

// What listeners of all protocols keep: the events as text, and bytes that were not parsed.
struct FuzzEvents {
  void CountUnparsed(Unparsed reason, std::uint64_t bytes) {
    FuzzCheck(static_cast<std::size_t>(reason) < kUnparsedReasons, "unknown reason");
    FuzzCheck(bytes > 0, "zero unparsed bytes");
    unparsed += bytes;
  }

  std::string events;
  std::uint64_t unparsed = 0;
  bool lost = false;  // a search for a beginning sees only one run at a time, so splits matter
};

// Feeds one direction. `Tested` has: OnBytes(bytes, told), OnGap(length, tail, told), OnClose(), Signal(op),
// TakeParsedBytes(), pending_bytes(), and events() with the listener's FuzzEvents. Signal: false when splits matter
// from then on.
template <typename Tested>
class FuzzPlayer {
 public:
  // With `bytewise` each run comes byte by byte.
  FuzzPlayer(std::uint8_t setup, bool bytewise) : tested(setup), bytewise_(bytewise) {}

  // Ops: 0xff length(2): a gap. 0xfe length(2) size: a gap with a tail of size % 9 bytes that follow. Tested::kSignals
  // up to 0xfd: a signal of the protocol's own. Else: a run of up to 8 * (op + 1) bytes. True when there were only
  // runs.
  bool Play(ByteReader reader) {
    bool plain = true;
    while (reader.ok() && reader.remaining() > 0) {
      const auto op = reader.Read<std::uint8_t>();
      plain = plain && op < 0xfe;
      if (op >= 0xfe) {
        const auto length = reader.Read<std::uint16_t>();
        const std::size_t tail_size = op == 0xfe ? reader.Read<std::uint8_t>() % 9u : 0;
        const Bytes tail = reader.Take(std::min<std::size_t>({tail_size, reader.remaining(), length}));
        if (!reader.ok() || length == 0) continue;
        told_ += length;
        tested.OnGap(length, tail, told_);
      } else if (op >= Tested::kSignals) {
        plain = tested.Signal(op) && plain;
      } else {
        Run(reader.Take(std::min<std::size_t>(8u * (op + 1u), reader.remaining())));
      }
      Account();
    }
    tested.OnClose();
    Account();
    FuzzCheck(tested.pending_bytes() == 0, "bytes pending after the close");
    return plain;
  }

  Tested tested;
  [[nodiscard]] std::uint64_t parsed() const { return parsed_; }

 private:
  void Run(Bytes run) {
    const std::size_t step = bytewise_ ? 1 : run.size();
    for (std::size_t at = 0; at < run.size(); at += step) {
      told_ += step;
      tested.OnBytes(run.subspan(at, step), told_);
      Account();
    }
  }
  void Account() {
    parsed_ += tested.TakeParsedBytes();
    FuzzCheck(parsed_ + tested.events().unparsed + tested.pending_bytes() == told_, "bytes not accounted for");
  }

  bool bytewise_;
  std::uint64_t told_ = 0;
  std::uint64_t parsed_ = 0;
};

// A decoder of one direction for FuzzPlayer; a protocol derives from it.
template <typename Decoder, typename Listener>
struct FuzzedDirection {
  static constexpr std::uint8_t kSignals = 0xfe;   // none
  static constexpr bool kSplitsParseAlike = true;  // what is unparsed is so by its bytes alone

  template <typename... Arguments>
  explicit FuzzedDirection(Arguments&&... arguments) : decoder(std::forward<Arguments>(arguments)...) {}

  void OnBytes(Bytes bytes, std::uint64_t told) { decoder.OnBytes(bytes, told, listener); }
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t told) { decoder.OnGap(length, tail, told, listener); }
  void OnClose() { decoder.OnClose(listener); }
  bool Signal(std::uint8_t) { return true; }
  std::uint64_t TakeParsedBytes() { return decoder.TakeParsedBytes(); }
  [[nodiscard]] std::uint64_t pending_bytes() const { return decoder.pending_bytes(); }
  [[nodiscard]] const FuzzEvents& events() const { return listener; }

  Decoder decoder;
  Listener listener;
};

// Decoders of both directions, one of which is fed, for protocols with a class for each.
template <typename Requests, typename Answers, typename Listener>
struct FuzzedDirections {
  FuzzedDirections(bool feeds_requests, bool mid_stream)
      : of_requests(feeds_requests), requests(mid_stream), answers(mid_stream) {}

  void OnBytes(Bytes bytes, std::uint64_t told) {
    of_requests ? requests.OnBytes(bytes, told, listener) : answers.OnBytes(bytes, listener);
  }
  std::uint64_t TakeParsedBytes() { return requests.TakeParsedBytes() + answers.TakeParsedBytes(); }
  [[nodiscard]] std::uint64_t pending_bytes() const { return requests.pending_bytes() + answers.pending_bytes(); }
  [[nodiscard]] const FuzzEvents& events() const { return listener; }

  static constexpr bool kSplitsParseAlike = true;

  bool of_requests;
  Requests requests;
  Answers answers;
  Listener listener;
};

// The first byte of an input is the setup. `split_matters(setup)`: beginnings are searched for from the start.
template <typename Tested>
int FuzzDecoder(Bytes data, bool (*split_matters)(std::uint8_t setup)) {
  if (data.empty()) return 0;
  const Bytes ops = data.subspan(1);
  FuzzPlayer<Tested> whole(data[0], false);
  const bool plain = whole.Play(ByteReader(ops));
  if (!plain || whole.tested.events().lost || split_matters(data[0])) return 0;
  FuzzPlayer<Tested> bytewise(data[0], true);
  bytewise.Play(ByteReader(ops));
  FuzzCheck(whole.tested.events().events == bytewise.tested.events().events, "a split changes what is decoded");
  FuzzCheck(!Tested::kSplitsParseAlike || whole.parsed() == bytewise.parsed(), "a split changes what is parsed");
  return 0;
}

}  // namespace wiregauge::decode
