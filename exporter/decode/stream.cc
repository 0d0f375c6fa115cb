#include "exporter/decode/stream.h"

#include <algorithm>
#include <string>
#include <vector>

namespace wiregauge::decode {

// A DataRecord's payload, cut to what is still to be told.
struct Stream::Piece {
  std::uint32_t seq;
  std::uint32_t length;
  std::uint64_t time_ns;
  Bytes captured;  // the first bytes of the piece
  Bytes tail;      // the last bytes of the piece, perhaps some told before; only when captured.size() < length

  // Removes the first `count` <= length bytes.
  void Trim(std::uint32_t count) {
    seq += count;
    length -= count;
    captured = captured.subspan(std::min<std::size_t>(count, captured.size()));
  }
};

struct Stream::Held {
  struct Copy {
    std::uint32_t seq;
    std::uint32_t length;
    std::uint64_t time_ns;
    std::string captured;
    std::string tail;
  };

  explicit Held(MemoryBudget& the_budget) : budget(the_budget) {}
  ~Held() { budget.Give(bytes); }

  static std::size_t Cost(const Piece& piece) { return sizeof(Copy) + piece.captured.size(); }
  static std::size_t Cost(const Copy& copy) { return sizeof(Copy) + copy.captured.size(); }

  MemoryBudget& budget;
  std::vector<Copy> copies;  // by distance from next_, then in order of arrival
  std::size_t bytes = 0;     // charged to the budget
  std::size_t captured_bytes = 0;
  std::uint64_t since_ns = 0;
};

Stream::Stream(std::optional<std::uint32_t> first_seq)
    : next_(first_seq.value_or(0)), started_(first_seq.has_value()) {}

Stream::~Stream() = default;

std::uint64_t Stream::waiting_since_ns() const { return held_ ? held_->since_ns : 0; }

void Stream::Push(const probe::DataRecord& record, bool may_hold, MemoryBudget& budget, StreamSink& sink) {
  if (record.length == 0) return;
  if (!started_) {
    next_ = record.seq;
    started_ = true;
  }
  const Bytes captured = record.captured.first(std::min<std::size_t>(record.captured.size(), record.length));
  const std::size_t tail_size =
      captured.size() < record.length ? std::min<std::size_t>(record.tail.size(), record.length - captured.size()) : 0;
  const Piece piece{record.seq, record.length, record.time_ns, captured, record.tail.last(tail_size)};

  if (piece.seq == next_ && !held_) return Deliver(piece, sink);
  const bool behind_hole = IsAhead(piece.seq);
  if (behind_hole && may_hold) return Hold(piece, budget, sink);
  const bool jump = !behind_hole && next_ - piece.seq > kWindowBytesMax;
  if (held_ && (!may_hold || jump)) GiveUpHoles(sink);
  Deliver(piece, sink);
  if (held_) DeliverHeld(false, sink);
}

void Stream::GiveUpHoles(StreamSink& sink) {
  while (held_) DeliverHeld(true, sink);
}

void Stream::Deliver(Piece piece, StreamSink& sink) {
  const std::uint32_t behind = next_ - piece.seq;
  if (behind != 0 && behind <= kWindowBytesMax) {  // told before, at least its beginning
    if (behind >= piece.length) return;
    piece.Trim(behind);
  } else if (behind != 0) {
    Skip(piece.seq - next_, {}, piece.time_ns, sink);
  }
  next_ = piece.seq + static_cast<std::uint32_t>(piece.captured.size());
  if (!piece.captured.empty()) sink.OnBytes(piece.captured, piece.time_ns);
  const auto missing = static_cast<std::uint32_t>(piece.length - piece.captured.size());
  if (missing > 0)
    Skip(missing, piece.tail.last(std::min<std::size_t>(piece.tail.size(), missing)), piece.time_ns, sink);
}

void Stream::Skip(std::uint32_t length, Bytes tail, std::uint64_t time_ns, StreamSink& sink) {
  next_ += length;
  sink.OnGap(length, tail, time_ns);
}

void Stream::Hold(const Piece& piece, MemoryBudget& budget, StreamSink& sink) {
  if (!held_) {
    held_ = std::make_unique<Held>(budget);
    held_->since_ns = piece.time_ns;
  }
  // Room is made by giving up the oldest hole; what is behind it goes on its way.
  while (held_ &&
         (held_->copies.size() >= kHeldPiecesMax || held_->captured_bytes + piece.captured.size() > kHeldBytesMax)) {
    DeliverHeld(true, sink);
  }
  if (!held_ || !IsAhead(piece.seq) || !budget.Take(Held::Cost(piece))) {
    if (IsAhead(piece.seq)) GiveUpHoles(sink);
    Deliver(piece, sink);
    if (held_) DeliverHeld(false, sink);
    return;
  }
  const std::uint32_t base = next_;
  const auto place =
      std::upper_bound(held_->copies.begin(), held_->copies.end(), piece.seq,
                       [base](std::uint32_t seq, const Held::Copy& copy) { return seq - base < copy.seq - base; });
  held_->copies.insert(place, {piece.seq, piece.length, piece.time_ns, std::string(AsText(piece.captured)),
                               std::string(AsText(piece.tail))});
  held_->bytes += Held::Cost(piece);
  held_->captured_bytes += piece.captured.size();
}

// Tells the held pieces from the front up to the next hole; with `first_hole_too`, over the first hole.
void Stream::DeliverHeld(bool first_hole_too, StreamSink& sink) {
  std::size_t told = 0;
  for (; told < held_->copies.size(); ++told) {
    const Held::Copy& copy = held_->copies[told];
    if (IsAhead(copy.seq) && !(first_hole_too && told == 0)) break;
    Deliver({copy.seq, copy.length, copy.time_ns, AsBytes(copy.captured), AsBytes(copy.tail)}, sink);
    held_->captured_bytes -= copy.captured.size();
    held_->bytes -= Held::Cost(copy);
    held_->budget.Give(Held::Cost(copy));
  }
  if (told == held_->copies.size()) return held_.reset();
  if (told == 0) return;
  held_->copies.erase(held_->copies.begin(), held_->copies.begin() + static_cast<std::ptrdiff_t>(told));
  held_->since_ns = held_->copies.front().time_ns;
}

}  // namespace wiregauge::decode
