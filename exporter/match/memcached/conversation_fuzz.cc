// Fuzz target: records of one memcached connection, in any order and with any sequence numbers.
#include "exporter/match/memcached/conversation.h"

#include "exporter/match/conversation_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return wiregauge::match::FuzzConversation<wiregauge::match::memcached::Conversation>(
      wiregauge::Bytes(data, size), wiregauge::match::System::kMemcached);
}
