#include "exporter/decode/mqtt/parse.h"

#include <algorithm>
#include <array>

namespace wiregauge::decode::mqtt {

namespace {

using Type = PacketType;

struct TypeRule {
  bool client = false;  // may send it
  bool server = false;
  std::uint32_t length_min = 0;
  std::uint32_t length_max = kPacketBytesMax;
};

// By type. Acknowledgements have properties from version 5 on.
constexpr std::array<TypeRule, 16> kRules = {{
    {},
    {true, false, 12},    // CONNECT: name, level, flags, keep alive, an empty client id
    {false, true, 2},     // CONNACK
    {true, true, 2},      // PUBLISH: at least the length of an empty topic, which an alias stands for
    {true, true, 2},      // PUBACK
    {true, true, 2},      // PUBREC
    {true, true, 2},      // PUBREL
    {true, true, 2},      // PUBCOMP
    {true, false, 6},     // SUBSCRIBE: id, a filter of one byte, options
    {false, true, 3},     // SUBACK
    {true, false, 5},     // UNSUBSCRIBE
    {false, true, 2},     // UNSUBACK
    {true, false, 0, 0},  // PINGREQ
    {false, true, 0, 0},  // PINGRESP
    {true, true, 0},      // DISCONNECT
    {true, true, 0},      // AUTH
}};

bool FlagsFit(Type type, std::uint8_t flags) {
  if (type == Type::kPublish) return (flags >> 1 & 3) != 3;
  // Version 3.1 has DUP in these, and a QoS of 1.
  if (type == Type::kPubRel || type == Type::kSubscribe || type == Type::kUnsubscribe) return (flags & 7) == 2;
  return flags == 0;
}

// One may publish to it: no wildcards, no control characters.
bool IsTopic(Bytes topic) {
  return !topic.empty() && std::all_of(topic.begin(), topic.end(), [](std::uint8_t byte) {
    return byte >= 0x20 && byte != 0x7f && byte != '#' && byte != '+';
  });
}

bool PublishFits(Bytes body, std::uint32_t length) {
  if (body.size() < 2) return false;
  const std::uint32_t topic = static_cast<std::uint32_t>(body[0] << 8 | body[1]);
  return topic + 2 <= length && topic + 2 <= body.size() && IsTopic(body.subspan(2, topic));
}

constexpr std::string_view kProtocolNames[] = {"MQTT", "MQIsdp"};

// A CONNECT up to its protocol level, as far as it goes.
Likeness LooksLikeConnect(Bytes first) {
  FixedHeader header;
  if (first[0] != static_cast<std::uint8_t>(Type::kConnect) << 4) return Likeness::kNo;
  switch (ReadFixedHeader(first, Side::kClient, header)) {
    case Header::kBad: return Likeness::kNo;
    case Header::kShort: return Likeness::kMaybe;
    case Header::kWhole: break;
  }
  const Bytes body = first.subspan(header.size);
  for (const std::string_view name : kProtocolNames) {
    std::array<std::uint8_t, 8> wanted{0, static_cast<std::uint8_t>(name.size())};
    std::copy(name.begin(), name.end(), wanted.begin() + 2);
    const std::size_t shown = std::min(body.size(), name.size() + 2);
    if (!std::equal(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(shown), body.begin())) continue;
    if (body.size() <= name.size() + 2) return Likeness::kMaybe;
    const std::uint8_t level = body[name.size() + 2] & 0x7f;  // bridges set the highest bit
    return level >= kLevel31 && level <= kLevel5 ? Likeness::kYes : Likeness::kNo;
  }
  return Likeness::kNo;
}

struct NamedCode {
  std::uint8_t code;
  std::string_view name;
};

// Section 2.4, table 2-6.
constexpr NamedCode kErrors[] = {
    {0x80, "Unspecified error"},
    {0x81, "Malformed Packet"},
    {0x82, "Protocol Error"},
    {0x83, "Implementation specific error"},
    {0x84, "Unsupported Protocol Version"},
    {0x85, "Client Identifier not valid"},
    {0x86, "Bad User Name or Password"},
    {0x87, "Not authorized"},
    {0x88, "Server unavailable"},
    {0x89, "Server busy"},
    {0x8a, "Banned"},
    {0x8b, "Server shutting down"},
    {0x8c, "Bad authentication method"},
    {0x8d, "Keep Alive timeout"},
    {0x8e, "Session taken over"},
    {0x8f, "Topic Filter invalid"},
    {0x90, "Topic Name invalid"},
    {0x91, "Packet Identifier in use"},
    {0x92, "Packet Identifier not found"},
    {0x93, "Receive Maximum exceeded"},
    {0x94, "Topic Alias invalid"},
    {0x95, "Packet too large"},
    {0x96, "Message rate too high"},
    {0x97, "Quota exceeded"},
    {0x98, "Administrative action"},
    {0x99, "Payload format invalid"},
    {0x9a, "Retain not supported"},
    {0x9b, "QoS not supported"},
    {0x9c, "Use another server"},
    {0x9d, "Server moved"},
    {0x9e, "Shared Subscriptions not supported"},
    {0x9f, "Connection rate exceeded"},
    {0xa0, "Maximum connect time"},
    {0xa1, "Subscription Identifiers not supported"},
    {0xa2, "Wildcard Subscriptions not supported"},
};

constexpr auto kCodeTexts = [] {
  std::array<std::array<char, 4>, 256> texts{};
  for (std::size_t code = 0; code < texts.size(); ++code) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    texts[code] = {'0', 'x', kDigits[code >> 4], kDigits[code & 15]};
  }
  return texts;
}();

}  // namespace

