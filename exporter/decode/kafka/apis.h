// Every API of Kafka up to 4.0: its name, its versions, and what its messages are made of. One row an API: to learn a
// new version, raise its number and say from where on a field is there.
#pragma once

#include <cstdint>
#include <string_view>

#include "exporter/decode/kafka/schema.h"

namespace wiregauge::decode::kafka {

// No version of the API is flexible (compact lengths and tagged fields, KIP-482).
inline constexpr std::int16_t kNeverFlexible = 127;

struct ApiRow {
  std::string_view name;             // as the protocol guide spells it
  std::int16_t version_max = 0;      // the latest that the schemas describe
  std::int16_t flexible_from = 127;  // the first flexible version
  Schema request;                    // its body; described where something in it is looked at
  Schema answer;
};

inline constexpr std::int16_t kApis = 93;

// 0 <= key < kApis.
const ApiRow& RowOf(std::int16_t key);

// The API's name, "_OTHER" when it has none. Lives forever.
std::string_view ApiName(std::int16_t key);

// The error's name ("NOT_LEADER_OR_FOLLOWER"), "_OTHER" when it has none. Lives forever.
std::string_view ErrorName(std::int16_t code);

}  // namespace wiregauge::decode::kafka
