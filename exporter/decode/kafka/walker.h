// Follows a schema through the bytes of one message: finds its topics and error codes, skips everything else. The
// message may be split anywhere; a gap inside a field that is skipped costs nothing. Encodings: the protocol guide's
// "Protocol Primitive Types", KIP-482 for the flexible versions. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "exporter/decode/kafka/schema.h"
#include "exporter/decode/kafka/types.h"

namespace wiregauge::decode::kafka {

// Hears the topics of a message, in its order.
class TopicSink {
 public:
  // Borrowed for the call; 1 to kTopicBytesMax bytes.
  virtual void OnTopic(std::string_view name) = 0;
  virtual void OnTopicId(const TopicId& id) = 0;

 protected:
  ~TopicSink() = default;
};

class Walker {
 public:
  enum class Topics : std::uint8_t { kNone, kTheOnlyOne, kAll };

  struct Start {
    const Schema* schema = nullptr;  // outlives the walk
    std::int16_t version = 0;
    bool flexible = false;
    bool header_tags = false;         // tagged fields end the header
    std::uint32_t skip = 0;           // bytes of the header before those
    bool may_be_unsupported = false;  // an answer of version 0 to any version, if its error is UNSUPPORTED_VERSION
    Topics topics = Topics::kNone;    // those that are told to the sink
  };

  // What was found so far.
  struct Findings {
    std::uint32_t topics = 0;  // announced by arrays of them, whether seen or not
    std::int16_t error = 0;    // the first that is not 0
    std::int16_t acks = Request::kAcksUnknown;
    std::int32_t wait_ms = 0;
    std::int32_t session_epoch = -1;
  };

  void Begin(const Start& start);

  // The next bytes of the message, of which `left` are to come, these included.
  void OnBytes(Bytes bytes, std::uint32_t left, TopicSink& sink);
  // How many of `length` missing bytes belong to fields that are skipped. When fewer than all, the walk is over.
  std::uint32_t OnGap(std::uint32_t length);

  // Everything was walked, exactly.
  [[nodiscard]] bool done() const { return state_ == State::kDone; }
  // The bytes do not fit the schema.
  [[nodiscard]] bool odd() const { return state_ == State::kOdd; }
  // Bytes were missing.
  [[nodiscard]] bool cut() const { return state_ == State::kCut; }
  [[nodiscard]] const Findings& findings() const { return findings_; }

 private:
  enum class State : std::uint8_t {
    kFields,
    kTagCount,
    kTag,
    kTagSize,
    kStrings,  // of an array of them: elements_left_
    kName,     // a topic's name, split: name_left_
    kDone,
    kUnsupported,  // the rest is of another version
    kOdd,
    kCut,
  };
  // The bytes at hand, and how many more the message has.
  struct Cursor {
    Bytes bytes;
    std::uint32_t left = 0;  // of the message, from here

    void Advance(std::size_t count) {
      bytes = bytes.subspan(count);
      left -= static_cast<std::uint32_t>(count);
    }
  };
  struct Level {
    std::uint8_t open = 0;    // index of its kArray or kStruct
    std::uint32_t count = 0;  // elements that are not ended
  };

  bool Step(Cursor& cursor, TopicSink& sink);
  bool StepField(Cursor& cursor, TopicSink& sink);
  bool StepTags(Cursor& cursor);
  bool StepStrings(Cursor& cursor);
  bool StepTopic(Cursor& cursor, TopicSink& sink);
  bool StepName(Cursor& cursor, TopicSink& sink);
  bool StepNullable(Cursor& cursor);
  bool StepNumber(const Op& op, Cursor& cursor, TopicSink& sink);
  void FoundError(std::int16_t code);
  bool OpenGroup(std::uint32_t count);
  void CloseStruct();
  void AfterTags();
  // Passes over `count` bytes, which may not all be at hand. False when the message has not so many.
  bool Skip(std::uint64_t count, Cursor& cursor);
  [[nodiscard]] bool TopicsAreTold() const {
    return topics_ == Topics::kAll || (topics_ == Topics::kTheOnlyOne && findings_.topics == 1);
  }

  // `size` bytes together, null when they are not all at hand yet. Valid until the next call.
  const std::uint8_t* Take(std::size_t size, Cursor& cursor);
  bool TakeVarint(std::uint32_t& value, Cursor& cursor);
  // The length of a string (`wide`: of bytes or an array), 0 for null. False when it is not at hand yet, or odd.
  bool TakeLength(bool wide, std::uint32_t& length, Cursor& cursor);
  bool Odd() {
    state_ = State::kOdd;
    return false;
  }

  const Op* ops_ = nullptr;
  Findings findings_;
  std::uint32_t skip_ = 0;
  std::uint32_t tags_left_ = 0;
  std::uint32_t elements_left_ = 0;
  std::uint32_t name_left_ = 0;
  std::string name_;  // only while a topic's name is split
  std::array<Level, kNestingMax + 1> levels_;
  std::array<std::uint8_t, 16> partial_;
  std::uint8_t partial_size_ = 0;
  std::uint8_t at_ = 0;  // in ops_
  std::uint8_t depth_ = 0;
  std::int8_t version_ = 0;
  State state_ = State::kDone;
  Topics topics_ = Topics::kNone;
  bool flexible_ = false;
  bool in_header_ = false;
  bool may_be_unsupported_ = false;
};

}  // namespace wiregauge::decode::kafka
