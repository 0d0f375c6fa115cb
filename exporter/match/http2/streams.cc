#include "exporter/match/http2/streams.h"

#include <bit>
#include <utility>

namespace wiregauge::match::http2 {

Stream* Streams::Add(std::uint32_t number, decode::http2::TextRef path) {
  if (2 * (size_ + 1) > capacity_ && !Grow()) return nullptr;
  const bool charge = size_ >= kStreamsKept;
  if (charge && !budget_.Take(path.heap_bytes())) return nullptr;
  std::uint32_t at = Home(number);
  while (slots_[at].number != 0) at = Next(at);
  Stream& stream = slots_[at];
  stream.number = number;
  stream.path = std::move(path);
  stream.path_charged = charge;
  ++size_;
  return &stream;
}

bool Streams::Grow() {
  if (size_ >= kStreamsMax) return false;
  const std::uint32_t wanted = capacity_ == 0 ? 2 : capacity_ * 2;
  if (!budget_.Take(ChargeOf(wanted))) return false;
  const std::unique_ptr<Stream[]> old = std::exchange(slots_, std::make_unique<Stream[]>(wanted));
  const std::uint32_t old_capacity = std::exchange(capacity_, wanted);
  shift_ = 32 - static_cast<std::uint32_t>(std::countr_zero(wanted));
  for (std::uint32_t i = 0; i < old_capacity; ++i) {
    if (old[i].number == 0) continue;
    std::uint32_t at = Home(old[i].number);
    while (slots_[at].number != 0) at = Next(at);
    slots_[at] = std::move(old[i]);
  }
  budget_.Give(ChargeOf(old_capacity));
  return true;
}

// Closes the gap, so that every stream is found from its home on.
void Streams::Erase(Stream* stream) {
  auto hole = static_cast<std::uint32_t>(stream - slots_.get());
  GivePath(*stream);
  *stream = {};
  --size_;
  if (size_ == 0) {
    if (capacity_ > 2 * kStreamsKept) Release();
    return;
  }
  for (std::uint32_t at = Next(hole); slots_[at].number != 0; at = Next(at)) {
    const std::uint32_t home = Home(slots_[at].number);
    const bool may_move = ((at - home) & (capacity_ - 1)) >= ((at - hole) & (capacity_ - 1));
    if (!may_move) continue;
    slots_[hole] = std::move(slots_[at]);
    slots_[at] = {};
    hole = at;
  }
}

void Streams::GivePath(const Stream& stream) {
  if (stream.path_charged) budget_.Give(stream.path.heap_bytes());
}

void Streams::Clear() {
  ForEach([this](const Stream& stream) { GivePath(stream); });
  Release();
}

void Streams::Release() {
  slots_.reset();
  budget_.Give(ChargeOf(capacity_));
  capacity_ = size_ = 0;
}

}  // namespace wiregauge::match::http2
