// For tests: writes MQTT packets as the specification says; knows nothing of the decoder.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace wiregauge::decode::mqtt::packets {

inline std::string Varint(std::size_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
inline std::string Number(std::uint32_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}
inline std::string Text(std::string_view text) {
  return Number(static_cast<std::uint32_t>(text.size()), 2) + std::string(text);
}
inline std::string Raw(std::uint8_t first, const std::string& body) {
  return static_cast<char>(first) + Varint(body.size()) + body;
}

inline std::string Property(std::uint8_t id, std::uint32_t value, int bytes) {
  return static_cast<char>(id) + Number(value, bytes);
}
inline std::string TextProperty(std::uint8_t id, std::string_view text) { return static_cast<char>(id) + Text(text); }
inline std::string PairProperty(std::string_view key, std::string_view value) {
  return '\x26' + Text(key) + Text(value);
}
inline std::string Properties(int level, const std::string& properties = "") {
  return level >= 5 ? Varint(properties.size()) + properties : "";
}

inline std::string Connect(int level) {
  return Raw(0x10, Text(level == 3 ? "MQIsdp" : "MQTT") + Number(static_cast<std::uint32_t>(level), 1) + '\x02' +
                       Number(60, 2) + Properties(level) + Text("client"));
}
inline std::string ConnAck(int level, std::uint8_t code) {
  return Raw(0x20, '\0' + Number(code, 1) + Properties(level, level >= 5 ? Property(0x22, 10, 2) : ""));
}
inline std::string Publish(int level, int qos, std::uint32_t id, std::string_view topic, std::string_view payload,
                           bool dup = false, const std::string& properties = "") {
  const auto first = static_cast<std::uint8_t>(0x30 | (dup ? 8 : 0) | (qos << 1));
  return Raw(first,
             Text(topic) + (qos > 0 ? Number(id, 2) : "") + Properties(level, properties) + std::string(payload));
}
// PUBACK to PUBCOMP: type 4 to 7.
inline std::string Ack(int type, std::uint32_t id, int code = -1, const std::string& properties = "") {
  std::string body = Number(id, 2);
  if (code >= 0) body += static_cast<char>(code);
  if (!properties.empty()) body += Varint(properties.size()) + properties;
  return Raw(static_cast<std::uint8_t>(type << 4 | (type == 6 ? 2 : 0)), body);
}
inline std::string Subscribe(int level, std::uint32_t id, std::initializer_list<std::string_view> filters) {
  std::string body = Number(id, 2) + Properties(level);
  for (const std::string_view filter : filters) body += Text(filter) + '\x01';
  return Raw(0x82, body);
}
inline std::string Unsubscribe(int level, std::uint32_t id, std::initializer_list<std::string_view> filters) {
  std::string body = Number(id, 2) + Properties(level);
  for (const std::string_view filter : filters) body += Text(filter);
  return Raw(0xa2, body);
}
inline std::string SubAck(int level, std::uint32_t id, std::initializer_list<int> codes) {
  std::string body = Number(id, 2) + Properties(level);
  for (const int code : codes) body += static_cast<char>(code);
  return Raw(0x90, body);
}
inline std::string PingReq() { return Raw(0xc0, ""); }
inline std::string PingResp() { return Raw(0xd0, ""); }
inline std::string Disconnect() { return Raw(0xe0, ""); }

}  // namespace wiregauge::decode::mqtt::packets
