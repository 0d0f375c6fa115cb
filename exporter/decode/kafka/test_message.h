// For tests: writes Kafka messages, field by field, as the protocol guide says; knows nothing of the schemas.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wiregauge::decode::kafka {

class Message {
 public:
  // A request of that API, with its header. Flexible ones have compact lengths and tagged fields.
  static Message Request(int key, int version, int correlation_id, bool flexible = false,
                         std::optional<std::string_view> client_id = "client") {
    Message message(flexible);
    message.Int16(key).Int16(version).Int32(correlation_id);
    message.Int16(client_id ? static_cast<int>(client_id->size()) : -1);
    if (client_id) message.body_ += *client_id;
    return flexible ? message.Tags() : message;
  }
  // `header_tags`: all flexible answers but those to ApiVersions.
  static Message Answer(int correlation_id, bool flexible = false, bool header_tags = true) {
    Message message(flexible);
    message.Int32(correlation_id);
    return flexible && header_tags ? message.Tags() : message;
  }

  Message& Int8(int value) { return Number(value, 1); }
  Message& Int16(int value) { return Number(value, 2); }
  Message& Int32(int value) { return Number(value, 4); }
  Message& Int64(std::int64_t value) { return Number(value, 8); }
  Message& Uuid(char filler) {
    body_ += std::string(16, filler);
    return *this;
  }
  Message& String(std::string_view text) {
    Length(text.size(), 2);
    body_ += text;
    return *this;
  }
  Message& Null() { return flexible_ ? Varint(0) : Int16(-1); }
  Message& Bytes(std::string_view bytes) {
    Length(bytes.size(), 4);
    body_ += bytes;
    return *this;
  }
  Message& Array(std::size_t count) {
    Length(count, 4);
    return *this;
  }
  Message& NullArray() { return flexible_ ? Varint(0) : Int32(-1); }
  // Ends a structure of a flexible message.
  Message& Tags() { return flexible_ ? Varint(0) : *this; }
  Message& Tag(std::uint32_t tag, std::string_view value) {
    Varint(1).Varint(tag).Varint(static_cast<std::uint32_t>(value.size()));
    body_ += value;
    return *this;
  }
  Message& Varint(std::uint32_t value) {
    for (; value >= 0x80; value >>= 7) body_ += static_cast<char>(value | 0x80);
    body_ += static_cast<char>(value);
    return *this;
  }

  // The frame.
  [[nodiscard]] std::string Frame() const {
    Message length(false);
    length.Int32(static_cast<int>(body_.size()));
    return length.body_ + body_;
  }

 private:
  explicit Message(bool flexible) : flexible_(flexible) {}

  Message& Number(std::int64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) body_ += static_cast<char>(value >> shift);
    return *this;
  }
  void Length(std::size_t length, int bytes) {
    if (flexible_) {
      Varint(static_cast<std::uint32_t>(length) + 1);
    } else {
      Number(static_cast<std::int64_t>(length), bytes);
    }
  }

  std::string body_;
  bool flexible_;
};

}  // namespace wiregauge::decode::kafka
