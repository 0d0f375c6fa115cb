// One connection in one protocol: the probe's records go in, finished requests come out. match::Connection chooses the
// protocol, makes its Conversation and drives it. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "exporter/decode/budget.h"
#include "exporter/decode/unparsed.h"
#include "exporter/match/sink.h"
#include "exporter/match/upgrade.h"
#include "exporter/probe/record.h"

namespace wiregauge::match {

class Conversation {
 public:
  enum class State : std::uint8_t {
    kUndecided,  // the bytes so far fit, but do not prove it
    kConfirmed,  // it is this protocol: what breaks its grammar from now on is malformed or a loss
    kRefuted,    // it is another protocol after all: nothing was told, everything is to be seen by another
    kFinished,   // the connection left the protocol for good (an upgrade, a tunnel, TLS): nothing more is read
  };

  virtual ~Conversation() = default;

  // Records of this connection in the order in which the probe gave them.
  virtual void OnData(const probe::DataRecord& record, Sink& sink) = 0;
  // The last record: tells every request that is left.
  virtual void OnClose(const probe::CloseRecord& record, Sink& sink) = 0;
  // To be called when NextDeadline() has passed; calling it oftener is harmless.
  virtual void OnTick(std::uint64_t now_ns, Sink& sink) = 0;
  [[nodiscard]] virtual std::optional<std::uint64_t> NextDeadline() const = 0;

  // The counts since the last call. Each payload byte told is, once, parsed, unparsed, or pending.
  virtual ConnectionCounts TakeCounts() = 0;
  // Bytes of messages that are not complete yet: told, and neither parsed nor unparsed so far.
  [[nodiscard]] virtual std::uint64_t pending_bytes() const = 0;

  [[nodiscard]] virtual State state() const = 0;

  // In kFinished: what the connection was left for, as the reason under which the rest of it counts.
  [[nodiscard]] decode::Unparsed left_for() const { return left_for_; }

  // Only in kFinished, right after the call that led to it. Not null: the connection goes on as HTTP/2, and the caller
  // sees to it: the request is not told here, and the bytes from there on are not counted here.
  virtual std::unique_ptr<UpgradeToHttp2> TakeUpgrade() { return nullptr; }

  // A burst of this connection can hold the beginnings of many messages, so heads and tails of segments are not enough.
  [[nodiscard]] bool wants_every_byte() const { return wants_every_byte_; }

 protected:
  // For good: a client that pipelines, streams that are mixed.
  void WantEveryByte() { wants_every_byte_ = true; }
  void SetLeftFor(decode::Unparsed reason) { left_for_ = reason; }

 private:
  decode::Unparsed left_for_ = decode::Unparsed::kUnknownProtocol;
  bool wants_every_byte_ = false;
};

}  // namespace wiregauge::match
