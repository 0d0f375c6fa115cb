// One direction of an MQTT connection: bytes in order go in, packets with their topics and codes come out. Push style:
// a packet may be split anywhere, and nothing is copied but a topic and a header that is split. A payload is skipped by
// its length, captured or not. After a loss that lengths do not bridge the decoder says so (OnLost), counts what it
// cannot read, and goes on at the next segment that is a run of packets. Pure: no clock, no I/O. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "exporter/decode/mqtt/parse.h"
#include "exporter/decode/mqtt/types.h"
#include "exporter/decode/unparsed.h"

namespace wiregauge::decode::mqtt {

// Hears what a Decoder finds, in stream order. Must not call the Decoder it hears, but for SetLevel.
class Handler {
 public:
  virtual void OnPacket(const Packet& packet) = 0;
  // Packets may have been lost, before anything of them was known.
  virtual void OnLost() = 0;
  // The first bytes of this direction are no MQTT.
  virtual void OnNotMqtt() = 0;
  virtual void OnUnparsed(Unparsed reason, std::uint64_t bytes) = 0;

 protected:
  ~Handler() = default;
};

// Every byte told by OnBytes and OnGap is, once, parsed (TakeParsedBytes), unparsed (OnUnparsed), or part of a fixed
// header that is not complete yet (pending_bytes).
class Decoder {
 public:
  // `mid_stream`: the first byte may be anywhere in a packet.
  Decoder(Side from, bool mid_stream);

  void OnBytes(Bytes bytes, std::uint64_t time_ns, Handler& handler);
  // `length` bytes are missing, the last of them are `tail`.
  void OnGap(std::uint64_t length, Bytes tail, std::uint64_t time_ns, Handler& handler);
  // Nothing follows: a pending header is counted as kCutOff.
  void OnClose(Handler& handler);

  // The version that both sides speak, from a CONNECT; without it some fields cannot be told from others.
  void SetLevel(std::uint8_t level) { level_ = level; }
  // What breaks the grammar from now on is malformed, not another protocol.
  void ConfirmMqtt() { confirmed_ = true; }

  [[nodiscard]] std::uint64_t pending_bytes() const { return state_ == State::kHeader ? partial_size_ : 0; }
  // Bytes understood since the last call.
  std::uint64_t TakeParsedBytes();

 private:
  enum class State : std::uint8_t {
    kHeader,  // at a packet's start, or in its fixed header
    kBody,    // left_ bytes to go
    kResync,  // the next packet start not found yet
    kOpaque,  // for good
  };
  // Where in the body the next byte is.
  enum class Step : std::uint8_t {
    kNameLength,       // CONNECT: of the protocol's name
    kLevel,            // CONNECT
    kTopicLength,      // PUBLISH; a filter of SUBSCRIBE, UNSUBSCRIBE
    kTopic,            // topic_left_ bytes of it
    kId,               // packet identifier
    kPropertiesBytes,  // a variable byte integer
    kProperty,         // an identifier
    kPropertyLength,   // of a string or binary
    kVarint,           // a property's value that is a variable byte integer
    kAlias,            // the topic alias' value
    kConnAckFlags,
    kCode,   // a reason code, after which nothing is looked at
    kCodes,  // reason codes to the end
    kRest,   // nothing is looked at
  };

  std::size_t StepHeader(Bytes run, std::uint64_t time_ns, Handler& handler);
  std::size_t StepBody(Bytes run, std::uint64_t time_ns, Handler& handler);
  std::size_t StepResync(Bytes run, bool at_start, Handler& handler);
  std::uint64_t GapInBody(std::uint64_t length, std::uint64_t time_ns, Handler& handler);
  void BeginPacket(const FixedHeader& header);
  [[nodiscard]] Step FirstStep() const;
  void WalkBody(Bytes run);
  // One field. False when it is not all at hand, or odd.
  bool WalkField(Bytes& run);
  bool WalkText(Bytes& run);
  bool WalkTextLength(Bytes& run);
  bool WalkId(Bytes& run);
  bool WalkPropertiesBytes(Bytes& run);
  bool WalkProperty(Bytes& run);
  bool WalkCodes(Bytes& run);
  void AfterText();
  void AfterProperties();
  [[nodiscard]] bool HasProperties() const;
  void EndPacket(std::uint64_t time_ns, Handler& handler);
  void Count(std::uint64_t bytes, Handler& handler);
  void Lose(Unparsed reason, Handler& handler);
  void GiveUp(Handler& handler);
  void Advance(Bytes& run, std::size_t bytes) {
    run = run.subspan(bytes);
    walk_left_ -= static_cast<std::uint32_t>(bytes);
  }
  // `size` bytes together, null when they are not all at hand yet, or the packet has not so many; valid until the next
  // call.
  const std::uint8_t* Take(std::size_t size, Bytes& run);
  bool TakeVarint(std::uint32_t& value, Bytes& run);
  // Passes over so many bytes, then goes on with `next`.
  bool Skip(std::uint32_t bytes, Step next);
  bool Odd() {
    packet_.walk = Walk::kOdd;
    return false;
  }

  Packet packet_;
  std::string topic_;
  std::uint64_t first_byte_ns_ = 0;
  std::uint64_t parsed_bytes_ = 0;  // since TakeParsedBytes
  std::uint32_t left_ = 0;          // of the packet
  std::uint32_t walk_left_ = 0;     // the same, during Walk
  std::uint32_t skip_ = 0;
  std::uint32_t topic_left_ = 0;
  std::uint32_t behind_properties_ = 0;  // so many bytes of the packet
  std::uint32_t filters_ = 0;
  std::uint8_t texts_left_ = 0;  // of a property that is a pair
  std::array<std::uint8_t, 8> partial_;
  std::uint8_t partial_size_ = 0;
  State state_;
  Step step_ = Step::kRest;
  Side from_;
  std::uint8_t level_ = kUnknownLevel;
  Unparsed loss_ = Unparsed::kMidStream;  // why the state is kResync or kOpaque
  bool confirmed_ = false;                // MQTT was seen on this connection
};

}  // namespace wiregauge::decode::mqtt