Header ReadFixedHeader(Bytes bytes, Side from, FixedHeader& header) {
  if (bytes.empty()) return Header::kShort;
  header.type = static_cast<Type>(bytes[0] >> 4);
  header.flags = bytes[0] & 15;
  const TypeRule& rule = kRules[bytes[0] >> 4];
  if (!(from == Side::kClient ? rule.client : rule.server) || !FlagsFit(header.type, header.flags)) return Header::kBad;
  header.length = 0;
  for (std::uint8_t i = 1; i <= 4; ++i) {
    if (i >= bytes.size()) return Header::kShort;
    header.length |= std::uint32_t{bytes[i] & 0x7fu} << (7 * (i - 1));
    if (bytes[i] >= 0x80) continue;
    header.size = static_cast<std::uint8_t>(i + 1);
    return header.length >= rule.length_min && header.length <= rule.length_max ? Header::kWhole : Header::kBad;
  }
  return Header::kBad;
}

bool IsRunOfPackets(Bytes run, Side from) {
  if (run.empty()) return false;
  while (!run.empty()) {
    FixedHeader header;
    if (ReadFixedHeader(run, from, header) != Header::kWhole) return false;
    const Bytes body = run.subspan(header.size);
    const bool publish = header.type == Type::kPublish;
    if (publish && !PublishFits(body, header.length)) return false;
    if (header.length > body.size()) return publish;
    run = body.subspan(header.length);
  }
  return true;
}

std::string_view CodeText(std::uint8_t code) { return {kCodeTexts[code].data(), kCodeTexts[code].size()}; }

std::string_view ReasonName(std::uint8_t code) {
  const std::size_t i = code - std::size_t{kErrors[0].code};
  return code >= kErrors[0].code && i < std::size(kErrors) ? kErrors[i].name : "_OTHER";
}

std::uint8_t ReasonOfReturnCode(std::uint8_t code) {
  constexpr std::uint8_t kReasons[] = {0x00, 0x84, 0x85, 0x88, 0x86, 0x87};
  return code < std::size(kReasons) ? kReasons[code] : std::max<std::uint8_t>(code, 0x80);
}

Likeness LooksLikeRequests(Bytes first, bool mid_stream) {
  if (!mid_stream) return LooksLikeConnect(first);
  if (LooksLikeConnect(first) == Likeness::kYes) return Likeness::kYes;
  return IsRunOfPackets(first, Side::kClient) ? Likeness::kMaybe : Likeness::kNo;
}

Likeness LooksLikeAnswers(Bytes first, bool mid_stream) {
  if (mid_stream) return IsRunOfPackets(first, Side::kServer) ? Likeness::kMaybe : Likeness::kNo;
  // CONNACK, or AUTH before it; also DISCONNECT of a server that will not have it (sections 3.2, 4.12, 4.13).
  const auto type = static_cast<Type>(first[0] >> 4);
  if (type != Type::kConnAck && type != Type::kAuth && type != Type::kDisconnect) return Likeness::kNo;
  FixedHeader header;
  return ReadFixedHeader(first, Side::kServer, header) == Header::kBad ? Likeness::kNo : Likeness::kMaybe;
}

}  // namespace wiregauge::decode::mqtt
